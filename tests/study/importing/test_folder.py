"""An imported folder is a study's folder: reported, extended and played again, with nothing invented."""

import json
from pathlib import Path

import numpy as np
import pytest

from perpend.api import make_spec
from perpend.core import ConfigError, Probe, SampleKey, TaskError
from perpend.engines.replay import ReplayEngine
from perpend.store import Store
from perpend.study import StudySpec, load_results, problem_views, reevaluate, run_study
from perpend.study.importing import import_file, preview_file
from perpend.study.pools import load_pools
from perpend.study.record import engines_of
from perpend.study.resolve import make_plan
from perpend.study.results import Curve, Results
from perpend.tasks.imported import Imported
from tests.study.importing.files import MAP, SAMPLES, write


def imported(folder: Path, rows, columns: str = MAP, answer: str | None = None) -> Path:
    import_file(preview_file(write(folder, "rows.jsonl", rows), [columns], answer), folder / "out")
    return folder / "out"


def curve(results: Results, strategy: str, engine: str | None = None) -> Curve:
    (found,) = [
        each for task in results.tasks for each in task.curves
        if each.strategy == strategy and engine in (None, each.engine)
    ]  # fmt: skip
    return found


def accuracies(results: Results, strategy: str) -> list[float]:
    return [point.accuracy for point in curve(results, strategy).points]


async def test_a_report_has_every_strategy_that_the_fields_allow(tmp_path):
    results = await reevaluate(imported(tmp_path, SAMPLES))
    (task,) = results.tasks
    assert (task.unit, task.problems, task.grader) == ("tokens", 2, "exact")
    assert accuracies(results, "coverage") == pytest.approx([(2 / 3 + 1 / 3) / 2, (1 + 2 / 3) / 2, 1.0])
    assert accuracies(results, "majority")[2] == pytest.approx(0.75), "b's only two answers tie"
    assert accuracies(results, "best_of_n(verifier=rm)")[2] == 0.5
    assert curve(results, "majority").points[0].tokens == pytest.approx((18 / 3 + 16 / 3) / 2)
    said = " ".join(finding.sentence for finding in results.findings)
    assert "best_of_n(verifier=logprob) was left out on rows. Verifier logprob has no opinion" in said
    assert "greedy was left out on rows. Engine imported has no greedy sample of it." in said
    assert "tokens of prompts were not recorded" in said
    assert results.bought == []


async def test_what_was_not_recorded_is_null(tmp_path):
    folder = imported(tmp_path, SAMPLES, "problem=problem,key=gold,answer=answer")
    results = await reevaluate(folder)
    (task,) = results.tasks
    (counts,) = task.counts
    assert task.unit == "samples"
    assert (counts.samples, counts.answered) == (6, 5 / 6)
    assert (counts.truncated, counts.failed, counts.mean_completion_tokens, counts.prompt_tokens) == (None,) * 4
    for point in curve(results, "majority").points:
        assert (point.samples, point.tokens, point.flops, point.latency_seconds) == (point.n, None, None, None)
        assert point.cost_per_correct.tokens is None
    assert {each.budget for each in task.recommendations} == {1.0, 2.0, 3.0}
    assert all(each.cost <= each.budget for each in task.recommendations)
    (first, *_) = problem_views(folder)
    assert {(sample.tokens, sample.seconds) for sample in first.samples} == {(None, None)}
    assert "short_m_at_k needs tokens" in " ".join(finding.sentence for finding in results.findings)


async def test_verdicts_grade_where_there_is_no_key(tmp_path):
    rows = [{"p": "a", "said": text, "ok": ok} for text, ok in (("x", 1), ("y", 0), ("x", 1), ("z", 0))]
    results = await reevaluate(imported(tmp_path, rows, "problem=p,answer=said,correct=ok"))
    assert results.tasks[0].grader == "verdicts"
    assert accuracies(results, "majority")[-1] == 1.0
    assert accuracies(results, "coverage")[0] == 0.5


async def test_a_verdict_goes_before_the_key_and_the_key_fills_in(tmp_path):
    rows = [{"p": "a", "said": "1", "gold": "1", "ok": 0}, {"p": "a", "said": "1", "gold": "1", "ok": None}]
    results = await reevaluate(imported(tmp_path, rows, "problem=p,answer=said,key=gold,correct=ok"))
    assert accuracies(results, "coverage")[0] == 0.5


async def test_counts_alone_give_coverage_at_every_n(tmp_path):
    rows = [{"p": "a", "n": 1000, "c": 1}, {"p": "b", "n": 1000, "c": 500}]
    results = await reevaluate(imported(tmp_path, rows, "problem=p,n=n,c=c"))
    assert [each.strategy for each in results.tasks[0].curves] == ["coverage"]
    found = accuracies(results, "coverage")
    assert (len(found), found[0], found[-1]) == (1000, pytest.approx(0.2505), 1.0)
    assert found[9] == pytest.approx((0.01 + 1 - np.prod([(500 - i) / (1000 - i) for i in range(10)])) / 2)
    assert results.tasks[0].counts[0].samples == 2000


async def test_counts_cannot_be_played_again(tmp_path):
    folder = imported(tmp_path, [{"p": "a", "n": 10, "c": 1}], "problem=p,n=n,c=c")
    with pytest.raises(ConfigError, match="only counts are stored"):
        await ReplayEngine(str(folder)).start()


async def test_problems_may_have_different_numbers_of_samples(tmp_path):
    results = await reevaluate(imported(tmp_path, SAMPLES[:-1]))
    assert results.tasks[0].problems == 2
    assert accuracies(results, "coverage") == pytest.approx([(2 / 3 + 1 / 2) / 2, 1.0, 1.0])


