"""A study file is read strictly, and what a study becomes is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perpend.core import GREEDY, SAMPLED, ConfigError
from perpend.study import EngineSpec, StudySpec, TaskSpec
from perpend.study.resolve import make_plan, visit_order
from perpend.tasks.simulated import Simulated
from tests.study.studies import spec


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "task"),
        ({"task": []}, "at least one of tasks"),
        ({"task": [{"use": "simulated"}], "engine": []}, "at least one of engines"),
        ({"task": [{"use": "simulated"}], "strategies": []}, "at least one of strategies"),
        ({"task": [{"use": "simulated"}], "sampels": 3}, "sampels"),
        ({"task": [{"use": "simulated", "temprature": 3}]}, "task.0.temprature"),
        ({"task": [{"use": "simulated"}], "samples": 0}, "samples"),
        ({"task": [{"use": "simulated"}], "temperature": -1}, "temperature"),
        ({"task": [{"use": "simulated"}], "seed": -1}, "seed"),
        ({"task": [{"use": "simulated"}], "thinking_tokens": 0}, "thinking_tokens"),
        ({"task": [{"use": "simulated"}], "budget": "tokens=lots"}, "tokens=lots"),
        ({"task": [{"use": "simulated"}], "per_problem": "euro=3"}, "euro=3"),
    ],
)
def test_a_mistake_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StudySpec.of(values)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"title = \xff")
    for path in (tmp_path / "missing.toml", tmp_path / "bad.toml", tmp_path):
        with pytest.raises(ConfigError, match=path.name):
            StudySpec.load(path)


def test_toml_reads_back(tmp_path: Path) -> None:
    study = spec(temperature=0.5, thinking_tokens=64, logprobs=5, budget="tokens=1e6", title='A "study" of é', limit=3)
    (tmp_path / "s.toml").write_text(study.to_toml())
    assert StudySpec.load(tmp_path / "s.toml") == study


def test_a_tasks_thinking_budget_is_its_own_and_its_prompts_carry_it() -> None:
    tasks = (TaskSpec(use="simulated"), TaskSpec(use="arithmetic", style="chat", thinking_tokens=32))
    study = spec(task=tasks, thinking_tokens=64, strategies=("greedy", "majority"))
    plan = make_plan(study)
    for task, tokens in zip(plan.tasks, (64, 32), strict=True):
        assert {task.prompt(task.problems[0], draw).thinking_tokens for draw in (GREEDY, SAMPLED)} == {tokens}


def test_a_block_without_a_thinking_budget_keeps_the_name_that_it_had_before_there_was_one() -> None:
    values = {"task": [{"use": "simulated"}], "engine": [{"use": "simulated"}], "max_tokens": 77}
    plain, bounded = make_plan(StudySpec.of(values)), make_plan(StudySpec.of({**values, "thinking_tokens": 64}))
    assert plain.digest(plain.tasks[0]) == "2ffa126c8cd7d62233e10056c4709b07"
    assert bounded.digest(bounded.tasks[0]) != plain.digest(plain.tasks[0])
    looked_at = make_plan(StudySpec.of({**values, "logprobs": 5}))
    assert looked_at.digest(looked_at.tasks[0]) == plain.digest(plain.tasks[0])


def test_extending_keeps_what_a_new_spec_does_not_name() -> None:
    older = spec(temperature=0.9, limit=5, title="Mine", strategies=("greedy",))
    task = TaskSpec(use="countdown")
    newer = StudySpec(task=(task,), engine=(EngineSpec(use="embedded"),), strategies=("majority",), samples=2)
    both = newer.extend(older)
    assert both.task == (older.task[0].model_copy(update={"temperature": 0.9, "limit": 5}), task)
    assert [engine.use for engine in both.engine] == ["simulated", "embedded"]
    assert both.strategies == ("greedy", "majority")
    assert (both.samples, both.title, both.temperature, both.limit) == (6, "Mine", None, None)
    assert both.extend(both) == both
    assert newer.extend(both) == both


@pytest.mark.parametrize(("older", "newer", "limit"), [(5, 9, 9), (9, 5, 9), (None, 5, None), (5, None, None)])
def test_a_limit_only_grows(older: int | None, newer: int | None, limit: int | None) -> None:
    assert spec(limit=newer).extend(spec(limit=older)).task[0].limit == limit


def test_visit_order_depends_on_the_seed_alone() -> None:
    few, many = Simulated(20).problems(), Simulated(60).problems()
    order = visit_order(many, 0)
    kept = [problem for problem in order if problem in few]
    assert kept == visit_order(few, 0) == visit_order(few[::-1], 0)
    assert kept != visit_order(few, 1)
    assert kept != few


def test_blocks_go_round_robin_over_tasks() -> None:
    study = StudySpec(
        task=(TaskSpec(use="simulated(problems=3)"), TaskSpec(use="countdown(problems=1)")),
        engine=(EngineSpec(use="simulated"),),
        strategies=("majority",),
    )
    assert [task for task, _ in (block.name for block in make_plan(study).blocks())] == [
        "simulated",
        "countdown",
        "simulated",
        "simulated",
    ]


def test_two_tasks_or_engines_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="Two tasks are called 'simulated'"):
        make_plan(spec(task=(TaskSpec(use="simulated"), TaskSpec(use="simulated(seed=1)"))))
    with pytest.raises(ConfigError, match="Two engines are called 'x'"):
        make_plan(spec().model_copy(update={"engine": (EngineSpec(use="simulated", name="x"),) * 2}))
    plan = make_plan(spec().model_copy(update={"engine": (EngineSpec(use="simulated"),) * 2}))
    assert list(plan.engines) == ["simulated", "simulated-2"]


def test_a_study_asks_in_its_style_where_a_task_can() -> None:
    study = spec(
        task=(TaskSpec(use="simulated"), TaskSpec(use="countdown")), style="few-shot", strategies=("majority",)
    )
    assert [task.style for task in make_plan(study).tasks] == ["chat", "few-shot"]
    with pytest.raises(ConfigError, match="No task can be asked in style 'verse'"):
        make_plan(spec(style="verse"))
    with pytest.raises(ConfigError, match="Task simulated cannot be asked in style 'few-shot'"):
        make_plan(spec(task=(TaskSpec(use="simulated", style="few-shot"),)))


def test_a_larger_n_than_the_pool_is_refused() -> None:
    with pytest.raises(ConfigError, match="wants more samples a problem than the study's 6"):
        make_plan(spec(strategies=("majority(n=7)",)))


def test_a_budget_written_otherwise_is_the_same_plan() -> None:
    plans = [make_plan(spec(per_problem=text)) for text in ("tokens=1000", "tokens=1e3", " tokens = 1_000 ")]
    assert len({plan.digest(plan.tasks[0]) for plan in plans}) == 1
