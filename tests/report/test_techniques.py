import pytest

from perpend.report import techniques
from perpend.strategies import STRATEGIES
from tests.report.synthetic import results


@pytest.mark.parametrize("family", ["greedy", "majority", "best_of_n", "weighted_vote", "coverage"])
def test_every_family_of_ours_has_a_whole_card(family: str) -> None:
    title, lead, sections = techniques.parse(techniques._text(family))
    assert title
    assert lead
    assert [name for name, _ in sections] == ["How it works", "When to use it", "Known limits", "Sources"]
    assert "https://arxiv.org/abs/" in sections[-1][1]


def test_every_registered_strategy_has_a_card() -> None:
    for family in STRATEGIES._builtin:
        assert techniques.FALLBACK not in techniques._text(family), f"write report/techniques/{family}.md"


def test_a_third_party_s_strategy_shows_its_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        """Draw <b>twice</b>, think once (arXiv 2401.00001)."""

    monkeypatch.setattr(STRATEGIES, "load", lambda _: Theirs)
    body = techniques.parse(techniques._text("theirs"))[2][0][1]
    assert "Draw &lt;b&gt;twice&lt;/b&gt;, think once" in body
    assert 'href="https://arxiv.org/abs/2401.00001"' in body


def test_a_strategy_nobody_knows_says_so() -> None:
    assert "no docstring" in techniques._text("../../secrets")


def test_evidence_is_what_the_study_measured() -> None:
    study = results()
    card = next(c for c in techniques.cards(study) if c.family == "majority")
    last = next(c for c in study.tasks[0].curves if c.family == "majority").points[-1]
    assert [e.task for e in card.evidence] == ["arithmetic", "word_problems", "countdown"]
    assert card.evidence[0].accuracy.startswith(f"{100 * last.accuracy:.1f}")
    assert card.evidence[0].n == 16
