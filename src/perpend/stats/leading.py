"""How sure it is that the leading answer of a vote is the most probable one, under a Dirichlet posterior."""

from __future__ import annotations

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
    density and the others' distribution functions: one integral in log x, whose factors are computed once a parameter.

    Args:
        shapes: [K], the parameters that occur, all positive.
        first: [laws], which of them X₁ has.
        others: [laws, K], how many of the other components have each.

    Returns:
        [laws].
    """
    largest = shapes.max()
    step = min(WIDEST_STEP, STEP / np.sqrt(largest))
    log_x = np.arange(-40.0, np.log(largest + 12 * np.sqrt(largest) + 40), step)
    below = gammainc(shapes[:, None], np.exp(log_x))
    log_below = np.log(np.maximum(below, np.finfo(float).tiny))
    log_density = shapes[:, None] * log_x - np.exp(log_x) - gammaln(shapes)[:, None]  # of log x
    found = np.empty(len(first))
    at_once = max(1, NODES_AT_ONCE // len(log_x))
    for start in range(0, len(first), at_once):
        some = slice(start, start + at_once)
        found[some] = np.exp(log_density[first[some]] + others[some] @ log_below).sum(axis=1) * step
    return np.minimum(found, 1.0)


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
