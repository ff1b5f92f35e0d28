"""An estimate with its confidence interval, for one figure or for a whole curve, and how a headline combines them."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import matched

Figure: TypeAlias = Any
"""A float (None where unbounded) for one figure; `Floats` [N] (inf or NaN where unbounded) for a curve."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval, of one figure or of each of N budgets.

    `interval[i]` is the i-th budget's, with None for what is unbounded (no correct answer, so no cost per one).
    """

    estimate: Figure
    low: Figure
    high: Figure
    n: int
    """How many problems (for a headline: tasks) it rests on."""

    def __getitem__(self, index: int) -> "Interval":
        estimate, low, high = (_finite(part[index]) for part in (self.estimate, self.low, self.high))
        return Interval(estimate, low, high, self.n)


def mover(estimates: ArrayLike, lows: ArrayLike, highs: ArrayLike) -> Interval:
    """Interval of a headline, the mean m̄ of T task means m_t, from the tasks' own intervals [l_t, h_t].

    All three are [T], or [T, N] for a headline at each of N budgets. low = m̄ − √Σ(m_t − l_t)² / T and
    high = m̄ + √Σ(h_t − m_t)² / T: the method of variance estimates recovery for independent estimates. (A bootstrap
    with pseudo-problems in every task would shift all of them the same way and miss: it covers 33 % at T = 10.)

    Raises:
        ValueError: when shapes differ, there is no task, or an end is unbounded.

    Source: Zou and Donner, Statistics in Medicine 27 (2008), section 2.
    """
    means = np.asarray(estimates, dtype=np.float64)
    ends = matched(lows, "lows", means.shape), matched(highs, "highs", means.shape)
    if means.ndim not in (1, 2) or not means.size or not all(np.isfinite(part).all() for part in (means, *ends)):
        raise ValueError("mover combines the finite intervals of at least one task.")
    below, above = (np.sqrt(np.sum((means - end) ** 2, axis=0)) / len(means) for end in ends)
    middle = means.mean(axis=0)
    middle, low, high = np.atleast_1d(middle, middle - below, middle + above)
    curve = Interval(middle, low, high, len(means))
    return curve if means.ndim == 2 else curve[0]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
