from rich.console import Console

from perpend.report.terminal import headline_lines, summary_table
from tests.report.hostile import PAYLOAD, hostile
from tests.report.synthetic import Shape, results


def shown(shape: Shape | None = None) -> str:
    console = Console(width=150, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(summary_table(results(shape or Shape())))
    return console.export_text()


def test_table_has_a_row_for_every_strategy_and_marks_oracles() -> None:
    text = shown()
    assert text.count("coverage (oracle)") == 4
    assert text.count("best_of_n(verifier=check)") == 1
    assert "mean over 3 tasks" in text


def test_names_are_not_read_as_markup() -> None:
    console = Console(width=3000, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(summary_table(hostile()[0]))
    assert "[red]" in console.export_text()


def test_headlines_are_three_lines_at_most() -> None:
    assert len(headline_lines(results())) == 3
    assert PAYLOAD in headline_lines(hostile()[0])[0]


def test_a_study_with_nothing_complete_still_has_a_table() -> None:
    assert "Accuracy" in shown(Shape(problems=0))
