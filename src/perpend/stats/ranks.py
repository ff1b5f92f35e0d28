"""Expectations over the best of k samples drawn without replacement: best-of-N, and the slowest of k."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import Floats, matched, matrix

RANKS_AT_ONCE = 512


def best_of_n_curve(scores: ArrayLike, correct: ArrayLike) -> Floats:
    """Expected correctness of the highest-scored of k samples, for every k.

    Args:
        scores: [P, S], higher is better, any scale. NaN means unscored: never chosen, and k draws that are all
            unscored count as wrong.
        correct: [P, S], 0/1 or any value in its place (a reward, a length) to be averaged over the choice.

    Returns:
        [P, S], column k−1 for k samples: Σ_r C(S−r, k−1) / C(S, k) · correct_(r) over ranks r = 1.. from the top. Equal
        scores share their ranks: the choice among them is even.

    Raises:
        ValueError: when the two differ in shape.

    Source: Cobbe et al., arXiv 2110.14168, section 4.2; exact over all subsets rather than sampled.
    """
    scores = matrix(scores, "scores")
    correct = matched(correct, "correct", scores.shape)
    ranking = np.argsort(-scores, axis=1, kind="stable")
    ranked_scores = np.take_along_axis(scores, ranking, axis=1)
    ranked_correct = np.take_along_axis(correct, ranking, axis=1)
    chosen = np.where(np.isnan(ranked_scores), 0.0, _average_ties(ranked_scores, ranked_correct))
    return _expectation_of_top(chosen)


def expected_max_curve(values: ArrayLike) -> Floats:
    """E[max of k of the S values drawn without replacement], exact, for every k: [P, S] → [P, S].

    With seconds a sample as values this is the expected latency of k samples that run side by side. Values must be
    finite; a row with a NaN is NaN throughout.
    """
    values = matrix(values, "values")
    return _expectation_of_top(-np.sort(-values, axis=1))


def _expectation_of_top(ranked: Floats) -> Floats:
    """Σ_r P(rank r is the top of k) · ranked[:, r], for every k."""
    curve = np.zeros_like(ranked)
    for first, chances in _chance_to_be_top(ranked.shape[1]):
        curve += ranked[:, first : first + len(chances)] @ chances
    return np.clip(curve, ranked.min(axis=1, keepdims=True), ranked.max(axis=1, keepdims=True))


def _chance_to_be_top(samples: int) -> Iterator[tuple[int, Floats]]:
    """Blocks of ranks: (first rank r, [ranks, k] chances C(S−1−r, k−1) / C(S, k)), by the ratio of neighbours."""
    k = np.arange(1, samples + 1)
    top = k / samples
    for first in range(0, samples, RANKS_AT_ONCE):
        rank = np.arange(first, min(first + RANKS_AT_ONCE, samples))[:, None]
        to_next = np.maximum(samples - rank - k, 0) / np.maximum(samples - 1 - rank, 1)
        chances = np.cumprod(np.vstack([top, to_next]), axis=0)
        top = chances[-1]
        yield first, chances[:-1]


def _average_ties(ranked_scores: Floats, ranked_values: Floats) -> Floats:
    """Each value replaced by the mean over its run of equal scores."""
    problems, samples = ranked_scores.shape
    starts = np.ones((problems, samples), dtype=bool)
    starts[:, 1:] = ranked_scores[:, 1:] != ranked_scores[:, :-1]
    run = np.cumsum(starts) - 1
    mean = np.bincount(run, weights=ranked_values.ravel()) / np.bincount(run)
    return np.asarray(mean[run].reshape(problems, samples))
