"""Whether a plan extends what a folder holds, or contradicts it: then it is refused, with the difference shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from perpend.core import ConfigError, DrawnFrom, Engine, Problem, Prompt
from perpend.store import Store
from perpend.study.plan import Plan, PlannedTask

SHOWN = 60
"""Characters of a differing text that are shown."""


def check_compatible(plan: Plan, engines: Mapping[str, Engine], store: Store) -> None:
    """Compare seed, problems, prompts, sampling parameters and models with what is stored.

    Raises:
        ConfigError: names the first thing that differs, as it was and as it is now.
    """
    seed = store.setting("seed")
    if seed is not None and seed != str(plan.spec.seed):
        raise _refusal(f"seed: was {seed}, is now {plan.spec.seed}")
    for task in plan.tasks:
        _check_problems(task, store.problems(task.task.name))
        for stored in store.pools(task.task.name):
            _check_pool(task, engines, stored.source)


def _check_problems(task: PlannedTask, stored: Mapping[str, Problem]) -> None:
    for problem in task.problems:
        before = stored.get(problem.id)
        if before is not None and (dict(before.data), before.key) != (dict(problem.data), problem.key):
            raise _refusal(f"problem {problem.id} of {task.task.name} is another one than before")


def _check_pool(task: PlannedTask, engines: Mapping[str, Engine], before: DrawnFrom) -> None:
    """What the plan would draw of the same problem on the same engine, in the same way: greedy or sampled."""
    problem = next((p for p in task.problems if p.id == before.problem), None)
    engine = engines.get(before.engine)
    if problem is None or engine is None:
        return
    if engine.fingerprint != before.fingerprint:
        raise _refusal(
            f"model of engine {before.engine}: was {before.fingerprint:.16}, is now {engine.fingerprint:.16}"
        )
    draws = {draw for strategy in task.strategies.values() for draw in strategy.draws}
    now = [task.prompt(problem, draw) for draw in draws if draw.engine in (None, before.engine)]
    alike = [prompt for prompt in now if (prompt.temperature == 0) == (before.prompt.temperature == 0)]
    if alike and before.prompt not in alike:
        raise _refusal("; ".join(_differences(before.prompt, alike[0])), task.task.name)


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


def _refusal(difference: str, task: str | None = None) -> ConfigError:
    where = f" ({task})" if task else ""
    return ConfigError(
        f"This folder was drawn otherwise{where}: {difference}.",
        "Use another --out, or take the change back; more samples, problems, tasks, engines, strategies are fine.",
    )
