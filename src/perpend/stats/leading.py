"""How sure it is that the leading answer of a vote is the most probable one, under a Dirichlet posterior."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

from perpend.stats.arrays import Floats, Ints
from perpend.stats.running import RunningVote

STEP = 0.4
"""Of the grid, in widths of the narrowest density (1/√shape, in log x). The integrand is smooth and vanishes at both
ends, where the trapezoid rule errs by next to nothing: less than 1e-11 in the tests."""
WIDEST_STEP = 0.2
NODES_AT_ONCE = 1 << 22


def first_is_largest(shapes: Floats, first: Ints, others: Ints) -> Floats:
    """Pr[X₁ is the largest] of X ~ Dirichlet, for many Dirichlet laws with few different parameters.

    A Dirichlet vector is one of independent Gammas, scaled, so the probability is ∫ f₁(x) ∏ F_j(x) dx over a Gamma
    density and the others' distribution functions: one integral in log x, whose factors are computed once for all laws
    with the same X₁.

    Args:
        shapes: [K], the parameters that occur, all positive.
        first: [laws], which of them X₁ has.
        others: [laws, K], how many of the other components have each.

    Returns:
        [laws].
    """
    found = np.empty(len(first))
    for shape in np.unique(first):
        of = np.flatnonzero(first == shape)
        used = np.flatnonzero(others[of].any(axis=0))
        step, density, log_below = _factors(float(shapes[shape]), tuple(shapes[used].tolist()))
        at_once = max(1, NODES_AT_ONCE // len(density))
        for start in range(0, len(of), at_once):
            some = of[start : start + at_once]
            found[some] = np.exp(others[some][:, used] @ log_below) @ density * step
    return np.minimum(found, 1.0)


@lru_cache(maxsize=1024)
def _factors(first: float, others: tuple[float, ...]) -> tuple[float, Floats, Floats]:
    """The step of the grid in log x, the first's density on it, and the logarithms of the others' distributions."""
    step = min(WIDEST_STEP, STEP / np.sqrt(max(first, *others, 0.0)))
    lowest = np.log(first) - 36 / first - 1  # the density is e⁻³⁶ of its peak there, and less above the other end
    log_x = np.arange(lowest, np.log(first + 12 * np.sqrt(first) + 40), step)
    below = gammainc(np.array(others)[:, None], np.exp(log_x))
    return (
        step,
        np.exp(first * log_x - np.exp(log_x) - gammaln(first)),
        np.log(np.maximum(below, np.finfo(float).tiny)),
    )


def vote_states(vote: RunningVote) -> tuple[Ints, NDArray[np.intp]]:
    """The different states that a vote is in, by how many votes its answers have, whichever they are.

    Returns:
        [states, S], how many answers have at least 1 … S votes; and which state each turn is in, of `vote`'s shape.
    """
    samples = len(vote.count)
    counts = vote.count.reshape(samples, -1)
    names = np.random.default_rng(0).integers(1 << 63, size=samples + 1, dtype=np.uint64)
    names[0] = 0
    gained = np.where(counts > 0, names[counts] - names[np.maximum(counts - 1, 0)], np.uint64(0))
    # a state's name is the sum of its counts' names; that of two states is the same by chance once in 2⁶³
    states, once, which = np.unique(np.cumsum(gained, axis=0), return_index=True, return_inverse=True)
    turn, row = np.unravel_index(once, counts.shape)
    reached = np.zeros((len(states), samples + 1), dtype=np.int32)
    for t, count in enumerate(counts[:, row]):  # an answer comes to have c votes once
        reached[np.arange(len(states)), np.where(t <= turn, count, 0)] += 1
    return reached[:, 1:], which.reshape(vote.count.shape)
