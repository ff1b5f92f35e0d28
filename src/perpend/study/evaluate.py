"""Every strategy, at every N, from one pool: accuracy and cost per problem, then means with intervals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perpend.core import (
    Bools,
    Draw,
    Floats,
    Ints,
    ModelShape,
    Orders,
    Outcomes,
    Pool,
    Pools,
    Price,
    Strategy,
    derive_seed,
)
from perpend.stats import Interval, cost_per_correct, mean_interval, permutations
from perpend.strategies import describe
from perpend.strategies.votes import existing_first
from perpend.study.costs import Costs, costs
from perpend.study.pools import TaskPools
from perpend.study.results import CostPerCorrect, Curve, Estimate, Point, TaskResult

UNBOUNDED = Estimate(value=None, low=None, high=None)
PERMUTATIONS = 64
SPLITS = 16
"""Ways to halve the problems, for choosing on one half and scoring on the other."""
NEXT_TO_NOTHING = 1e-12
"""Stands for a cost of zero where a cost must be positive."""
ROWS_AT_ONCE = 256
"""Problems evaluated together: bounds the memory of [permutation, problem, N] arrays."""


@dataclass(frozen=True)
class Evaluated:
    """One strategy on one engine.

    Attributes:
        name: as the report writes it.
        strategy: itself.
        engine: by name.
        costs: per problem and N.
        monte_carlo: the standard error over orders of the mean accuracy, [N], where it is an estimate.
        oracle: it needs the key, itself or for its verifier.
        settings: how its settings were chosen, where they were.
        best: the strategy with the settings that are best on all problems, by N − 1, where they were chosen.
    """

    name: str
    strategy: Strategy
    engine: str
    costs: Costs
    monte_carlo: Floats | None
    oracle: bool = False
    settings: str | None = None
    best: Sequence[str] = ()

    def deployed(self, n: int) -> str:
        """What one would run at N, its settings said."""
        return self.best[n - 1] if self.best else self.name

    @property
    def deployable(self) -> bool:
        """Whether it needs no key."""
        return not self.oracle


@dataclass(frozen=True)
class Analysis:
    """A task's results, with the per-problem arrays that they are means of."""

    name: str
    evaluated: Sequence[Evaluated]
    result: TaskResult
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Strategy string → why the task cannot serve it."""

    def find(self, engine: str, strategy: str) -> Evaluated | None:
        """A strategy's arrays, by its name in the report."""
        return next((e for e in self.evaluated if (e.engine, e.name) == (engine, strategy)), None)


def evaluate(
    name: str,
    strategy: Strategy,
    engine: str,
    pools: TaskPools,
    shapes: Mapping[str, ModelShape | None],
    prices: Mapping[str, Price],
    seed: int,
    *,
    oracle: bool = False,
) -> Evaluated:
    """A strategy on a task's pools; settings that it leaves open are chosen on one half of the problems and
    reported on the other.
    """
    read = pools.of(strategy.draws, engine)
    candidates = grid(strategy)
    found = _outcomes(candidates, read, seed)
    priced = costs(found[0][0], shapes, prices).upto(strategy.n)
    errors = [error[: strategy.n] for _, error in found if error is not None]
    error = np.max(errors, axis=0) if errors else None
    if len(candidates) == 1:
        return Evaluated(name, strategy, engine, priced, error, oracle)
    splits = halves(read.only.problems, seed)
    correct = np.stack([outcomes.correct.mean(axis=0)[:, : strategy.n] for outcomes, _ in found])
    said = f"one of {len(candidates)} settings, chosen on half of the problems and reported on the rest, {SPLITS} times"
    best = [describe(candidates[i]) for i in correct.mean(axis=1).argmax(axis=0)]
    fitted = replace(priced, correct=_cross_fit(correct, splits))
    return Evaluated(name, strategy, engine, fitted, error, oracle, said, best)


def grid(strategy: Strategy) -> Sequence[Strategy]:
    """The settings that a strategy leaves open, itself alone where none are."""
    candidates: Any = getattr(strategy, "grid", None)
    return tuple(candidates()) if candidates is not None else (strategy,)


def halves(problems: Sequence[str], seed: int) -> Bools:
    """[split, problem]: which problems are in the first half of each split.

    A fair coin each, by hash, so that it stays when problems are added. Averaging over several splits takes out the
    luck of any one of them.
    """
    digests = [hashlib.sha256(f"half/{seed}/{id_}".encode()).digest() for id_ in problems]
    return np.array([[digest[split] % 2 == 0 for digest in digests] for split in range(SPLITS)], bool)


def curve(evaluated: Evaluated) -> Curve:
    """Its points for N = 1 …, with intervals over problems."""
    priced = evaluated.costs
    accuracy = mean_interval(priced.correct)
    per_answer = {
        unit: None if cost is None else per_correct(priced.correct, cost)
        for unit, cost in (("tokens", priced.tokens), ("usd", priced.usd), ("device_seconds", priced.device_seconds))
    }
    return Curve(
        strategy=evaluated.name,
        family=evaluated.strategy.name,
        engine=evaluated.engine,
        verifier=evaluated.strategy.verifier,
        oracle=evaluated.oracle,
        settings=evaluated.settings,
        points=[_point(i, evaluated, accuracy, per_answer) for i in range(priced.correct.shape[1])],
    )


def per_correct(correct: Floats, cost: Floats) -> Interval | None:
    """`cost_per_correct`, where something was spent: a problem that got no sample cost nothing, and counts as wrong."""
    return cost_per_correct(correct, np.maximum(cost, NEXT_TO_NOTHING)) if (cost.sum(axis=0) > 0).all() else None


