"""The voting rule itself, literal and in order, for one row or for millions."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Ints

CELLS_AT_ONCE = 1 << 22


def vote_winners(keys: ArrayLike, weights: ArrayLike | None = None) -> Ints:
    """The leading key after each of the first N votes: the largest total weight, ties to the key seen first.

    Args:
        keys: [..., S] small non-negative integers, one answer each, in order of voting; −1 abstains.
        weights: what each vote counts, ≥ 0, broadcast to the shape of keys; None counts every vote 1. NaN (no
            score) abstains.

    Returns:
        [..., S] integers of the dtype of keys; −1 while nobody has voted.

    Raises:
        ValueError: for a key below −1 or a negative weight.

    Totals only grow, so a vote can only put its own key in front: the loop runs over the S votes alone.
    """
    keys = np.asarray(keys)
    if weights is not None:
        weights = np.broadcast_to(np.asarray(weights, dtype=np.float64), keys.shape)
        keys = np.where(np.isnan(weights), keys.dtype.type(-1), keys)
    _refuse_bad_votes(keys, weights)
    rows = keys.reshape(-1, keys.shape[-1])
    row_weights = None if weights is None else weights.reshape(rows.shape)
    winners = np.empty_like(rows)
    answers = int(rows.max(initial=-1)) + 1
    at_once = max(1, CELLS_AT_ONCE // max(answers + 1, rows.shape[1]))
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        winners[part] = _leaders(rows[part], None if row_weights is None else row_weights[part], answers)
    return winners.reshape(keys.shape)


def _leaders(keys: NDArray[Any], weights: NDArray[Any] | None, answers: int) -> NDArray[Any]:
    rows, samples = keys.shape
    votes = np.ascontiguousarray(keys.T)
    weight_of_vote = np.ones(samples, dtype=np.int32) if weights is None else np.ascontiguousarray(weights.T)
    total = np.zeros(rows * (answers + 1), dtype=weight_of_vote.dtype)
    first_seen = np.full(total.shape, samples, dtype=np.int32)
    no_key = np.arange(rows) * (answers + 1) + 1  # the cell before a row's first answer takes its abstentions
    best, best_seen = np.full(rows, -1, dtype=total.dtype), np.full(rows, samples, dtype=np.int32)
    leader, leaders = np.full(rows, -1, dtype=keys.dtype), np.empty_like(votes)
    for vote, key in enumerate(votes):
        cell = no_key + key
        sum_now = total[cell] + weight_of_vote[vote]
        seen = np.minimum(first_seen[cell], vote)
        total[cell], first_seen[cell] = sum_now, seen
        ahead = ((sum_now > best) | ((sum_now == best) & (seen < best_seen))) & (key >= 0)
        for kept, new in ((best, sum_now), (best_seen, seen), (leader, key)):
            np.copyto(kept, new, where=ahead, casting="same_kind")
        leaders[vote] = leader
    return leaders.T


def _refuse_bad_votes(keys: NDArray[Any], weights: NDArray[Any] | None) -> None:
    if keys.ndim == 0 or not np.issubdtype(keys.dtype, np.signedinteger):
        raise ValueError("keys must be an array of signed integers with the votes along its last axis.")
    if keys.size and keys.min() < -1:
        raise ValueError("a key is a non-negative integer, or −1 for a sample that abstains.")
    if weights is not None and bool(np.any(weights < 0)):
        raise ValueError("a vote's weight must not be negative: totals that shrink have no standing leader.")
