"""The offline evaluator: what strategies would have done, averaged over seeded orders of the pools they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from perpend.core import Bools, Draw, Floats, Ints, Orders, Outcomes, Pool, Pools, Strategy, derive_seed
from perpend.stats import permutations
from perpend.strategies.votes import existing_first

PERMUTATIONS = 64
THREADS = 2
CELLS_AT_ONCE = 1 << 22
"""Of [permutation, problem, sample] arrays: bounds their memory. Problems are taken in parts of that size."""


@dataclass(frozen=True)
class Averaged:
    """A strategy's outcomes over all problems, [1, problem, N].

    Attributes:
        outcomes: means over orders.
        error: the standard error, over orders, of the mean accuracy over problems, [N]; None in closed form.
    """

    outcomes: Outcomes
    error: Floats | None


def average_outcomes(
    strategies: Sequence[Strategy], pools: Pools, seed: int, orders: int = PERMUTATIONS
) -> list[Averaged]:
    """What each strategy would have done on every problem of the pools.

    All of them see the same orders, and share what they derive from them.

    Args:
        strategies: each reads those of `pools` that its `draws` name.
        pools: with the same problems in the same rows.
        seed: of the orders.
        orders: how many.
    """
    problems, width = len(next(iter(pools.values())).problems), max(pool.samples for pool in pools.values())
    at_once = max(1, CELLS_AT_ONCE // (orders * width))

    def part(start: int) -> list[tuple[Outcomes, Floats | None]]:
        rows = slice(start, min(start + at_once, problems))
        some = Pools({draw: pool.rows(rows) for draw, pool in pools.items()})
        shared = make_orders(some, seed, orders)
        return [
            _over_orders(strategy.offline(Pools({draw: some[draw] for draw in strategy.draws}), shared))
            for strategy in strategies
        ]

    with ThreadPoolExecutor(THREADS) as threads:  # NumPy lets go of the interpreter while it works
        parts = list(threads.map(part, range(0, problems, at_once)))
    return [_joined(of) for of in zip(*parts, strict=True)]


def mixed(outcomes: Sequence[Outcomes], share: Floats) -> Outcomes:
    """Outcomes [1, problem, N] of several settings as one, each problem at each N with the given share of each.

    Args:
        outcomes: of each setting, the same engines in each.
        share: [setting, problem, N], adding up to one over settings.
    """

    def mix(read: Callable[[Outcomes], Floats]) -> Floats:
        each = np.stack([read(one)[0, :, : share.shape[2]] for one in outcomes])
        return np.asarray(np.where(share > 0, share * each, 0.0).sum(axis=0)[None])

    return _read_all(outcomes[0], mix)


def upto(outcomes: Outcomes, n: int) -> Outcomes:
    """The same for N = 1 … n."""
    return _read_all(outcomes, lambda read: read(outcomes)[..., :n])


def some_problems(outcomes: Outcomes, rows: Bools) -> Outcomes:
    """The same for some of the problems."""
    return _read_all(outcomes, lambda read: read(outcomes)[:, rows])


def _read_all(like: Outcomes, do: Callable[[Callable[[Outcomes], Floats]], Floats]) -> Outcomes:
    """Outcomes with the parts that one of them has, each made by `do` from how it is read."""
    return Outcomes(
        correct=do(lambda o: o.correct),
        samples=do(lambda o: o.samples),
        spend={
            engine: replace(each, **{name: do(partial(_part, engine, name)) for name in vars(each)})
            for engine, each in like.spend.items()
        },
        latency_seconds=do(lambda o: o.latency_seconds),
        **{
            name: do(partial(_optional, name))
            for name in ("stopped", "stopped_right", "proxy")
            if getattr(like, name) is not None
        },
    )


def make_orders(pools: Pools, seed: int, count: int = PERMUTATIONS) -> Orders:
    """Seeded orders of each pool's samples; the same for every strategy, independent between engines."""

    def orders_of(draw: Draw) -> Ints:
        pool: Pool = pools[draw]
        first = derive_seed("orders", seed, pool.engine, pool.problems[0])
        drawn = permutations(first, count, pool.samples, len(pool.problems))
        return existing_first(drawn.astype(np.int64), pool.mask)

    return Orders(orders_of)


def _over_orders(part: Outcomes) -> tuple[Outcomes, Floats | None]:
    """A part's means over orders, and the variance of its mean accuracy: all that is kept of it."""
    return _mean_over_orders(part), _order_variance(part)


def _mean_over_orders(part: Outcomes) -> Outcomes:
    def mean(values: Floats) -> Floats:
        return values if len(values) == 1 else np.asarray(values.mean(axis=0, keepdims=True))

    return _read_all(part, lambda read: mean(read(part)))


def _order_variance(part: Outcomes) -> Floats | None:
    """The variance, over orders, of the mean accuracy as estimated from them all: [N]."""
    if part.monte_carlo is not None:
        return np.asarray(part.monte_carlo**2)
    orders = len(part.correct)
    if orders == 1:
        return None
    return np.asarray(part.correct.mean(axis=1).var(axis=0, ddof=1) / orders)


def _joined(parts: Sequence[tuple[Outcomes, Floats | None]]) -> Averaged:
    """Parts of the problems as one."""
    means = [mean for mean, _ in parts]

    def join(read: Callable[[Outcomes], Floats]) -> Floats:
        return np.concatenate([read(mean) for mean in means], axis=1)

    joined = _read_all(means[0], join)
    known = [(variance, mean.correct.shape[1]) for mean, variance in parts if variance is not None]
    if not known:
        return Averaged(joined, None)
    problems = sum(rows for _, rows in known)
    return Averaged(joined, np.sqrt(sum(variance * rows**2 for variance, rows in known) / problems**2))


def _optional(name: str, outcomes: Outcomes) -> Floats:
    part: Floats = getattr(outcomes, name)
    return part


def _part(engine: str, name: str, outcomes: Outcomes) -> Floats:
    part: Floats = getattr(outcomes.spend[engine], name)
    return part
