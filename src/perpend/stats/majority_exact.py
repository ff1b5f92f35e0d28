"""maj@k of one problem for every k, exactly, by a multivariate-hypergeometric generating function.

Let c_b be the count of answer b among n samples, c_0 the abstentions. Draw k of them. Answer a wins with m votes when
it has m and no other has more; with t others at m it wins with chance 1/(t+1) = ∫₀¹ uᵗ du. So maj@k · C(n, k) is the
coefficient of x^k in

    (1+x)^{c_0} Σ_m ∫₀¹ Σ_{a correct} C(c_a, m) x^m Π_{b≠a} (Σ_{j<m} C(c_b, j) x^j + u C(c_b, m) x^m) du

Answers with c_b < m contribute (1+x)^{c_b}, those left number at most n/m, and u enters as a polynomial: a
Gauss–Legendre rule of half as many nodes is exact. Every coefficient is positive, so nothing cancels.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from perpend.stats.arrays import Floats

MOST_SAMPLES = 1000  # C(n, n/2) still fits a double


def majority_of_counts(counts: Sequence[int], credits: Sequence[float], abstained: int) -> Floats:
    """maj@k for k = 1..n, of answers with these `counts` and `credits` (correctness, 0 to 1) and `abstained` samples.

    Raises:
        ValueError: above 1,000 samples, where a coefficient would not fit a double.
    """
    samples = sum(counts) + abstained
    if samples > MOST_SAMPLES:
        raise ValueError(
            f"exact maj@k is for at most {MOST_SAMPLES} samples a problem, not {samples}; use permutations."
        )
    ranked = sorted(zip(counts, credits, strict=True), reverse=True)
    won = np.zeros(samples + 1)
    contested = ranked[1][0] if len(ranked) > 1 else 0
    for votes in range(1, contested + 1):
        rivals = [(count, credit) for count, credit in ranked if count >= votes]
        if any(credit for _, credit in rivals):
            product = _won_with(votes, rivals, samples)
            won[: len(product)] += product
    if ranked and ranked[0][1]:
        won += ranked[0][1] * _won_alone(ranked[0][0], contested, samples)
    return np.clip((won / _binomials(samples))[1:], 0.0, 1.0)


def _won_with(votes: int, rivals: Sequence[tuple[int, float]], samples: int) -> Floats:
    """Coefficients, over k, of the draws in which a correct answer wins with exactly `votes`."""
    others = samples - sum(count for count, _ in rivals)
    width = others + votes * len(rivals) + 1
    nodes, node_weights = _quadrature((len(rivals) + 1) // 2)
    u = (nodes[:, None] + 1) / 2
    open_ = np.zeros((len(u), width))  # no winner named yet
    open_[:, : others + 1] = _binomials(others)
    won = np.zeros_like(open_)
    for count, credit in sorted(rivals, key=lambda rival: rival[1]):
        ways = _binomials(count)
        below, at = ways[:votes], ways[votes]
        won = _times(won, below, votes, u * at) if won.any() else won
        if credit:
            won[:, votes:] += credit * at * open_[:, :-votes]
        open_ = _times(open_, below, votes, u * at)
    return np.asarray(node_weights @ won / 2)


def _times(rows: Floats, below: Floats, votes: int, tied: Floats) -> Floats:
    """Each row times Σ_{j<votes} below_j x^j + tied·x^votes. Rows are wide enough for the product, so one
    convolution of all of them laid end to end never spills into the next."""
    product = np.convolve(rows.ravel(), below)[: rows.size].reshape(rows.shape)
    product[:, votes:] += tied * rows[:, :-votes]
    return np.asarray(product)


def _won_alone(count: int, contested: int, samples: int) -> Floats:
    """Coefficients of the draws in which the top answer has more votes than any other owns."""
    alone = _binomials(count).copy()
    alone[: contested + 1] = 0
    return np.convolve(alone, _binomials(samples - count))


@lru_cache(maxsize=2 * MOST_SAMPLES)
def _binomials(n: int) -> Floats:
    """C(n, j) for j = 0..n, by the ratio of neighbours."""
    j = np.arange(1, n + 1)
    row = np.concatenate([[1.0], np.cumprod((n - j + 1) / j)])
    row.flags.writeable = False
    return row


@lru_cache
def _quadrature(points: int) -> tuple[Floats, Floats]:
    """Gauss–Legendre nodes and weights on [−1, 1]."""
    return np.polynomial.legendre.leggauss(points)
