"""maj@k, self-consistency's accuracy, for every k: exact for small pools, by seeded permutations for large ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Floats, integers, matched, matrix
from perpend.stats.majority_exact import majority_of_counts
from perpend.stats.orders import permutations
from perpend.stats.votes import vote_winners

VOTES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class MajorityCurve:
    """maj@k of each problem, and how far a permutation estimate of its mean may be off."""

    values: Floats
    """[P, S], column k−1 for k votes."""
    monte_carlo_error: Floats | None
    """[S] standard error of the mean over problems from the finite number of orders; None when exact."""


def majority_curve(
    keys: ArrayLike, gold_correct: ArrayLike, at_most_exact: int = 256, orders: int = 64, seed: int = 0
) -> MajorityCurve:
    """Accuracy of the most frequent answer of k samples drawn without replacement, for every k.

    Args:
        keys: [P, S] an integer for each distinct answer of a problem; −1 abstains and never votes. k draws that all
            abstain score 0.
        gold_correct: [P, S], correctness of each sample. It is a property of the key; several keys may be correct.
            Should grading disagree within a key, that key counts with the share of its samples that are correct.
        at_most_exact: the largest S computed exactly, with 1/(t+1) credit in a tie with t other answers.
        orders: random orders a problem above that.
        seed: of those orders.

    Raises:
        ValueError: when shapes differ or a key is below −1.

    Source: Wang et al., arXiv 2203.11171 (the rule); the generating function is in `majority_exact`.
    """
    keys = integers(keys, "keys")
    gold_correct = matched(gold_correct, "gold_correct", matrix(keys, "keys").shape)
    if keys.shape[1] > at_most_exact:
        return vote_curve(keys, gold_correct, orders=orders, seed=seed)
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
    return MajorityCurve(values, None)


def vote_curve(
    keys: ArrayLike, gold_correct: ArrayLike, weights: ArrayLike | None = None, orders: int = 64, seed: int = 0
) -> MajorityCurve:
    """Accuracy of the (weighted) vote's leader after each of S votes, averaged over seeded random orders.

    `keys` and `gold_correct` as for `majority_curve`, `weights` [P, S] as for `vote_winners`. Ties go to the first
    seen, which over random orders is the even split in expectation.
    """
    keys = integers(keys, "keys")
    problems, samples = matrix(keys, "keys").shape
    gold_correct = matched(gold_correct, "gold_correct", keys.shape)
    weights = None if weights is None else matched(weights, "weights", keys.shape)
    _, credits = _count_keys(keys, gold_correct)
    values, variance = np.empty(keys.shape), np.zeros(samples)
    at_once = max(1, VOTES_AT_ONCE // (orders * samples))
    for start in range(0, problems, at_once):
        part = slice(start, min(start + at_once, problems))
        hits = _hits(keys[part], credits[part], None if weights is None else weights[part], orders, seed, start)
        values[part] = hits.mean(axis=0)
        variance += hits.var(axis=0).sum(axis=0) / max(orders - 1, 1)
    return MajorityCurve(values, np.sqrt(variance) / problems)


def _hits(
    keys: NDArray[np.int64], credits: Floats, weights: Floats | None, orders: int, seed: int, first_problem: int
) -> Floats:
    """[orders, problems, samples] credit of the leader after each vote."""
    problems, samples = keys.shape
    order = permutations(seed, orders, samples, problems, first_problem=first_problem)
    problem = np.arange(problems)[:, None]
    narrow = keys.astype(np.min_scalar_type(-1 - credits.shape[1]))
    winners = vote_winners(narrow[problem, order], None if weights is None else weights[problem, order])
    return np.asarray(np.column_stack([credits, np.zeros(problems)])[problem, winners])  # −1 is the last column


def _count_keys(keys: NDArray[np.int64], gold_correct: Floats) -> tuple[NDArray[np.int64], Floats]:
    """[P, answers] how often each key occurs, and the share of its samples that are correct."""
    if keys.min() < -1:
        raise ValueError("a key is a non-negative integer, or −1 for a sample that abstains.")
    problems, cells = len(keys), int(keys.max()) + 2
    cell = (np.arange(problems)[:, None] * cells + keys + 1).ravel()
    counts = np.bincount(cell, minlength=problems * cells).reshape(problems, cells)
    right = np.bincount(cell, weights=gold_correct.ravel(), minlength=problems * cells).reshape(problems, cells)
    return counts[:, 1:], (right / np.maximum(counts, 1))[:, 1:]
