"""From the store to arrays: one `Pool` for each draw on each engine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    Draw,
    DrawnFrom,
    Finish,
    Floats,
    Pool,
    PoolField,
    Pools,
    Problem,
    Sample,
    SampleKey,
    Score,
    Strategy,
    pool_key,
)
from perpend.store import Store
from perpend.strategies.deepconf import has_likeliest, token_confidences
from perpend.study.complete import complete_prefix
from perpend.study.plan import Block, Plan, PlannedTask
from perpend.study.probes import probe_arrays
from perpend.study.rankings import ranking_arrays
from perpend.study.results import EngineInfo

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


def by_engine(strategies: Mapping[str, Strategy], engines: Sequence[str]) -> dict[str, dict[str, Strategy]]:
    """Which strategies are evaluated where: on each engine, or on the engines that one names, joined by "+"."""
    found: dict[str, dict[str, Strategy]] = {engine: {} for engine in engines}
    for name, strategy in strategies.items():
        named = list(dict.fromkeys(draw.engine for draw in strategy.draws if draw.engine is not None))
        for place in ["+".join(named)] if named else engines:
            found.setdefault(place, {})[name] = strategy
    return found


def read_pools(draws: Sequence[Draw], engine: str, pools: Mapping[str, TaskPools]) -> Pools:
    """The pools that a strategy reads, under the draws as it writes them; those that name no engine on this one."""
    return Pools({draw: pools[draw.engine or engine].pools[replace(draw, engine=None)] for draw in draws})


def lacks(strategy: Strategy, pools: Pools) -> str | None:
    """What a strategy needs and the pools do not hold, as a sentence; None where it has all."""
    missing = sorted({need for pool in pools.values() for need in strategy.needs - _holds(pool, strategy.verifier)})
    if missing:
        return f"{strategy.name} needs {' and '.join(missing)}, which these samples come without."
    by = strategy.verifier
    unscored = by is not None and all(np.isnan(pool.scores[by]).all() for pool in pools.values() if by in pool.scores)
    return f"Verifier {by} has no opinion of any of these samples." if unscored else None


def _holds(pool: Pool, verifier: str | None) -> frozenset[PoolField]:
    """What a pool holds for strategies that read one verifier's scores."""
    given = pool.probabilities.get(verifier or "")
    sure = given is not None and bool((~np.isnan(given) | np.isnan(pool.scores[verifier or ""])).all())
    extra = {
        PoolField.RANKINGS: pool.rankings is not None,
        PoolField.LOGPROBS: pool.logprobs is not None,
        PoolField.PROBABILITIES: sure,
    }
    return pool.fields | {name for name, there in extra.items() if there}


def load_pools(plan: Plan, task: PlannedTask, engines: Mapping[str, EngineInfo], store: Store) -> dict[str, TaskPools]:
    """A task's pools on each engine, for the problems that are in the figures."""
    problems = complete_prefix(plan, task, {name: engine.fingerprint for name, engine in engines.items()}, store)
    wanted = {need for strategy in task.strategies.values() for need in strategy.needs}
    token_by_token = PoolField.CONFIDENCES in wanted
    samples = {SampleKey(s.pool, s.index): s for s in store.samples(task.task.name, tokens=token_by_token)}
    scores = {name: store.scores(verifier.fingerprint) for name, verifier in task.verifiers.items()}
    correct = {key: score.value >= RIGHT for key, score in scores[task.grader].items()}
    codes: dict[str, dict[str, int]] = defaultdict(dict)
    along, counts = store.probes(task.task.name), store.counts()

    def pools_of(engine: EngineInfo) -> TaskPools:
        rows = {
            draw: [
                _row(Block(task, p).source(draw, engine.name, engine.fingerprint), plan.size(draw)) for p in problems
            ]
            for draw in plan.draws(task)[engine.name]
        }
        return TaskPools(problems, {draw: pool_of(engine, draw, drawn) for draw, drawn in rows.items()}, rows, correct)

    def pool_of(engine: EngineInfo, draw: Draw, rows: Sequence[Sequence[Sample]]) -> Pool:
        size, holds = plan.size(draw), frozenset(engine.holds)
        named = [pool_key(Block(task, p).source(draw, engine.name, engine.fingerprint)) for p in problems]
        if any(pool in counts for pool in named):
            return _counted(engine.name, problems, [counts[pool] for pool in named], size)
        pool = _pool(engine.name, problems, rows, size, correct, scores, codes)
        probes = probe_arrays(task.task.name, rows, along, correct, codes, size)
        texts = [[s.text for s in row] for row in rows] if PoolField.TEXTS in wanted & holds else None
        lists = ranking_arrays(task.task, problems, rows, size) if PoolField.RANKINGS in wanted else None
        sure = confidences_of(rows) if token_by_token and PoolField.TOKENS in holds else None
        here = {
            PoolField.PROBES: probes is not None,
            PoolField.TEXTS: texts is not None,
            PoolField.CONFIDENCES: sure is not None,
        }
        fields = (holds - set(here)) | {name for name, there in here.items() if there}
        return replace(pool, probes=probes, texts=texts, rankings=lists, confidences=sure, fields=fields)

    def _row(source: DrawnFrom, size: int) -> list[Sample]:
        pool = pool_key(source)
        return [sample for i in range(size) if (sample := samples.get(SampleKey(pool, i)))]

    return {name: pools_of(engines[name]) for name in plan.engines_of(task)}