async def test_several_tasks_and_models_are_each_studied_where_they_have_samples(tmp_path):
    rows = [
        {"set": s, "m": m, "p": p, "ok": int(m == "new")}
        for s, models in (("one", ("old", "new")), ("two", ("new",)))
        for m in models
        for p in "ab"
    ]
    results = await reevaluate(imported(tmp_path, rows, "task=set,model=m,problem=p,correct=ok"))
    assert [(task.task, [each.engine for each in task.counts]) for task in results.tasks] == [
        ("one", ["old", "new"]), ("two", ["new"]),
    ]  # fmt: skip
    assert {each.engine: each.points[0].accuracy for each in results.tasks[0].curves if each.family == "coverage"} == {
        "old": 0.0, "new": 1.0,
    }  # fmt: skip


PROBED = [
    {"p": "a", "gold": "7", "said": "7", "tokens": 1300, "along": ["5", "7.0"]},
    {"p": "a", "gold": "7", "said": "5", "tokens": 400, "along": []},
    {"p": "a", "gold": "7", "said": None, "tokens": 1600, "along": ["ERR", None, "9"]},
]
PROBES = "problem=p,key=gold,answer=said,completion_tokens=tokens,probes=along,probe_every=500"


async def test_probes_become_arrays_graded_and_past_the_end_the_final_answer(tmp_path):
    folder = imported(tmp_path, PROBED, PROBES, r"^(?!ERR$)(.+)$")
    await reevaluate(folder)
    plan = make_plan(StudySpec.load(folder / "study.toml"), folder)
    with Store(folder) as store:
        pools = load_pools(plan, plan.tasks[0], engines_of(plan, store), store)
        assert store.probes()[SampleKey(next(iter(store.sample_counts())), 0)] == {
            500: Probe("5", "5"), 1000: Probe("7.0", "7"),
        }  # fmt: skip
    (pool,) = pools["imported"].pools.values()
    assert pool.probes is not None
    seven, five, nine = (int(pool.keys[0, 0]), int(pool.keys[0, 1]), 2)
    assert pool.probes.every == 500
    assert pool.probes.keys[0].tolist() == [[five, seven, seven], [five] * 3, [-1, -1, nine]]
    assert pool.probes.correct[0].tolist() == [[False, True, True], [False] * 3, [False] * 3]


async def test_a_folder_is_played_again_as_it_was(tmp_path):
    folder = imported(tmp_path, [*PROBED, {**PROBED[0], "p": "b", "said": "3"}], PROBES)
    first = await reevaluate(folder)
    spec = make_spec(None, {"engine": [f"imported=replay:{folder}"]}, tmp_path / "again")
    again = await run_study(spec, tmp_path / "again")
    for each in first.tasks[0].curves:
        played = curve(again, each.strategy).points
        assert [(p.accuracy, p.tokens) for p in played] == [(p.accuracy, p.tokens) for p in each.points]
    with Store(folder) as old, Store(tmp_path / "again") as new:
        assert new.probes() == old.probes()
        assert [(s.answer, s.key) for s in new.samples()] == [(s.answer, s.key) for s in old.samples()]
    fewer = make_spec(None, {"engine": [f"replay:{folder}"], "samples": 2, "strategies": "majority"}, tmp_path / "few")
    assert [p.n for p in curve(await run_study(fewer, tmp_path / "few"), "majority").points] == [1, 2]


async def test_verdicts_and_scores_follow_into_a_replay(tmp_path):
    rows = [{"p": p, "ok": int(i == 1), "s": i} for p in "ab" for i in range(3)]
    folder = imported(tmp_path, rows, "problem=p,correct=ok,score.rm=s")
    spec = make_spec(None, {"engine": [f"replay:{folder}"]}, tmp_path / "again")
    results = await run_study(spec, tmp_path / "again")
    assert accuracies(results, "coverage") == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert accuracies(results, "best_of_n(verifier=rm)") == pytest.approx([1 / 3, 1 / 3, 0.0])


async def test_more_samples_than_there_are_and_live_engines_without_prompts_are_refused(tmp_path):
    folder = imported(tmp_path, SAMPLES, "problem=problem,key=gold,answer=answer")
    task = f"imported:{folder}"
    with pytest.raises(ConfigError, match="came without prompts"):
        make_plan(make_spec(None, {"task": [task], "engine": ["simulated"]}))
    with pytest.raises(ConfigError, match="no samples of task simulated"):
        make_plan(make_spec(None, {"task": ["simulated"], "engine": [f"replay:{folder}"]}))
    with pytest.raises(ConfigError, match="has no task 'other'"):
        Imported(f"{folder}#other")
    with pytest.raises(ConfigError, match="holds no study"):
        Imported(str(tmp_path / "nowhere"))


async def test_a_folder_may_be_moved_and_reported_from_anywhere(tmp_path, monkeypatch):
    folder = imported(tmp_path, SAMPLES)
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    results = await reevaluate(moved)
    assert load_results(moved) == results
    assert json.loads((moved / "results.json").read_text())["engines"][0]["holds"] == ["answers", "tokens"]


async def test_a_drawn_folder_is_not_an_imported_task(tmp_path):
    spec = make_spec(None, {"task": ["simulated(problems=2)"], "engine": ["simulated"], "samples": 2}, tmp_path / "s")
    await run_study(spec, tmp_path / "s")
    with pytest.raises(TaskError, match="holds nothing imported"):
        Imported(str(tmp_path / "s"))