def _point(i: int, evaluated: Evaluated, accuracy: Interval, per_answer: Mapping[str, Interval | None]) -> Point:
    priced = evaluated.costs
    tokens = estimate_at(per_answer["tokens"], i)
    return Point(
        n=i + 1,
        accuracy=float(accuracy.estimate[i]),
        low=float(accuracy.low[i]),
        high=float(accuracy.high[i]),
        samples=float(priced.samples[:, i].mean()),
        tokens=float(priced.tokens[:, i].mean()),
        flops=mean_at(priced.flops, i),
        usd=mean_at(priced.usd, i),
        latency_seconds=mean_at(priced.latency_seconds, i),
        device_seconds=mean_at(priced.device_seconds, i),
        cost_per_correct=CostPerCorrect(
            tokens=tokens or UNBOUNDED,
            usd=estimate_at(per_answer["usd"], i),
            device_seconds=estimate_at(per_answer["device_seconds"], i),
        ),
        monte_carlo_error=None if evaluated.monte_carlo is None else float(evaluated.monte_carlo[i]),
    )


def estimate_at(interval: Interval | None, i: int) -> Estimate | None:
    """The i-th figure of a curve of intervals."""
    return None if interval is None else estimate(interval[i])


def estimate(interval: Interval) -> Estimate:
    """An interval as results.json writes it."""
    return Estimate(value=interval.estimate, low=interval.low, high=interval.high)


def mean_at(values: Floats | None, i: int) -> float | None:
    """The mean over problems at the i-th N, None where unknown."""
    return None if values is None else float(values[:, i].mean())


def _outcomes(candidates: Sequence[Strategy], read: Pools, seed: int) -> list[tuple[Outcomes, Floats | None]]:
    """Of each setting, all problems' outcomes averaged over orders, and the standard error of their mean over those."""
    problems = len(next(iter(read.values())).problems)
    parts: list[list[tuple[Outcomes, Floats | None]]] = [[] for _ in candidates]
    for start in range(0, problems, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, problems))
        some = Pools({draw: pool.rows(rows) for draw, pool in read.items()})
        orders = make_orders(some, seed)
        for candidate, of in zip(candidates, parts, strict=True):
            of.append(_over_orders(candidate.offline(some, orders)))
    return [_joined(of) for of in parts]


def make_orders(pools: Pools, seed: int) -> Orders:
    """Seeded orders of each pool's samples; the same for every strategy, independent between engines."""

    def orders_of(draw: Draw) -> Ints:
        pool: Pool = pools[draw]
        orders = permutations(
            derive_seed("orders", seed, pool.engine, pool.problems[0]), PERMUTATIONS, pool.samples, len(pool.problems)
        ).astype(np.int64)
        return existing_first(orders, pool.mask)

    return Orders(orders_of)


def _joined(parts: Sequence[tuple[Outcomes, Floats | None]]) -> tuple[Outcomes, Floats | None]:
    """Chunks of problems as one: their means over orders, and the standard error of the mean over all problems."""
    means = [mean for mean, _ in parts]
    joined = Outcomes(
        correct=np.concatenate([m.correct for m in means], axis=1),
        samples=np.concatenate([m.samples for m in means], axis=1),
        spend={
            name: replace(
                means[0].spend[name],
                **{f: np.concatenate([getattr(m.spend[name], f) for m in means], axis=1) for f in vars(spend)},
            )
            for name, spend in means[0].spend.items()
        },
        latency_seconds=np.concatenate([m.latency_seconds for m in means], axis=1),
    )
    known = [(variance, mean.correct.shape[1]) for mean, variance in parts if variance is not None]
    if not known:
        return joined, None
    problems = sum(rows for _, rows in known)
    return joined, np.sqrt(sum(variance * rows**2 for variance, rows in known) / problems**2)


def _over_orders(part: Outcomes) -> tuple[Outcomes, Floats | None]:
    """A chunk's means over orders, and the variance of its mean accuracy: all that is kept of it."""
    return _mean_over_orders(part), _order_variance(part)


def _mean_over_orders(part: Outcomes) -> Outcomes:
    def mean(values: Floats) -> Floats:
        return np.asarray(values.mean(axis=0, keepdims=True))

    spend = {
        name: replace(each, **{f: mean(value) for f, value in vars(each).items()}) for name, each in part.spend.items()
    }
    return Outcomes(mean(part.correct), mean(part.samples), spend, mean(part.latency_seconds))


def _order_variance(part: Outcomes) -> Floats | None:
    """The variance, over orders, of the mean accuracy as estimated from them all: [N]."""
    if part.monte_carlo is not None:
        return np.asarray(part.monte_carlo**2)
    orders = len(part.correct)
    if orders == 1:
        return None
    return np.asarray(part.correct.mean(axis=1).var(axis=0, ddof=1) / orders)


def _cross_fit(values: Floats, splits: Bools) -> Floats:
    """Per-problem values [P, N] of settings [setting, P, N]: each half under the setting that was best on the other."""
    chosen = np.zeros(values.shape[1:])
    for half in (*splits, *~splits):
        other = values[:, ~half] if (~half).any() else values
        best = other.mean(axis=1).argmax(axis=0)
        chosen[half] += np.moveaxis(values[best, :, np.arange(values.shape[2])], 0, 1)[half]
    return chosen / len(splits)
