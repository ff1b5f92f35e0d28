"""maj@k, self-consistency's accuracy, for every k, exact."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Floats, integers, matched, matrix
from perpend.stats.majority_exact import majority_of_counts


def majority_curve(keys: ArrayLike, gold_correct: ArrayLike) -> Floats:
    """Accuracy of the most frequent answer of k samples drawn without replacement, for every k: [P, S].

    Args:
        keys: [P, S] an integer for each distinct answer of a problem; −1 abstains and never votes. k draws that all
            abstain score 0.
        gold_correct: [P, S], correctness of each sample. It is a property of the key; several keys may be correct.
            Should grading disagree within a key, that key counts with the share of its samples that are correct.

    Returns:
        [P, S], column k−1 for k votes, with 1/(t+1) credit in a tie with t other answers.

    Raises:
        ValueError: when shapes differ or a key is below −1.

    It costs .14–.39 s a problem at S = 1,000: strategies vote over seeded orders instead where pools are large.

    Source: Wang et al., arXiv 2203.11171 (the rule); the generating function is in `majority_exact`.
    """
    keys = integers(keys, "keys")
    gold_correct = matched(gold_correct, "gold_correct", matrix(keys, "keys").shape)
    counts, credits = _count_keys(keys, gold_correct)
    known: dict[tuple[tuple[int, float], ...], Floats] = {}
    values = np.empty(keys.shape)
    for problem in range(len(keys)):
        present = counts[problem] > 0
        answers = tuple(sorted(zip(counts[problem][present].tolist(), credits[problem][present].tolist(), strict=True)))
        if answers not in known:
            votes = [count for count, _ in answers]
            known[answers] = majority_of_counts(votes, [credit for _, credit in answers], keys.shape[1] - sum(votes))
        values[problem] = known[answers]
    return values


def _count_keys(keys: NDArray[np.int64], gold_correct: Floats) -> tuple[NDArray[np.int64], Floats]:
    """[P, answers] how often each key occurs, and the share of its samples that are correct."""
    if keys.min() < -1:
        raise ValueError("a key is a non-negative integer, or −1 for a sample that abstains.")
    problems, cells = len(keys), int(keys.max()) + 2
    cell = (np.arange(problems)[:, None] * cells + keys + 1).ravel()
    counts = np.bincount(cell, minlength=problems * cells).reshape(problems, cells)
    right = np.bincount(cell, weights=gold_correct.ravel(), minlength=problems * cells).reshape(problems, cells)
    return counts[:, 1:], (right / np.maximum(counts, 1))[:, 1:]
