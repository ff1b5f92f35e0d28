"""What goes wrong is one sentence and a remedy on stderr, and an exit code: 1 the job failed, 2 bad usage."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from perpend.cli.output import verb
from perpend.core import EngineError
from tests.cli.conftest import SMALL, Perpend

WRONG_NAMES = [
    (("study", "--task", "arithmetc"), "arithmetic"),
    (("study", *SMALL, "--strategies", "majorty"), "majority"),
    (("study", *SMALL, "--strategies", "best_of_n(verfier=check)"), "verifier"),
    (("study", "--task", "simulated", "--engine", "simulate"), "simulated"),
    (("solve", "1 + 1", "--strategy", "gredy"), "greedy"),
    (("solve", "1 + 1", "--task", "countdow"), "countdown"),
]
BAD_USAGE = [
    ("study", "--samples", "0"),
    ("study", "--samples", "many"),
    ("study", "--no-such-flag"),
    ("study", *SMALL, "--budget", "euros=5"),
    ("study", *SMALL, "--budget", "tokens=-1"),
    ("study", "missing.toml"),
    ("study", "--task", "simulated(problems=none)", "--engine", "simulated"),
    ("study", "--task", "not a name!"),
    ("report",),
    ("solve",),
    ("solve", "1 + 1", "--strategy", "coverage", "--engine", "simulated"),
    ("solve", "1 + 1", "--top-p", "0", "--engine", "simulated"),
    ("nothing",),
]


@pytest.mark.parametrize(("args", "meant"), WRONG_NAMES)
def test_a_wrong_name_suggests_the_closest(perpend: Perpend, args: tuple[str, ...], meant: str) -> None:
    result = perpend(*args)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("args", BAD_USAGE)
def test_bad_usage_exits_with_2_and_no_traceback(perpend: Perpend, args: tuple[str, ...]) -> None:
    result = perpend(*args)
    assert result.exit_code == 2, result.output
    assert result.stderr
    assert "Traceback" not in result.output


def test_a_folder_without_a_study_fails_the_job(perpend: Perpend) -> None:
    result = perpend("report", "nowhere")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 2


def test_nothing_is_left_behind_by_a_study_that_cannot_start(perpend: Perpend) -> None:
    from pathlib import Path

    perpend("study", *SMALL, "--strategies", "majorty", "--out", "x")
    assert not Path("x").exists()


def _command(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @verb(when_stopped="Run it again.")
    def run(debug: bool = False) -> None:
        raise error

    return app


def test_our_errors_say_what_and_what_to_do() -> None:
    result = CliRunner().invoke(_command(EngineError("The engine is lost.", "Start it again.")), [])
    assert (result.exit_code, result.stderr) == (1, "The engine is lost.\nStart it again.\n")


def test_a_bug_asks_for_a_report() -> None:
    result = CliRunner().invoke(_command(KeyError("x")), [])
    assert result.exit_code == 1
    assert "--debug" in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback() -> None:
    assert isinstance(CliRunner().invoke(_command(KeyError("x")), ["--debug"]).exception, KeyError)


def test_a_full_disk_is_one_sentence() -> None:
    result = CliRunner().invoke(_command(OSError(28, "No space left on device", "traces.db")), [])
    assert result.exit_code == 1
    assert result.stderr.startswith("No space left on device: traces.db.")


def test_ctrl_c_says_how_to_go_on() -> None:
    result = CliRunner().invoke(_command(KeyboardInterrupt()), [])
    assert (result.exit_code, result.stderr) == (130, "Stopped.\nRun it again.\n")