def confidences_of(rows: Sequence[Sequence[Sample]]) -> list[list[Floats]] | None:
    """[problem][sample], how sure the model was of each token; None where some came without the most likely ones."""
    if not all(has_likeliest(sample) for row in rows for sample in row):
        return None
    return [[token_confidences(sample) for sample in row] for row in rows]


def _counted(engine: str, problems: Sequence[Problem], counts: Sequence[tuple[int, int]], size: int) -> Pool:
    """A pool of which only the number of samples, and of right ones, is known: the right ones come first."""
    drawn, right = np.array(counts, np.int64).reshape(-1, 2).T[:, :, None]
    at = np.arange(size)
    nothing = np.zeros((len(problems), size))
    return Pool(
        engine=engine,
        problems=tuple(problem.id for problem in problems),
        keys=np.full(nothing.shape, -1, np.int64),
        correct=at < right,
        scores={},
        prompt_tokens=np.zeros(len(problems), np.int64),
        completion_tokens=nothing.astype(np.int64),
        seconds=nothing,
        device_seconds=np.full(nothing.shape, np.nan),
        mask=at < drawn,
        fields=frozenset(),
    )


def _pool(
    engine: str,
    problems: Sequence[Problem],
    rows: Sequence[Sequence[Sample]],
    size: int,
    correct: Mapping[SampleKey, bool],
    scores: Mapping[str, Mapping[SampleKey, Score]],
    codes: dict[str, dict[str, int]],
) -> Pool:
    """One draw as arrays; `codes` numbers each problem's answers, alike in all pools of the task."""
    shape = (len(problems), size)
    at = tuple(np.array([(p, s.index) for p, row in enumerate(rows) for s in row], np.int64).reshape(-1, 2).T)
    drawn = [sample for row in rows for sample in row]
    names = [SampleKey(sample.pool, sample.index) for sample in drawn]

    def array(values: Iterable[float], empty: float, kind: type[Any] = np.float64) -> NDArray[Any]:
        filled = np.full(shape, empty, kind)
        filled[at] = np.fromiter(values, kind, len(drawn))
        return filled

    def by_verifier(read: Callable[[Score], float | None]) -> dict[str, Floats]:
        return {name: array([_number(known.get(key), read) for key in names], np.nan) for name, known in scores.items()}

    return Pool(
        engine=engine,
        problems=tuple(problem.id for problem in problems),
        keys=array((_code(sample, codes[sample.problem]) for sample in drawn), -1, np.int64),
        correct=array((correct.get(name, False) for name in names), False, np.bool_),
        scores=by_verifier(lambda score: score.value),
        prompt_tokens=np.array([max((s.usage.prompt for s in row), default=0) for row in rows], np.int64),
        completion_tokens=array((sample.usage.completion for sample in drawn), 0, np.int64),
        seconds=array((sample.seconds for sample in drawn), 0.0),
        device_seconds=array(map(_device_seconds, drawn), 0.0),
        mask=array((True for _ in drawn), False, np.bool_),
        probabilities=by_verifier(lambda score: score.probability),
        logprobs=None if all(sample.logprob is None for sample in drawn) else array(map(_logprob, drawn), np.nan),
    )


def _code(sample: Sample, seen: dict[str, int]) -> int:
    """An answer as a number, in order of first appearance; −1 never votes."""
    return -1 if sample.key is None else seen.setdefault(sample.key, len(seen))


def _logprob(sample: Sample) -> float:
    return math.nan if sample.logprob is None else sample.logprob


def _device_seconds(sample: Sample) -> float:
    """NaN where it was not measured; a request that never ran took none."""
    if sample.device_seconds is not None:
        return sample.device_seconds
    return 0.0 if sample.usage.completion == 0 and sample.finish is Finish.FAILED else math.nan


def _number(score: Score | None, read: Callable[[Score], float | None]) -> float:
    value = None if score is None else read(score)
    return math.nan if value is None else value
