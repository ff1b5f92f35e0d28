"""Whether a plan extends what a folder holds, or contradicts it: then it is refused, with the difference shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields

from perpend.core import ConfigError, DrawnFrom, Problem, Prompt
from perpend.store import Store
from perpend.study.plan import Plan, PlannedTask

TAKE_BACK = "Use another --out, or take the change back; more samples, problems, tasks, engines, strategies are fine."
SHOWN = 60
"""Characters of a differing text that are shown."""


def check_compatible(plan: Plan, store: Store) -> None:
    """Compare seed, problems, prompts and sampling parameters with what is stored; no engine needs to run for that.

    Raises:
        ConfigError: names the first thing that differs, as it was and as it is now.
    """
    seed = store.setting("seed")
    if seed is not None and seed != str(plan.spec.seed):
        raise _refusal(f"seed: was {seed}, is now {plan.spec.seed}")
    for task in plan.tasks:
        _check_problems(task, store.problems(task.task.name))
        problems = {problem.id: problem for problem in task.problems}
        for stored in store.pools(task.task.name):
            before = stored.source
            if before.problem in problems and not before.prefix:
                _check_prompt(task, problems[before.problem], before)


def check_models(plan: Plan, fingerprints: Mapping[str, str], store: Store) -> None:
    """The same for the engines' models; `fingerprints` are theirs as they are now, by name. Raises ConfigError."""
    for task in plan.tasks:
        for stored in store.pools(task.task.name):
            _check_model(fingerprints.get(stored.source.engine), stored.source)


def _check_problems(task: PlannedTask, stored: Mapping[str, Problem]) -> None:
    """Those that are there as before must be the same, and if none is, the task is another one."""
    now = {problem.id: problem for problem in task.task.problems()}
    if stored and not stored.keys() & now.keys():
        raise _refusal(f"problems: were {_some(stored)}, are now {_some(now)}", task.task.name)
    for name in stored.keys() & now.keys():
        if _as_json(stored[name]) != _as_json(now[name]):
            raise _refusal(f"problem {name} of {task.task.name} is another one than before")


def _check_model(now: str | None, before: DrawnFrom) -> None:
    if now is not None and now != before.fingerprint:
        difference = f"model of engine {before.engine}: was {before.fingerprint:.16}, is now {now:.16}"
        raise _refusal(
            difference, remedy="To study both, name the new one: --engine NAME=ENGINE; else use another --out."
        )


def _check_prompt(task: PlannedTask, problem: Problem, before: DrawnFrom) -> None:
    """Against what the plan would draw of the same problem on the same engine, in the same way: greedy or sampled."""
    draws = {
        draw.temperature: draw
        for strategy in task.strategies.values()
        for draw in strategy.draws
        if draw.engine in (None, before.engine)
    }
    now = [task.prompt(problem, draw) for draw in draws.values()]
    alike = [prompt for prompt in now if (prompt.temperature == 0) == (before.prompt.temperature == 0)]
    if alike and before.prompt not in alike:
        raise _refusal("; ".join(_differences(before.prompt, alike[0])), task.task.name)


def _as_json(problem: Problem) -> str:
    """As the store keeps it: a tuple reads back as a list."""
    return json.dumps([dict(problem.data), problem.key], sort_keys=True)


def _some(names: Iterable[str]) -> str:
    return f"{min(names)}, …"


def _differences(before: Prompt, now: Prompt) -> Iterator[str]:
    for field in fields(Prompt):
        old, new = getattr(before, field.name), getattr(now, field.name)
        if old != new:
            yield f"{field.name}: was {_short(old, new)}, is now {_short(new, old)}"


def _short(value: object, other: object) -> str:
    """A value's repr, from shortly before where it begins to differ."""
    text, against = repr(value), repr(other)
    same = next((i for i, (a, b) in enumerate(zip(text, against, strict=False)) if a != b), 0)
    start = max(0, same - SHOWN // 4)
    return f"{'…' if start else ''}{text[start : start + SHOWN]}{'…' if len(text) > start + SHOWN else ''}"


def _refusal(difference: str, task: str | None = None, remedy: str = TAKE_BACK) -> ConfigError:
    where = f" ({task})" if task else ""
    return ConfigError(f"This folder was drawn otherwise{where}: {difference}.", remedy)
