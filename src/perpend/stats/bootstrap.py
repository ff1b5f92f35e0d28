"""Intervals over problems: a cluster bootstrap with two pseudo-problems, which keep small samples honest.

Plain resampling of few problems cannot see the failure (or success) that did not happen: at a nominal 95 % it covers
55–79 % for 16–30 problems with mean .05 or .95. Two added problems, one at each extreme, repair that; the point
estimate stays the plain figure. A resample draws P of the P + 2. All intervals here are one thing: a ratio of sums
over resampled problems.

Lowest coverage found in simulation at a nominal 95 %, for 16, 30 and 60 problems of mean accuracy .05, .5 and .95, by
single outcomes and by means of 16: means .95, paired differences .945, headlines (`mover`) of 5 tasks .94, of 10 .93.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Floats, matched
from perpend.stats.intervals import Interval

ONE_EACH = np.array([[0.0], [1.0]])
"""The pseudo-problems' scores: one failure, one success."""
ROUNDING = 1e-9
"""How far a caller's arithmetic may leave the range of the values."""


def mean_interval(values: ArrayLike, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
    """The mean over new problems of this task, from per-problem `values` in [0, 1]: [P], or [P, N] for N budgets.

    Pseudo-problems scoring 0 and 1 join the resampling. All N columns share the resampled problems.

    Raises:
        ValueError: for values outside [0, 1], NaN, or no problem.
    """
    columns = _columns(values)
    return _as_given(values, weighted_mean_interval(columns, np.ones((len(columns), 1)), level, draws, seed))


def weighted_mean_interval(
    values: Floats, weights: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Interval:
    """As `mean_interval`, of Σ weights·values / Σ weights: `values` [P, N] in [0, 1], `weights` [P, 1] positive.

    The pseudo-problems weigh as much as an average problem.
    """
    if not ((values >= -ROUNDING) & (values <= 1 + ROUNDING)).all():
        raise ValueError("per-problem values must lie in [0, 1], which the pseudo-problems span.")
    average = np.full((2, 1), weights.mean())
    ratios = _resampled_ratios(_add(weights * values, average * ONE_EACH), np.vstack([weights, average]), draws, seed)
    return _percentiles((weights * values).sum(axis=0) / weights.sum(), ratios, level, len(values))


def paired_interval(differences: ArrayLike, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
    """The mean difference of two strategies on the same problems: per-problem `differences` in [−1, 1], [P] or [P, N].

    Pseudo-problems +1 and −1 of weight ½ join the resampling: each is drawn half as often as a problem.

    Raises:
        ValueError: for differences outside [−1, 1], NaN, or no problem.
    """
    columns = _columns(differences)
    if not (np.abs(columns) <= 1 + ROUNDING).all():
        raise ValueError("paired_interval is for differences in [−1, 1], which its pseudo-problems span.")
    ratios = _resampled_ratios(_add(columns, 2 * ONE_EACH - 1), np.ones((len(columns) + 2, 1)), draws, seed, weight=0.5)
    return _as_given(differences, _percentiles(columns.mean(axis=0), ratios, level, len(columns)))


def cost_per_correct(
    correct: ArrayLike, cost: ArrayLike, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Interval:
    """Σ cost / Σ correct over problems, in the unit of `cost` per correct answer; both [P] or both [P, N].

    Correct answers per unit of cost are bootstrapped (the pseudo-problems score 0 and 1 at the mean cost), then
    inverted. Where no answer is correct, estimate and upper end are unbounded: None for [P], inf for [P, N].

    Raises:
        ValueError: when shapes differ, correct leaves [0, 1], or a cost is not positive.
    """
    right, spent = _columns(correct), _costs(cost, correct)
    rates = _rates(right, spent, ONE_EACH, draws, seed)
    rate = _percentiles(right.sum(axis=0) / spent.sum(axis=0), rates, level, len(right))
    return _as_given(correct, _inverse(rate))


def paired_cost_per_correct(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """The first strategy's cost per correct answer as a multiple of the second's, on the same problems.

    Args:
        first: its correctness [P] in [0, 1] and its cost [P]; or both [P, N].
        second: the same of the other strategy, in the same unit of cost.
        level: of the interval.
        draws: number of resamples.
        seed: of the resamples.

    Returns:
        The ratio, below 1 where the first is cheaper; unbounded (as in `cost_per_correct`) where the first has no
        correct answer. On the two pseudo-problems, of weight ½, one strategy alone is right; both carry their mean
        cost. A resample in which neither is right leaves the ratio open: half of it counts toward each end.

    Raises:
        ValueError: as `cost_per_correct`.
    """
    matched(second[0], "the second strategy's correctness", np.shape(first[0]))
    right, spent = zip(*((_columns(each[0]), _costs(each[1], each[0])) for each in (first, second)), strict=True)
    pseudo = ONE_EACH, 1 - ONE_EACH
    rates = [_rates(*side, draws, seed, weight=0.5) for side in zip(right, spent, pseudo, strict=True)]
    plain = [r.sum(axis=0) / s.sum(axis=0) for r, s in zip(right, spent, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios, estimate = rates[0] / rates[1], plain[0] / plain[1]
    open_ends = np.vstack([np.nan_to_num(ratios, nan=end, posinf=np.inf) for end in (0.0, np.inf)])
    return _as_given(first[0], _inverse(_percentiles(estimate, open_ends, level, len(right[0]))))


def _rates(right: Floats, spent: Floats, pseudo: Floats, draws: int, seed: int, weight: float = 1.0) -> Floats:
    """[draws, N] correct answers per unit of cost, where pseudo-problems cost the mean."""
    mean_cost = np.broadcast_to(spent.mean(axis=0), (2, spent.shape[1]))
    return _resampled_ratios(_add(right, pseudo), np.vstack([spent, mean_cost]), draws, seed, weight)


def _resampled_ratios(numerators: Floats, denominators: Floats, draws: int, seed: int, weight: float = 1.0) -> Floats:
    """Σ numerators / Σ denominators over P problems drawn with replacement from the P + 2 rows: [draws, N].

    The last two rows are the pseudo-problems, each drawn `weight` times as often as a problem.
    """
    times_drawn = _times_drawn(len(numerators) - 2, weight, draws, seed)
    return np.asarray((times_drawn @ numerators) / (times_drawn @ denominators))


@lru_cache(maxsize=2)
def _times_drawn(problems: int, weight: float, draws: int, seed: int) -> NDArray[np.float64]:
    """[draws, P + 2] how often each problem occurs in each resample; the same for every figure of a study."""
    chances = np.append(np.ones(problems), [weight, weight]) / (problems + 2 * weight)
    times = np.random.default_rng(seed).multinomial(problems, chances, size=draws).astype(np.float64)
    times.flags.writeable = False
    return times


def _percentiles(estimate: Floats, resampled: Floats, level: float, n: int) -> Interval:
    """The central `level` of the resampled figures, stretched to hold the estimate."""
    if not 0 < level < 1:
        raise ValueError("level is a probability, such as .95.")
    last = len(resampled) - 1
    below = math.floor((1 - level) / 2 * last)
    ordered = np.partition(np.ascontiguousarray(resampled.T), (below, last - below), axis=1)
    return Interval(estimate, np.fmin(ordered[:, below], estimate), np.fmax(ordered[:, last - below], estimate), n)


def _inverse(rate: Interval) -> Interval:
    with np.errstate(divide="ignore"):
        return Interval(1 / rate.estimate, 1 / rate.high, 1 / rate.low, rate.n)


def _add(columns: Floats, pseudo: Floats) -> Floats:
    """`columns` [P, N] with the two pseudo-problems below, alike for all N."""
    return np.vstack([columns, np.broadcast_to(pseudo, (2, columns.shape[1]))])


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or not len(array):
        raise ValueError(f"per-problem values must be [problems] or [problems, budgets], not of shape {array.shape}.")
    return array.reshape(len(array), -1)


def _costs(cost: ArrayLike, correct: ArrayLike) -> Floats:
    right = _columns(correct)
    spent = matched(cost, "cost", np.shape(correct)).reshape(right.shape)
    if not ((right >= -ROUNDING) & (right <= 1 + ROUNDING)).all():
        raise ValueError("correct must lie in [0, 1].")
    if not (spent > 0).all():
        raise ValueError("every problem's cost must be positive.")
    return spent


def _as_given(values: ArrayLike, intervals: Interval) -> Interval:
    """Plain numbers for a vector, arrays for a matrix."""
    return intervals[0] if np.ndim(values) == 1 else intervals
