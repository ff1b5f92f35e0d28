"""What goes wrong is one sentence and a remedy on stderr, and an exit code: 1 the job failed, 2 bad usage."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from perpend.cli.output import verb
from perpend.core import ConfigError, EngineError
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


ABSENT = [
    ("study", "missing.toml"),
    ("study", "--engine", "simulated", "--task", "jsonl:missing.jsonl"),
    ("study", "--engine", "simulated", "--task", "csv:/"),
    ("study", *SMALL, "--verifier", "missing.py:score"),
    ("study", *SMALL, "--price", "missing.toml"),
    ("study", "--task", "simulated", "--engine", "replay:missing"),
    ("study", "--task", "simulated", "--engine", "embedded:missing.gguf"),
    ("solve", "1 + 1", "--engine", "embedded:missing.gguf"),
    ("solve", "1 + 1", "--engine", "replay:missing"),
    ("solve", "1 + 1", "--engine", "simulated", "--task", "jsonl:missing.jsonl"),
    ("report", "missing"),
]


@pytest.mark.parametrize("args", ABSENT, ids=" ".join)
def test_a_file_that_is_missing_is_bad_usage_in_one_sentence_and_a_remedy(
    perpend: Perpend, args: tuple[str, ...]
) -> None:
    result = perpend(*args)
    assert result.exit_code == 2, result.output
    sentence, remedy = [line for line in result.stderr.splitlines() if not line.endswith("…")]
    assert args[-1].removesuffix(":score").rpartition(":")[2] in sentence
    assert remedy


def test_nothing_is_left_behind_by_a_study_that_cannot_start(perpend: Perpend) -> None:
    from pathlib import Path

    perpend("study", *SMALL, "--strategies", "majorty", "--out", "x")
    assert not Path("x").exists()


def _command(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @verb(when_stopped="Run it again.")
    def run(debug: bool = False, as_json: bool = False) -> None:
        raise error

    return app


def test_our_errors_say_what_and_what_to_do() -> None:
    result = CliRunner().invoke(_command(EngineError("The engine is lost.", "Start it again.")), [])
    assert (result.exit_code, result.stderr) == (1, "The engine is lost.\nStart it again.\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (EngineError("The engine is lost.", "Start it again."), 1, ["The engine is lost.", "Start it again."]),
        (ConfigError("No such task.", "See the list."), 2, ["No such task.", "See the list."]),
        (OSError(28, "No space left on device", "x.db"), 1, ["No space left on device: x.db.", "Nothing was damaged."]),
        (KeyboardInterrupt(), 130, ["Stopped.", "Run it again."]),
    ],
)
def test_with_json_an_error_is_one_value_on_stdout(error: BaseException, code: int, said: list[str]) -> None:
    result = CliRunner().invoke(_command(error), ["--as-json"])
    assert result.exit_code == code
    assert json.loads(result.stdout) == {"error": said[0], "remedy": said[1]}
    assert result.stderr == ""


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
