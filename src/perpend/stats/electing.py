"""Choosing an answer by how often it was given and how well its best sample is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.stats.arrays import Floats, Ints

CELLS_AT_ONCE = 1 << 20

Merit = Callable[[NDArray[Any], Floats, NDArray[Any]], Floats]
"""(votes [rows, answers], best score [rows, answers], voters [rows, 1], 1 at least) → how good each answer is."""


def elected_turns(keys: NDArray[Any], values: Floats, merit: Merit) -> Ints:
    """Which sample to return after each of S samples: the best-scored one of the answer with the most merit.

    Args:
        keys: [S, …] small non-negative integers, one answer each, in the order drawn; −1 for none.
        values: the scores, in the same shape; NaN for none. Who lacks an answer or a score has no vote.
        merit: what an answer is judged by.

    Returns:
        [S, …], the turn at which the sample was drawn; −1 while nobody has voted. Ties of answers go to the one seen
        first, ties of its samples too.
    """
    samples, answers = len(keys), int(keys.max(initial=-1)) + 1
    votes = np.where(np.isnan(values), -1, keys).reshape(samples, -1)
    scores = np.clip(values.reshape(samples, -1), -np.finfo(np.float64).max, np.finfo(np.float64).max)
    chosen = np.empty(votes.shape, np.int32)
    at_once = max(1, CELLS_AT_ONCE // max(answers, 1))
    for start in range(0, votes.shape[1], at_once):
        part = slice(start, start + at_once)
        chosen[:, part] = _elect(votes[:, part], scores[:, part], answers, merit)
    return chosen.reshape(keys.shape)


def _elect(votes: NDArray[Any], scores: Floats, answers: int, merit: Merit) -> NDArray[Any]:
    samples, rows = votes.shape
    shape = rows, max(answers, 1)
    count, first = np.zeros(shape, np.int32), np.full(shape, samples, np.int32)
    best, best_turn = np.full(shape, -np.inf), np.full(shape, -1, np.int32)
    voters = np.zeros((rows, 1), np.int32)
    chosen = np.empty(votes.shape, np.int32)
    every = np.arange(rows)
    for turn, (key, score) in enumerate(zip(votes, scores, strict=True)):
        row = np.flatnonzero(key >= 0)
        cell = row, key[row]
        voters[row] += 1
        count[cell] += 1
        first[cell] = np.minimum(first[cell], turn)
        better = score[row] > best[cell]
        improved = row[better], key[row][better]
        best[improved], best_turn[improved] = score[improved[0]], turn
        worth = np.where(count > 0, merit(count, best, np.maximum(voters, 1)), -np.inf)
        leads = worth == worth.max(axis=1, keepdims=True)
        chosen[turn] = best_turn[every, np.where(leads, first, samples + 1).argmin(axis=1)]
    return chosen
