"""Every strategy, at every N, from one pool: accuracy and cost per problem, then means with intervals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from perpend.core import (
    Bools,
    Calibrated,
    Floats,
    Judging,
    ModelShape,
    Outcomes,
    Pools,
    Price,
    Strategy,
    Tunable,
)
from perpend.stats import Interval, cost_per_correct, mean_interval
from perpend.strategies import describe
from perpend.study.costs import Costs, costs
from perpend.study.offline import Averaged, average_outcomes, mixed, some_problems, upto
from perpend.study.results import CostPerCorrect, Curve, Estimate, Point, TaskResult

UNBOUNDED = Estimate(value=None, low=None, high=None)
SPLITS = 16
"""Ways to halve the problems, for choosing on one half and scoring on the other."""
NEXT_TO_NOTHING = 1e-12
"""Stands for a cost of zero where a cost must be positive."""


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
        stopped: share of the orders in which it ended the sampling early, [problem, N]; None where it never does.
        best: the strategy with the settings that are best on all problems, by N − 1, where they were chosen.
        proxy: what its verifier thinks of its choice, [problem, N], NaN where of no sample; None without a verifier.
    """

    name: str
    strategy: Strategy
    engine: str
    costs: Costs
    monte_carlo: Floats | None
    oracle: bool = False
    settings: str | None = None
    stopped: Floats | None = None
    best: Sequence[str] = ()
    proxy: Floats | None = None

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
    strategies: Mapping[str, Strategy],
    engine: str,
    pools: Pools,
    shapes: Mapping[str, ModelShape | None],
    prices: Mapping[str, Price],
    seed: int,
    needs_key: Callable[[Strategy], bool],
) -> list[Evaluated]:
    """Strategies on the pools that they read; settings that one leaves open are chosen on one half of the problems and
    reported on the other.

    Args:
        strategies: by how the report writes them.
        engine: the engine's name, of several the names joined by "+".
        pools: all that the strategies read.
        shapes: of the engines' models.
        prices: of the engines' tokens.
        seed: of the study.
        needs_key: whether one is a ceiling, itself or for its verifier.
    """
    asked = {name: candidates(strategy, pools) for name, strategy in strategies.items()}
    found = iter(average_outcomes([setting for of in asked.values() for setting in of], pools, seed))
    splits = halves(next(iter(pools.values())).problems, seed)
    measured = frozenset.intersection(*(pool.fields for pool in pools.values()))
    evaluated = []
    for name, settings in asked.items():
        averaged = [next(found) for _ in settings]
        chosen = choose_setting(settings, averaged, splits, strategies[name].n)
        evaluated.append(
            Evaluated(
                name=name,
                strategy=strategies[name],
                engine=engine,
                costs=costs(chosen.outcomes, shapes, prices, measured).upto(strategies[name].n),
                monte_carlo=chosen.error,
                oracle=needs_key(strategies[name]),
                settings=chosen.said,
                stopped=None
                if chosen.outcomes.stopped is None
                else chosen.outcomes.stopped[0, :, : strategies[name].n],
                best=chosen.best,
                proxy=None if chosen.outcomes.proxy is None else chosen.outcomes.proxy[0, :, : strategies[name].n],
            )
        )
    return evaluated


@dataclass(frozen=True)
class ChosenSetting:
    """What a strategy with settings left open comes to.

    Attributes:
        outcomes: each problem under the setting that was best on the half that it is not in, mean over splits.
        error: the largest of the settings' Monte Carlo errors, [N]; None in closed form.
        said: how it was chosen; None where there was nothing to choose.
        best: the setting that is best on all problems, by N − 1.
    """

    outcomes: Outcomes
    error: Floats | None
    said: str | None = None
    best: Sequence[str] = ()


def choose_setting(settings: Sequence[Strategy], averaged: Sequence[Averaged], splits: Bools, n: int) -> ChosenSetting:
    """Cross-fit: each half of the problems under the setting that had most merit on the other half, at every N.

    Merit is accuracy, or what the strategy says that it is.
    """
    errors = [each.error[:n] for each in averaged if each.error is not None]
    error = np.max(errors, axis=0) if errors else None
    if len(settings) == 1:
        return ChosenSetting(averaged[0].outcomes, error)
    merits = partial(_merits, settings, [upto(each.outcomes, n) for each in averaged])
    share = cross_fit_shares(merits, splits)
    said = f"one of {len(settings)} settings, chosen on half of the problems and reported on the rest, {SPLITS} times"
    best = [describe(settings[i]) for i in merits(np.ones(splits.shape[1], bool)).argmax(axis=0)]
    return ChosenSetting(mixed([each.outcomes for each in averaged], share), error, said, best)


def candidates(strategy: Strategy, pools: Pools) -> Sequence[Strategy]:
    """The settings that a strategy leaves open, itself alone where none are."""
    if isinstance(strategy, Calibrated):
        return strategy.candidates(Pools({draw: pools[draw] for draw in strategy.draws}))
    return strategy.grid() if isinstance(strategy, Tunable) else (strategy,)


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
    return Point(
        n=i + 1,
        accuracy=float(accuracy.estimate[i]),
        low=float(accuracy.low[i]),
        high=float(accuracy.high[i]),
        samples=float(priced.samples[:, i].mean()),
        tokens=mean_at(priced.tokens, i),
        flops=mean_at(priced.flops, i),
        usd=mean_at(priced.usd, i),
        latency_seconds=mean_at(priced.latency_seconds, i),
        device_seconds=mean_at(priced.device_seconds, i),
        cost_per_correct=CostPerCorrect(
            tokens=None if priced.tokens is None else estimate_at(per_answer["tokens"], i) or UNBOUNDED,
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


def _merits(settings: Sequence[Strategy], outcomes: Sequence[Outcomes], rows: Bools) -> Floats:
    """[setting, N]: how good each setting is on some of the problems."""
    return np.stack([_merit(setting, each, rows) for setting, each in zip(settings, outcomes, strict=True)])


def _merit(setting: Strategy, outcomes: Outcomes, rows: Bools) -> Floats:
    if isinstance(setting, Judging):
        return setting.merit(some_problems(outcomes, rows))
    accuracy: Floats = outcomes.correct[0, rows].mean(axis=0)
    return accuracy


def cross_fit_shares(merits: Callable[[Bools], Floats], splits: Bools) -> Floats:
    """In which share of the splits a problem is under each setting, [setting, problem, N].

    Args:
        merits: which problems → how good each setting is on those, [setting, N].
        splits: [split, problem], which problems are in the first half.
    """
    settings, budgets = merits(np.ones(splits.shape[1], bool)).shape
    share = np.zeros((settings, splits.shape[1], budgets))
    for half in (*splits, *~splits):
        best = merits(~half if (~half).any() else half).argmax(axis=0)
        share[best[:, None], np.flatnonzero(half), np.arange(budgets)[:, None]] += 1
    return share / len(splits)
