"""Coverage: the chance that at least one of k samples is correct (pass@k)."""

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import Floats, integers, matrix


def pass_at_k(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Floats:
    """Unbiased pass@k = 1 − C(n−c, k) / C(n, k) from `c` correct among `n` samples.

    The arguments are counts and broadcast together; the result has their common shape. Computed as a product of
    min(c, k) ratios, so that it is accurate to rounding for any n.

    Raises:
        ValueError: unless 0 ≤ c ≤ n and 1 ≤ k ≤ n everywhere. k > n has no unbiased estimate and is never rounded up.

    Source: Chen et al., arXiv 2107.03374, section 2.1.
    """
    n, c, k = np.broadcast_arrays(integers(n, "n"), integers(c, "c"), integers(k, "k"))
    _refuse_impossible_counts(n, c, k)
    certain = c > n - k
    fewer, more = np.where(certain, 0, np.minimum(c, k)), np.maximum(c, k)
    all_wrong = np.where(certain, 0.0, 1.0)
    for i in range(int(fewer.max(initial=0))):
        all_wrong *= np.where(i < fewer, (n - more - i) / np.maximum(n - i, 1), 1.0)
    return np.asarray(1.0 - all_wrong)


def coverage_curve(correct: ArrayLike) -> Floats:
    """pass@k of each problem for every k at once: `correct` [P, S] → [P, S], column k−1 holding pass@k.

    Raises:
        ValueError: when `correct` is not a matrix of zeros and ones.
    """
    flags = matrix(correct, "correct")
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError("correct must hold only true and false.")
    samples = flags.shape[1]
    counts, problem = np.unique(flags.sum(axis=1), return_inverse=True)
    drawn = np.arange(samples)
    next_is_wrong = np.maximum(samples - counts[:, None] - drawn, 0) / (samples - drawn)
    return np.asarray(1.0 - np.cumprod(next_is_wrong, axis=1))[problem]


def _refuse_impossible_counts(n: Floats, c: Floats, k: Floats) -> None:
    if np.any((c < 0) | (c > n)):
        raise ValueError("c must lie between 0 and n: there cannot be more correct samples than samples.")
    if np.any(k < 1):
        raise ValueError("k must be at least 1.")
    if np.any(k > n):
        raise ValueError("k must not exceed n: pass@k of more samples than were drawn has no unbiased estimate.")
