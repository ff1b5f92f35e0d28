"""How far the samples of one problem repeat each other."""

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import Floats, matrix


def answer_correlation(correct: ArrayLike) -> float:
    """ρ, the correlation of correctness between two samples of the same problem: `correct` [P, S].

    The one-way analysis-of-variance estimate of the intraclass correlation, (MSB − MSW) / (MSB + (S−1)·MSW). It may be
    slightly negative; it is NaN where every sample agrees over all problems, since nothing varies.

    Raises:
        ValueError: with fewer than two problems or two samples.

    Source: arXiv 2603.27844; Donner, International Statistical Review 54 (1986), section 2.
    """
    flags = matrix(correct, "correct")
    problems, samples = flags.shape
    if problems < 2 or samples < 2:
        raise ValueError("a correlation within problems needs at least two problems and two samples of each.")
    means = flags.mean(axis=1)
    between = samples * means.var(ddof=1)
    within = ((flags - means[:, None]) ** 2).sum() / (problems * (samples - 1))
    spread = between + (samples - 1) * within
    return float((between - within) / spread) if spread > 0 else float("nan")


def effective_samples(n: ArrayLike, correlation: float) -> Floats:
    """N_eff = N / (1 + (N−1)ρ): how many independent samples N correlated ones are worth, for N of any shape.

    It tends to 1/ρ as N grows. A negative ρ is read as none.

    Raises:
        ValueError: for N below 1 or ρ above 1.
    """
    count = np.asarray(n, dtype=np.float64)
    if np.any(count < 1) or not correlation <= 1:
        raise ValueError("effective_samples needs N ≥ 1 and a correlation of at most 1.")
    return np.asarray(count / (1 + (count - 1) * max(correlation, 0.0)))
