"""Which problems are complete: all that the plan draws for them is stored, or their own cap has ended them."""

from __future__ import annotations

from collections.abc import Mapping

from perpend.core import Draw, Problem, pool_key
from perpend.store import Store
from perpend.study.plan import Block, Plan, PlannedTask


def complete_problems(plan: Plan, task: PlannedTask, fingerprints: Mapping[str, str], store: Store) -> set[str]:
    """The ids of a task's complete problems; `fingerprints` are the engines', by name."""
    ended = {problem for of, problem in store.complete_blocks(plan.digest(task)) if of == task.task.name}
    stored = store.sample_counts()
    whole = stored.keys() | store.counts().keys()

    def is_there(block: Block, draw: Draw, engine: str) -> bool:
        pool = pool_key(block.source(draw, engine, fingerprints[engine]))
        return stored.get(pool, 0) >= plan.size(draw) or (plan.plays_itself(engine) and pool in whole)

    wanted = [(draw, engine) for engine, draws in plan.draws(task).items() for draw in draws]
    return ended | {
        problem.id
        for problem in task.problems
        if all(is_there(Block(task, problem), draw, engine) for draw, engine in wanted)
    }


def complete_prefix(plan: Plan, task: PlannedTask, fingerprints: Mapping[str, str], store: Store) -> list[Problem]:
    """The longest run of problems, in visit order, that are complete on every engine."""
    complete = complete_problems(plan, task, fingerprints, store)
    missing = next((i for i, problem in enumerate(task.problems) if problem.id not in complete), len(task.problems))
    return list(task.problems[:missing])
