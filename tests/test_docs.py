"""What the documents say is true: commands parse, quick ones run, the diff applies, the schema is the code's."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from perpend.api import quickstart
from perpend.cli.app import app
from perpend.cli.request import check_names
from perpend.study.resolve import make_plan
from perpend.study.results import Results
from perpend.study.spec import StudySpec

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/guide.md")


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(document: str) -> Iterator[list[str]]:
    """Every `perpend …` line of the shell blocks, without its comment."""
    for block in blocks(document, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["perpend"]:
                yield words[1:]


ALL = [(document, words) for document in DOCUMENTS for words in commands(document)]
QUICK = [
    words
    for _, words in ALL
    if "simulated" in words or words[0] in ("list", "doctor", "examples") or "runs/first" in words
]


UNTESTED = {"vllm"}
"""What wants a GPU, so that the suite has passed with no version of it that could be pinned."""


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run in a folder; returns stdout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PERPEND_")}
    done = subprocess.run(
        command, cwd=folder, env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documents' commands name."""
    folder = tmp_path_factory.mktemp("docs")
    for document in DOCUMENTS:
        for block in blocks(document, "python"):
            if match := re.match(r"# (\w+\.py)\n", block):
                (folder / match[1]).write_text(block, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("document", "words"), ALL, ids=[" ".join(words) for _, words in ALL])
def test_every_command_parses(document: str, words: list[str]) -> None:
    verb, *rest = words
    command = get_command(app).commands[verb]  # type: ignore[attr-defined]
    command.make_context(verb, rest)


@pytest.mark.slow
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_quick_commands_run(workplace: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(workplace)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.stdout


def test_study_files_are_studies() -> None:
    (text,) = blocks("docs/guide.md", "toml")
    check_names(StudySpec.of(tomllib.loads(text)))


def test_the_quickstart_can_be_planned() -> None:
    plan = make_plan(quickstart())
    assert [task.task.name for task in plan.tasks] == ["arithmetic", "word_problems", "countdown"]
    assert "best_of_n(verifier=check)" in plan.tasks[-1].strategies


@pytest.mark.slow
def test_the_readmes_python_runs(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    CliRunner().invoke(app, ["study", "--task", "simulated", "--engine", "simulated"])
    scripts = [block for block in blocks("README.md", "python") if "import" in block]
    assert len(scripts) == 2
    for script in scripts:
        exec(compile(script, "README.md", "exec"), {})
        assert "majority" in capsys.readouterr().out


def test_the_readme_has_the_two_commands_on_its_first_screen() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    assert "make study" in first
    assert "make test" in first
    assert "docs/report.png" in first


def test_what_the_documents_link_to_is_there() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "guide.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_make_names_its_targets() -> None:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    said = run(ROOT, "make")
    for target in ("study", "test", "test-fast", "check", "docs", "bench", "clean"):
        assert f"make {target}" in said


def test_the_schema_is_that_of_the_code() -> None:
    kept = json.loads((ROOT / "docs" / "results.schema.json").read_text(encoding="utf-8"))
    assert kept == Results.model_json_schema(), "run `make schema`"


@pytest.mark.slow
def test_the_strategy_of_contributing_is_added_by_its_diff(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (diff,) = blocks("CONTRIBUTING.md", "diff")
    (tmp_path / "shortest.diff").write_text(diff, encoding="utf-8")
    run(tmp_path, "git", "apply", "shortest.diff")
    study = ("study", "--task", "simulated(problems=12)", "--engine", "simulated", "-n", "4", "--json")
    with_it = {"PYTHONPATH": str(tmp_path / "src")}
    said = run(tmp_path, sys.executable, "-m", "perpend", *study, "--strategies", "majority,shortest", **with_it)
    curves = {curve["strategy"]: curve["points"] for curve in json.loads(said)["results"]["tasks"][0]["curves"]}
    assert [point["n"] for point in curves["shortest"]] == [1, 2, 3, 4]
    assert curves["shortest"][0]["accuracy"] == pytest.approx(curves["majority"][0]["accuracy"])
    ask = ("solve", "sim-0-0001", "--task", "simulated", "--engine", "simulated", "--strategy", "shortest(n=4)")
    answer = json.loads(run(tmp_path, sys.executable, "-m", "perpend", *ask, "--trace", "--json", **with_it))
    shortest = min(answer["trace"], key=lambda sample: sample["tokens"])
    assert answer["answer"] == shortest["answer"]


def test_every_pin_is_a_plain_version() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [*project["dependency-groups"].values(), *project["project"]["optional-dependencies"].values()]
    wanted = project["project"]["dependencies"] + [each for group in groups for each in group]
    pinned = {_plain(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()}
    assert {_plain(each) for each in wanted} - UNTESTED <= pinned


def _plain(requirement: str) -> str:
    return re.split(r"[=<>~! \[]", requirement)[0].lower().replace("_", "-").replace(".", "-")
