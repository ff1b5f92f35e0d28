"""The voting rule itself, literal and in order, for one row or for millions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Floats, Ints

CELLS_AT_ONCE = 1 << 21


def vote_winners(keys: ArrayLike, weights: ArrayLike | None = None) -> Ints:
    """The leading key after each of S votes: the largest total weight, ties to the key seen first.

    Args:
        keys: [S, …] small non-negative integers, one answer each, in order of voting; −1 abstains.
        weights: what each vote counts, ≥ 0, broadcast to the shape of keys; None counts every vote 1. NaN (no
            score) abstains.

    Returns:
        [S, …] integers of the dtype of keys; −1 while nobody has voted.

    Raises:
        ValueError: for a key below −1 or a negative weight.

    Totals only grow, so a vote can only put its own key in front: the loop runs over the S votes alone.
    """
    keys = _votes(keys)
    if weights is None:
        return _winners(keys, lambda _: lambda *_: 1)
    weights = np.broadcast_to(np.asarray(weights, dtype=np.float64), keys.shape)
    if bool(np.any(weights < 0)):
        raise ValueError("a vote's weight must not be negative: totals that shrink have no standing leader.")
    rows = weights.reshape(len(keys), -1)
    return _winners(_silent(keys, weights), lambda part: lambda _, turn, __: rows[turn, part])


def softmax_vote_winners(keys: ArrayLike, values: ArrayLike, temperature: float) -> Ints:
    """The leading key after each of S votes, when each counts exp(value / temperature): [S, …] throughout.

    The softmax over a question's samples divides all their weights by one number, which elects the same answer. Weights
    are kept relative to the highest value so far, so that no temperature is too low. NaN (no score) and −1 (no answer)
    abstain. Ties as for `vote_winners`. Raises ValueError for a key below −1.
    """
    keys = _votes(keys)
    values = np.broadcast_to(np.asarray(values, dtype=np.float64), keys.shape)
    rows = values.reshape(len(keys), -1)

    def relative(part: slice) -> Weigh:
        highest = np.full(part.stop - part.start, LOWEST)

        def weigh(standing: _Standing, turn: int, key: NDArray[Any]) -> Floats:
            value = np.where(key >= 0, np.clip(rows[turn, part], LOWEST, -LOWEST), LOWEST)
            risen = np.flatnonzero(value > highest)
            standing.scale(risen, np.exp((highest[risen] - value[risen]) / temperature))
            highest[risen] = value[risen]
            return np.asarray(np.exp((value - highest) / temperature))

        return weigh

    return _winners(_silent(keys, values), relative)


LOWEST = -1e300
"""Stands for −∞, so that differences of values are numbers."""


class _Standing:
    """Totals and leaders of many votes, one a row, as they run."""

    def __init__(self, rows: int, answers: int, samples: int) -> None:
        self._cells = answers + 1
        self._total = np.zeros(rows * self._cells)
        self._first_seen = np.full(rows * self._cells, samples, np.int32)
        self._before_first = np.arange(rows) * self._cells + 1  # the cell before a row's first answer takes abstentions
        self._best, self._best_seen = np.full(rows, -1.0), np.full(rows, samples, np.int32)
        self.leader = np.full(rows, -1, np.int32)

    def add(self, turn: int, key: NDArray[Any], weight: NDArray[Any] | int) -> None:
        """One vote a row."""
        cell = self._before_first + key
        total = self._total[cell] + weight
        seen = np.minimum(self._first_seen[cell], turn)
        self._total[cell], self._first_seen[cell] = total, seen
        ahead = ((total > self._best) | ((total == self._best) & (seen < self._best_seen))) & (key >= 0)
        for kept, new in ((self._best, total), (self._best_seen, seen), (self.leader, key)):
            np.copyto(kept, new, where=ahead, casting="same_kind")

    def scale(self, rows: Ints, factor: Floats) -> None:
        """Multiply all totals of some rows."""
        totals = self._total.reshape(-1, self._cells)
        totals[rows] *= factor[:, None]
        self._best[rows] *= factor


Weigh = Callable[[_Standing, int, NDArray[Any]], Floats | int]
"""(standing, turn, key of each row) → what each row's vote counts."""


def _winners(keys: NDArray[Any], weigh_of: Callable[[slice], Weigh]) -> Ints:
    """Run the votes, some rows at a time; `weigh_of` gives what weighs the votes of a slice of them."""
    samples = len(keys)
    votes = keys.reshape(samples, -1)
    winners = np.empty_like(votes)
    answers = int(votes.max(initial=-1)) + 1
    at_once = max(1, CELLS_AT_ONCE // (answers + 1))
    for start in range(0, votes.shape[1], at_once):
        part = slice(start, min(start + at_once, votes.shape[1]))
        weigh, standing = weigh_of(part), _Standing(part.stop - start, answers, samples)
        for turn in range(samples):
            key = votes[turn, part]
            standing.add(turn, key, weigh(standing, turn, key))
            winners[turn, part] = standing.leader
    return winners.reshape(keys.shape)


def _silent(keys: NDArray[Any], scores: Floats) -> NDArray[Any]:
    """The same votes, those without a score abstaining."""
    return np.where(np.isnan(scores), keys.dtype.type(-1), keys)


def _votes(keys: ArrayLike) -> NDArray[Any]:
    keys = np.asarray(keys)
    if keys.ndim == 0 or not np.issubdtype(keys.dtype, np.signedinteger):
        raise ValueError("keys must be an array of signed integers with the votes along its first axis.")
    if keys.size and keys.min() < -1:
        raise ValueError("a key is a non-negative integer, or −1 for a sample that abstains.")
    return keys
