"""Where accuracy is lost, and on which problems: coverage against selection, and accuracy by difficulty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from perpend.core import SAMPLED, Draw, Floats, Pool, Pools, Rankings, Strategy
from perpend.stats import Half, coverage_curve, difficulty_bins, mean_interval, paired_interval
from perpend.strategies.fixed import ragged
from perpend.study.evaluate import Evaluated, estimate
from perpend.study.offline import make_orders
from perpend.study.plan import PlannedTask
from perpend.study.pools import TaskPools, by_engine, lacks, read_pools
from perpend.study.results import Difficulty, DifficultyBin, Gaps

FEWEST_PROBLEMS = 10
"""Below this, bins of problems say nothing."""


def gaps(engine: str, pools: TaskPools, evaluated: Sequence[Evaluated]) -> list[Gaps]:
    """Coverage against what each deployable strategy chose, at N = 1, 2, 4, … and the largest."""
    pool = pools.pools.get(SAMPLED)
    if pool is None or not pools.problems:
        return []
    coverage = ragged(coverage_curve, pool.mask, pool.correct)
    steps = sorted({2**i for i in range(pool.samples.bit_length()) if 2**i <= pool.samples} | {pool.samples})
    return [_gaps_at(n, engine, coverage[:, n - 1], evaluated) for n in steps]


def _gaps_at(n: int, engine: str, coverage: Floats, evaluated: Sequence[Evaluated]) -> Gaps:
    chosen = {
        each.name: each.costs.correct[:, n - 1]
        for each in evaluated
        if each.deployable
        and each.engine == engine
        and each.costs.correct.shape[1] >= n
        and SAMPLED in each.strategy.draws
    }
    return Gaps(
        engine=engine,
        n=n,
        coverage=estimate(mean_interval(coverage)),
        coverage_gap=float(1 - coverage.mean()),
        selection_gap={name: estimate(paired_interval(coverage - correct)) for name, correct in chosen.items()},
    )


def difficulty(engine: str, task: PlannedTask, pools: TaskPools, seed: int) -> Difficulty | None:
    """Accuracy by difficulty: bins from half of each problem's samples, strategies evaluated on the other half.

    None where problems are few, or hit caps of their own: samples that were never drawn would make them look hard.
    """
    pool = pools.pools.get(SAMPLED)
    if pool is None or pool.samples < 4 or len(pools.problems) < FEWEST_PROBLEMS or not pool.mask.all():
        return None
    bins = difficulty_bins(pool.correct.astype(float), seed)
    n = pool.samples // 2
    served = {
        name: strategy
        for name, strategy in by_engine(task.strategies, [engine])[engine].items()
        if lacks(strategy, read_pools(strategy.draws, engine, {engine: pools})) is None
    }
    by_strategy = {name: bins.means(_on_half(pools, engine, strategy, n, seed)) for name, strategy in served.items()}
    sizes = [sum(int((half.bin_of == b).sum()) for half in bins.halves) / 2 for b in range(bins.bins)]
    return Difficulty(
        engine=engine,
        n=n,
        method="quintiles of the share right" if bins.quantiles else "equal ranges of the share right (ties)",
        bins=[
            DifficultyBin(
                label=_bin_label(b, bins.bins, bins.quantiles),
                problems=sizes[b],
                accuracy={
                    name: estimate(interval[0])
                    for name, means in by_strategy.items()
                    if (interval := means[b]) is not None
                },
            )
            for b in range(bins.bins)
        ],
    )


def _bin_label(b: int, bins: int, quantiles: bool) -> str:
    if quantiles:
        return ["easiest", *[str(i + 1) for i in range(1, bins - 1)], "hardest"][b] if bins > 1 else "all"
    return f"{100 * (bins - b - 1) // bins}–{100 * (bins - b) // bins} %"


def _on_half(pools: TaskPools, engine: str, strategy: Strategy, n: int, seed: int) -> Callable[[Half], Floats]:
    """A strategy at N on the evaluation half of the sampled pool; other draws stay whole."""

    def correct(half: Half) -> Floats:
        whole = read_pools(strategy.draws, engine, {engine: pools})
        read = Pools({draw: _half_of(pool, half) if _is_sampled(draw) else pool for draw, pool in whole.items()})
        found = strategy.offline(read, make_orders(read, seed)).correct.mean(axis=0)
        return np.asarray(found[:, min(n, found.shape[1]) - 1])

    return correct


def _is_sampled(draw: Draw) -> bool:
    return replace(draw, engine=None) == SAMPLED


def _half_of(pool: Pool, half: Half) -> Pool:
    take, rows = half.take, np.arange(len(pool.problems))[:, None]
    return replace(
        pool,
        keys=take(pool.keys),
        correct=take(pool.correct),
        scores={name: take(score) for name, score in pool.scores.items()},
        completion_tokens=take(pool.completion_tokens),
        seconds=take(pool.seconds),
        device_seconds=take(pool.device_seconds),
        mask=take(pool.mask),
        probes=pool.probes
        and replace(
            pool.probes, keys=pool.probes.keys[rows, half.columns], correct=pool.probes.correct[rows, half.columns]
        ),
        texts=None
        if pool.texts is None
        else [[row[i] for i in kept] for row, kept in zip(pool.texts, half.columns, strict=True)],
        rankings=pool.rankings
        and Rankings(pool.rankings.keys[rows, half.columns], pool.rankings.correct[rows, half.columns]),
        logprobs=None if pool.logprobs is None else take(pool.logprobs),
        confidences=None
        if pool.confidences is None
        else [[row[i] for i in kept] for row, kept in zip(pool.confidences, half.columns, strict=True)],
        probabilities={name: take(probability) for name, probability in pool.probabilities.items()},
    )
