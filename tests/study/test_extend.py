"""A folder that is extended ends as if it had been drawn in one go, and a contradiction is refused and shown."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perpend.core import ConfigError, StoreError, Task
from perpend.study import EngineSpec, StudySpec, TaskSpec, load_results, problem_views, reevaluate, run_study
from perpend.study.results import Results
from perpend.tasks.simulated import Simulated
from perpend.verifiers.exact import Exact
from tests.study.studies import STRATEGIES, Watch, bought_calls, bought_tokens, rows, spec


def same_figures(a: Results, b: Results) -> None:
    assert a.tasks == b.tasks
    assert a.headlines == b.headlines
    assert a.findings == b.findings
    assert (bought_tokens(a), bought_calls(a)) == (bought_tokens(b), bought_calls(b))


async def test_studied_twice_nothing_is_bought_twice(tmp_path: Path) -> None:
    first = await run_study(spec(), tmp_path)
    watch = Watch()
    second = await run_study(spec(), tmp_path, watch)
    same_figures(first, second)
    assert watch.bought == []
    assert watch.blocks == (12, 12)
    assert watch.plans == [(12 * 7, 12 * 7, 12)]
    assert second.how.restarts == 0


MORE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "samples": ({"samples": 3}, {"samples": 6}),
    "problems": ({"problems": 5}, {"problems": 12}),
    "limit": ({"limit": 5}, {"limit": 9}),
    "strategies": ({"strategies": ("majority",)}, {"strategies": STRATEGIES}),
    "verifiers": ({"strategies": ("greedy", "best_of_n")}, {"strategies": STRATEGIES}),
    "all at once": ({"problems": 5, "samples": 2, "strategies": ("greedy",)}, {}),
}


@pytest.mark.parametrize("what", MORE)
async def test_an_extended_study_equals_one_drawn_in_one_go(tmp_path: Path, what: str) -> None:
    small, large = (spec(**changes) for changes in MORE[what])
    before = await run_study(small, tmp_path / "extended")
    watch = Watch()
    extended = await run_study(large, tmp_path / "extended", watch)
    whole_spec = (
        large if what != "verifiers" else large.model_copy(update={"strategies": ("greedy", "best_of_n", *STRATEGIES)})
    )
    whole = await run_study(whole_spec, tmp_path / "whole")
    by_name = {curve.strategy: curve for curve in whole.tasks[0].curves}
    assert {curve.strategy: curve for curve in extended.tasks[0].curves} == by_name
    assert (bought_tokens(extended), bought_calls(extended)) == (bought_tokens(whole), bought_calls(whole))
    assert len(watch.bought) == bought_calls(whole) - bought_calls(before)


async def test_more_engines_extend_a_study(tmp_path: Path) -> None:
    first = await run_study(spec(), tmp_path)
    fast = EngineSpec(use="simulated(tokens_per_second=500)", name="fast")
    both = await run_study(spec(engine="simulated").model_copy(update={"engine": (fast,)}), tmp_path)
    assert [engine.name for engine in both.engines] == ["simulated", "fast"]
    ours = [curve for curve in both.tasks[0].curves if curve.engine == "simulated"]
    assert ours == first.tasks[0].curves
    assert bought_calls(both) == 2 * bought_calls(first)


async def test_two_names_for_one_engine_share_its_samples(tmp_path: Path) -> None:
    engines = (EngineSpec(use="simulated", name="a"), EngineSpec(use="simulated", name="b"))
    results = await run_study(spec().model_copy(update={"engine": engines}), tmp_path)
    assert bought_calls(results) == 12 * 7
    of = {name: [c.points for c in results.tasks[0].curves if c.engine == name] for name in "ab"}
    accuracy = {name: next([p.accuracy for p in points] for points in of[name] if len(points) > 1) for name in "ab"}
    assert accuracy["a"] == accuracy["b"] != []
    assert len([view for view in problem_views(tmp_path) if view.engine == "b" and len(view.samples) == 7]) == 12


async def test_more_tasks_leave_the_first_as_it_was(tmp_path: Path) -> None:
    engine = (EngineSpec(use="simulated"),)
    (tmp_path / "mine.jsonl").write_text('{"id": "sim-9-0001", "question": "?", "answer": "4"}\n')
    one = spec(limit=5, temperature=0.9)
    first = await run_study(one, tmp_path / "s")
    mine = StudySpec(task=(TaskSpec(use=f"jsonl:{tmp_path}/mine.jsonl"),), engine=engine, strategies=("majority",))
    both = await run_study(mine.model_copy(update={"samples": 6}), tmp_path / "s")
    assert [task.task for task in both.tasks] == ["simulated", "jsonl"]
    assert both.tasks[0].curves == first.tasks[0].curves, "its limit and its temperature have stayed"
    assert both.tasks[1].problems == 1
    assert "0.9" in both.how.temperature


async def test_a_smaller_wish_keeps_what_is_there(tmp_path: Path) -> None:
    first = await run_study(spec(), tmp_path)
    second = await run_study(spec(samples=2, limit=3, strategies=("greedy",)), tmp_path)
    same_figures(first, second)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "seed: was 0, is now 1"),
        ({"temperature": 1.5}, "temperature: was 0.7, is now 1.5"),
        ({"max_tokens": 99}, "max_tokens: was 1024, is now 99"),
        ({"top_p": 0.5}, "top_p: was 1.0, is now 0.5"),
        ({"system": "Think."}, "messages: was .*, is now .*Think"),
        ({"engine": "simulated(failures=0.5)"}, "model of engine simulated: was .*, is now"),
        ({"task": (TaskSpec(use="simulated(seed=3)"),)}, "problems: were sim-0-.*, are now sim-3-"),
    ],
)
async def test_what_contradicts_the_folder_is_refused_with_the_difference(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    await run_study(spec(problems=3, samples=2), tmp_path)
    if "engine" in changes:
        changes = {"engine": (EngineSpec(use=changes["engine"], name="simulated"),)}
        (tmp_path / "study.toml").write_text(
            (tmp_path / "study.toml")
            .read_text()
            .replace('use = "simulated"\n', 'use = "simulated"\nname = "simulated"\n')
        )
    before = (
        (tmp_path / "study.toml").read_bytes(),
        rows(tmp_path, "SELECT * FROM samples"),
        rows(tmp_path, "SELECT * FROM run_engines"),
    )
    with pytest.raises(ConfigError, match=f"(?s)drawn otherwise.*{said}"):
        await run_study(spec(problems=3, samples=2).model_copy(update=changes), tmp_path)
    after = (
        (tmp_path / "study.toml").read_bytes(),
        rows(tmp_path, "SELECT * FROM samples"),
        rows(tmp_path, "SELECT * FROM run_engines"),
    )
    assert before == after
    await run_study(spec(problems=3, samples=2), tmp_path)


async def test_a_changed_problem_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    line = '{{"id": "sim-9-0001", "question": "?", "answer": "{}", "numbers": [1, [2]]}}\n'
    file.write_text(line.format(4))
    study = StudySpec(
        task=(TaskSpec(use=f"jsonl:{file}"),),
        engine=(EngineSpec(use="simulated"),),
        strategies=("majority",),
        samples=2,
    )
    await run_study(study, tmp_path / "s")
    file.write_text(line.format(4) + '{"id": "sim-9-0002", "question": "??", "answer": "5"}\n')
    assert (await run_study(study, tmp_path / "s")).tasks[0].problems == 2, "a problem more is fine"
    file.write_text(line.format(5))
    with pytest.raises(ConfigError, match="problem sim-9-0001 of jsonl is another one"):
        await run_study(study, tmp_path / "s")


async def test_reevaluation_needs_no_engine_and_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = await run_study(spec(), tmp_path)
    monkeypatch.setattr("perpend.study.study.build_engines", lambda plan: pytest.fail("an engine was built"))
    assert load_results(tmp_path) == results
    (tmp_path / "results.json").unlink()
    assert await reevaluate(tmp_path) == results
    assert load_results(tmp_path) == results
    assert sum(len(view.samples) for view in problem_views(tmp_path)) == 12 * 7


async def test_folders_without_a_study_are_refused_and_stay_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no results"):
        load_results(tmp_path)
    with pytest.raises(ConfigError, match="holds no study"):
        list(problem_views(tmp_path))
    with pytest.raises(ConfigError, match="holds no study"):
        await reevaluate(tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_start_that_was_cut_short_can_be_started_again(tmp_path: Path) -> None:
    (tmp_path / "traces.db").touch()  # killed before the schema was there
    (tmp_path / "study.partial").write_text("half a fi")
    (tmp_path / "study.toml").write_text(spec().to_toml())
    with pytest.raises(StoreError):
        await reevaluate(tmp_path)
    assert (await run_study(spec(), tmp_path)).tasks[0].problems == 12


async def test_a_study_whose_engine_never_ran_says_so(tmp_path: Path) -> None:
    await run_study(spec(), tmp_path)
    (tmp_path / "study.toml").write_text(
        spec().model_copy(update={"engine": (EngineSpec(use="simulated", name="other"),)}).to_toml()
    )
    with pytest.raises(StoreError, match="Engine other of this study has not run yet"):
        await reevaluate(tmp_path)


async def test_a_verifier_that_has_changed_scores_stored_samples_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = await run_study(spec(), tmp_path)
    init = Exact.__init__

    def changed(self: Exact, task: Task) -> None:
        init(self, task)
        self.fingerprint += "-2"

    monkeypatch.setattr(Exact, "__init__", changed)
    again = await reevaluate(tmp_path)
    assert again.tasks == results.tasks
    assert again.bought == results.bought, "no sample was needed"


async def test_a_report_refuses_a_folder_whose_prompts_this_perpend_would_write_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_study(spec(), tmp_path)
    render = Simulated.render
    monkeypatch.setattr(Simulated, "render", lambda self, p, style: replace(render(self, p, style), max_tokens=7))
    with pytest.raises(ConfigError, match=r"max_tokens: was .*, is now 7"):
        await reevaluate(tmp_path)


async def test_results_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    for content in ("{", '{"schema_version": 99}', "[]", "\0"):
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(StoreError, match="is not ours"):
            load_results(tmp_path)


async def test_what_is_left_unsaid_stays_as_it_was(tmp_path: Path) -> None:
    await run_study(spec(budget="tokens=1000000", strategies=("greedy",)), tmp_path)
    more = StudySpec(task=(TaskSpec(use="simulated(problems=12)"),), samples=8)
    await run_study(more, tmp_path)
    now = StudySpec.load(tmp_path / "study.toml")
    assert [engine.use for engine in now.engine] == ["simulated"], "no default engine is added"
    assert (now.strategies, now.samples, now.budget) == (("greedy",), 8, "tokens=1000000")


async def test_another_model_of_a_kind_needs_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run_study(spec(), tmp_path)
    other = EngineSpec(use="simulated(tokens_per_second=10)")
    study = StudySpec(task=(TaskSpec(use="simulated(problems=12)"),), engine=(other,))
    with pytest.raises(ConfigError, match=r"model of engine simulated: was .*To study both, name the new one"):
        await run_study(study, tmp_path)
    assert [engine.use for engine in StudySpec.load(tmp_path / "study.toml").engine] == ["simulated"]
    named = study.model_copy(update={"engine": (other.model_copy(update={"name": "slow"}),)})
    assert len((await run_study(named, tmp_path)).engines) == 2


async def test_an_engine_of_other_options_and_the_same_model_goes_on(tmp_path: Path) -> None:
    await run_study(spec(), tmp_path)
    paced = StudySpec(task=(TaskSpec(use="simulated(problems=12)"),), engine=(EngineSpec(use="simulated(pace=0)"),))
    assert [engine.name for engine in (await run_study(paced, tmp_path)).engines] == ["simulated"]
