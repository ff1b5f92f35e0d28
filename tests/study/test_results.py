"""results.json is for other people's scripts: it follows its schema, and reads back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from perpend.study import Results, load_results, run_study
from perpend.study.spec import StudySpec
from tests.study.studies import spec

ROOT = Path(__file__).parents[2]


async def test_what_is_written_follows_the_schema_in_the_repository(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs" / "results.schema.json").read_text())
    assert schema == Results.model_json_schema(), "run `make schema`"
    for name, study in {
        "plain": spec(),
        "nothing": spec(budget="samples=0"),
        "wrong": spec(engine="simulated(failures=1.0)"),
        "capped": spec(per_problem="tokens=10"),
    }.items():
        results = await run_study(study, tmp_path / name)
        written = json.loads((tmp_path / name / "results.json").read_text())
        jsonschema.validate(written, schema)
        assert load_results(tmp_path / name) == results
        assert Results.model_validate(written) == results


async def test_a_curve_has_the_points_that_scripts_rely_on(tmp_path: Path) -> None:
    await run_study(spec(), tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    point = written["tasks"][0]["curves"][1]["points"][2]
    names = ["n", "accuracy", "low", "high", "tokens", "flops", "usd", "latency_seconds", "device_seconds"]
    assert [name for name in names if name not in point] == []
    assert point["n"] == 3
    assert point["cost_per_correct"]["tokens"]["value"] > 0


async def test_how_it_was_run_can_be_run_again(tmp_path: Path) -> None:
    first = await run_study(spec(seed=5), tmp_path / "a", command="perpend study --seed 5")
    again = await run_study(StudySpec.load(tmp_path / "a" / "study.toml"), tmp_path / "b")
    assert again.tasks == first.tasks
    assert (first.how.command, first.how.seed, first.how.samples) == ("perpend study --seed 5", 5, 6)
    assert first.how.versions["perpend"]
    assert first.how.hardware["cores"]
    other = await run_study(spec(seed=6), tmp_path / "c")
    assert other.tasks != first.tasks


async def test_shares_add_up(tmp_path: Path) -> None:
    results = await run_study(spec(engine="simulated(failures=0.3)", max_tokens=60), tmp_path)
    (counts,) = results.tasks[0].counts
    assert counts.samples == 12 * 7
    assert counts.answered + counts.truncated + counts.failed <= 1
    assert min(counts.answered, counts.truncated, counts.failed) > 0
