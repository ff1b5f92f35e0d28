"""How good a verifier is: its error rates, and whether it ranks a problem's right samples above its wrong ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from perpend.stats.arrays import Bools, Floats, matched, matrix


@dataclass(frozen=True)
class VerifierRates:
    """Error rates of accept/reject verdicts over all scored samples; NaN where there was no sample to err on."""

    false_positive: float
    """Share of wrong samples that were accepted."""
    false_negative: float
    """Share of correct samples that were rejected."""


def verifier_rates(scores: ArrayLike, correct: ArrayLike, threshold: float = 0.5) -> VerifierRates:
    """Error rates when samples with score ≥ `threshold` are accepted.

    `scores` and `correct` are [P, S]; unscored samples (NaN) are left out.

    Raises:
        ValueError: when shapes differ.
    """
    scores = matrix(scores, "scores")
    right = matched(correct, "correct", scores.shape) > 0
    scored = ~np.isnan(scores)
    accepted = scores >= threshold
    return VerifierRates(_share(accepted, scored & ~right), _share(~accepted, scored & right))


def auc_within_problems(scores: ArrayLike, correct: ArrayLike) -> Floats:
    """P(a correct sample scores above a wrong one of the same problem), ties one half: [P, S] → [P].

    NaN for problems whose scored samples are all right or all wrong; average with `numpy.nanmean`. Pooling samples over
    problems instead would credit the verifier with knowing which problems are easy.
    """
    scores = matrix(scores, "scores")
    scored = ~np.isnan(scores)
    right = (matched(correct, "correct", scores.shape) > 0) & scored
    n_right, n_wrong = right.sum(axis=1), (scored & ~right).sum(axis=1)
    ranks = rankdata(scores, axis=1, nan_policy="omit")
    above = np.where(right, ranks, 0.0).sum(axis=1) - n_right * (n_right + 1) / 2
    pairs = n_right * n_wrong
    return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)


def _share(hits: Bools, among: Bools) -> float:
    return float(hits[among].mean()) if among.any() else float("nan")
