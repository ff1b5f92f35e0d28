"""`perpend import`, `examples`, and what can be done with their folders, as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Perpend
from tests.study.importing.files import MAP, SAMPLES, write


def test_a_file_is_imported_reported_and_played_again(perpend: Perpend, tmp_path: Path) -> None:
    file = write(tmp_path, "rows.csv", SAMPLES)
    said = perpend("import", str(file), "--map", MAP, "--out", "mine")
    assert said.exit_code == 0, said.output
    for words in ("completion_tokens", "6 rows: 6 samples of 2 problems, up to 3 each.", "Next: perpend report mine"):
        assert words in said.stdout
    report = perpend("report", "mine")
    assert report.exit_code == 0, report.output
    assert "best_of_n(verifier=rm)" in report.stdout
    assert (tmp_path / "mine" / "report.html").stat().st_size > 100_000
    again = perpend("study", "--engine", "replay:mine", "--strategies", "majority,coverage", "-n", "2", "--json")
    assert again.exit_code == 0, again.output
    results = json.loads(again.stdout)["results"]
    assert json.loads(again.stdout)["folder"] == "runs/mine-replay"
    assert [task["task"] for task in results["tasks"]] == ["rows"]
    assert [len(curve["points"]) for curve in results["tasks"][0]["curves"]] == [2, 2]


def test_a_dry_run_shows_and_writes_nothing(perpend: Perpend, tmp_path: Path) -> None:
    rows = [*SAMPLES, *({"problem": None, "answer": "1", "gold": "2"} for _ in range(5))]
    said = perpend("import", str(write(tmp_path, "rows.jsonl", rows)), "--dry-run")
    assert said.exit_code == 0, said.output
    assert "Columns were guessed by their names" in said.stdout
    assert "5 places hold no sample that can be used:" in said.stdout
    assert said.stdout.count("it names no problem") == 3
    assert "Nothing was written" in said.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_json_has_the_same(perpend: Perpend, tmp_path: Path) -> None:
    said = perpend("import", str(write(tmp_path, "rows.jsonl", SAMPLES)), "--map", MAP, "--json")
    told = json.loads(said.stdout)
    assert (told["folder"], told["samples"], told["tasks"], told["left_out"]) == ("runs/rows", 6, {"rows": 2}, [])
    assert told["models"] == {"imported": ["answers", "tokens"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.jsonl",),
        ("rows.jsonl", "--map", "key=nope,answer=answer,problem=problem"),
        ("rows.jsonl", "--map", "gold"),
        ("rows.jsonl", "--answer", "("),
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_sentence_and_a_remedy(perpend: Perpend, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(tmp_path, "rows.jsonl", SAMPLES)
    said = perpend("import", *arguments)
    assert said.exit_code == 2
    first, remedy = said.stderr.strip().split("\n")
    assert first.endswith(".")
    assert remedy.endswith(".")


def test_examples_are_listed_and_stand_for_folders(perpend: Perpend, tmp_path: Path) -> None:
    cached = {"PERPEND_CACHE": str(tmp_path / "cache")}
    assert "gpqa-genrm" in perpend("examples").stdout
    assert {each["licence"] for each in json.loads(perpend("examples", "--json").stdout)} == {"MIT", "Apache-2.0"}
    report = perpend("report", "example:qwen-math-rm", env=cached)
    assert report.exit_code == 0, report.output
    assert str(tmp_path / "cache") in report.stdout
    study = ("study", "--engine", "replay:example:qwen-math-rm", "--strategies", "majority", "-n", "4")
    played = perpend(*study, env=cached)
    assert played.exit_code == 0, played.output
    assert (tmp_path / "runs" / "example-qwen-math-rm-replay" / "report.html").exists()
    assert perpend("report", "example:nope").exit_code == 2
