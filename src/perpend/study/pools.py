"""From the store to arrays: one `Pool` for each draw on each engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perpend.core import Draw, Pool, Pools, Problem, Sample, SampleKey, Score
from perpend.store import Store
from perpend.study.plan import Plan, PlannedTask

RIGHT = 0.5
"""A grader's value from which an answer is right."""


@dataclass(frozen=True)
class TaskPools:
    """A task's samples on one engine.

    Attributes:
        problems: those in the figures, in visit order.
        pools: by draw.
        samples: by draw, problem by problem.
        correct: the grader's verdicts, by sample.
    """

    problems: Sequence[Problem]
    pools: Mapping[Draw, Pool]
    samples: Mapping[Draw, Sequence[Sequence[Sample]]]
    correct: Mapping[SampleKey, bool]

    def of(self, draws: Sequence[Draw], engine: str) -> Pools:
        """The pools that a strategy reads, under the draws as it writes them."""
        return Pools(
            {draw: self.pools[Draw(None, draw.temperature, draw.n)] for draw in draws if draw.engine in (None, engine)}
        )


def complete_prefix(plan: Plan, task: PlannedTask, store: Store) -> list[Problem]:
    """The longest run of problems, in visit order, that are complete."""
    complete = store.complete_blocks(plan.digest(task))
    prefix: list[Problem] = []
    for problem in task.problems:
        if (task.task.name, problem.id) not in complete:
            break
        prefix.append(problem)
    return prefix


def load_pools(
    plan: Plan, task: PlannedTask, engine: str, store: Store, samples: Mapping[SampleKey, Sample]
) -> TaskPools:
    """A task's pools on one engine, for the problems that are in the figures."""
    problems = complete_prefix(plan, task, store)
    scores = {name: store.scores(verifier.fingerprint) for name, verifier in task.verifiers.items()}
    stored = {
        (s.source.problem, s.source.prompt): s.pool for s in store.pools(task.task.name) if s.source.engine == engine
    }
    by_draw: dict[Draw, list[list[Sample]]] = {}
    for draw in plan.draws(task)[engine]:
        pools = [stored.get((problem.id, task.prompt(problem, draw)), "") for problem in problems]
        wanted = range(plan.size(draw))
        by_draw[draw] = [[s for i in wanted if (s := samples.get(SampleKey(pool, i))) is not None] for pool in pools]
    correct = {key: score.value >= RIGHT for key, score in scores[task.grader].items()}
    arrays = {draw: _pool(engine, problems, rows, plan.size(draw), correct, scores) for draw, rows in by_draw.items()}
    return TaskPools(problems, arrays, by_draw, correct)


def _pool(
    engine: str,
    problems: Sequence[Problem],
    rows: Sequence[Sequence[Sample]],
    size: int,
    correct: Mapping[SampleKey, bool],
    scores: Mapping[str, Mapping[SampleKey, Score]],
) -> Pool:
    shape = (len(problems), size)
    keys = np.full(shape, -1, np.int64)
    right, mask = np.zeros(shape, bool), np.zeros(shape, bool)
    tokens = np.zeros(shape, np.int64)
    seconds, device = np.zeros(shape), np.zeros(shape)
    scored = {name: np.full(shape, np.nan) for name in scores}
    prompts = np.zeros(len(problems), np.int64)
    for p, row in enumerate(rows):
        codes: dict[str, int] = {}
        for sample in row:
            at = (p, sample.index)
            key = SampleKey(sample.pool, sample.index)
            mask[at] = True
            if sample.key is not None:
                keys[at] = codes.setdefault(sample.key, len(codes))
            right[at] = correct.get(key, False)
            tokens[at] = sample.usage.completion
            seconds[at] = sample.seconds
            device[at] = math.nan if sample.device_seconds is None else sample.device_seconds
            prompts[p] = max(prompts[p], sample.usage.prompt)
            for name, known in scores.items():
                if key in known:
                    scored[name][at] = known[key].value
    ids = tuple(problem.id for problem in problems)
    return Pool(engine, ids, keys, right, scored, prompts, tokens, seconds, device, mask)
