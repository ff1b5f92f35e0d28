"""The help: complete, quick, and true about environment variables."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from perpend.cli.app import app
from tests.cli.conftest import Perpend

VERBS = ("study", "report", "solve", "list", "doctor", "fetch")
NOT_OURS = {"help", "install_completion", "show_completion", "version"}


def test_help_names_every_verb(perpend: Perpend) -> None:
    result = perpend("--help")
    assert result.exit_code == 0
    assert all(verb in result.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_has_json_and_debug(perpend: Perpend, verb: str) -> None:
    result = perpend(verb, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert "--debug" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_has_an_environment_variable_of_its_name(verb: str) -> None:
    command = get_command(app).commands[verb]  # type: ignore[attr-defined]
    for option in (p for p in command.params if p.param_type_name == "option" and p.name not in NOT_OURS):
        long = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
        assert option.envvar == f"PERPEND_{long}", option.opts


def test_study_help_names_the_columns_of_files(perpend: Perpend) -> None:
    said = perpend("study", "--help").stdout
    assert "jsonl:FILE" in said
    assert "question" in said
    assert "answer" in said


def test_help_imports_nothing_heavy() -> None:
    code = "import perpend.cli.app, sys; print([m for m in sys.modules if m in {'numpy','pydantic','perpend.core'}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version(perpend: Perpend) -> None:
    result = perpend("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("perpend ")


def test_no_arguments_show_the_help(perpend: Perpend) -> None:
    assert "Usage" in perpend().output


@pytest.mark.parametrize(
    ("typed", "position", "offered"),
    [
        ("perpend st", 1, "study"),
        ("perpend study --str", 2, "--strategies"),
        ("perpend study --task count", 3, "countdown"),
        ("perpend study --strategies greedy,maj", 3, "greedy,majority"),
        ("perpend list v", 2, "verifiers"),
    ],
)
def test_the_shell_completes_verbs_flags_and_names(typed: str, position: int, offered: str) -> None:
    env = {"_PERPEND_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    code = "from perpend.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert offered in done.stdout.splitlines()
