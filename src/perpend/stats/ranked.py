"""Votes over ranked lists of answers: Borda, instant-runoff and mean reciprocal rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.stats.arrays import Floats

Score = Callable[[NDArray[Any], int], Floats]
"""(ballots [t, rows, places], answers) → how each answer stands, [rows, answers]; −∞ for one that no ballot lists."""


def ranked_winners(ballots: NDArray[Any], score: Score) -> NDArray[Any]:
    """The winner after each of S ballots: the highest score, ties to the answer that was listed first.

    Args:
        ballots: [S, rows, places], answers as small integers, the best first; −1 past a list's end. A list holds no
            answer twice.
        score: `borda`, `reciprocal_rank` or `instant_runoff`.

    Returns:
        [S, rows]; −1 while no ballot lists anything.
    """
    samples, rows, places = ballots.shape
    answers = int(ballots.max(initial=0)) + 1
    first = _first_listed(ballots, answers)
    winners = np.full((samples, rows), -1)
    for turn in range(samples):
        standing = score(ballots[: turn + 1], answers)
        best = standing.max(axis=1, keepdims=True)
        leads = np.where((standing == best) & (best > -np.inf), first, samples * places + 1)
        winners[turn] = np.where(best[:, 0] > -np.inf, leads.argmin(axis=1), -1)
    return winners


def borda(ballots: NDArray[Any], answers: int) -> Floats:
    """The first of a list gets as many points as the longest list so far is long, each further one a point less."""
    longest = (ballots >= 0).sum(axis=2).max(axis=0)[None, :, None]
    return _points(ballots, longest - np.arange(ballots.shape[2]), answers)


def reciprocal_rank(ballots: NDArray[Any], answers: int) -> Floats:
    """Place r of a list gets 1/r."""
    return _points(ballots, 1 / np.arange(1.0, ballots.shape[2] + 1), answers)


def instant_runoff(ballots: NDArray[Any], answers: int) -> Floats:
    """Each ballot counts for the first of its answers that is still in; who has fewest goes out, until one is left.

    Of equals the one listed last goes out. An answer's score is the round in which it went out. Who has a majority of
    the ballots never goes out, so there is no need to look for one.
    """
    rows = ballots.shape[1]
    listed = _points(ballots, np.ones(ballots.shape[2]), answers) > 0
    standing = np.where(listed, np.inf, -np.inf)
    row = np.arange(rows)
    seen = _first_listed(ballots, answers)
    for turn in range(answers - 1):
        inside = standing == np.inf
        still = (ballots >= 0) & inside[row[None, :, None], ballots]
        choice = np.take_along_axis(ballots, still.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
        votes = np.zeros((rows, answers + 1))
        np.add.at(votes, (row[None], np.where(still.any(axis=2), choice, answers)), 1)
        fewest = np.where(inside, votes[:, :answers], np.inf)
        worst = np.where(fewest == fewest.min(axis=1, keepdims=True), seen, -1).argmax(axis=1)
        more = inside.sum(axis=1) > 1
        standing[row[more], worst[more]] = turn
    return np.where(standing == np.inf, answers, standing)


def _points(ballots: NDArray[Any], points: NDArray[Any], answers: int) -> Floats:
    """[rows, answers]: the sum of the points of an answer's places, −∞ where it has none."""
    total, listed = np.zeros((2, ballots.shape[1], answers + 1))
    cell = np.arange(ballots.shape[1])[None, :, None], ballots  # −1 is the last column
    np.add.at(total, cell, np.broadcast_to(points, ballots.shape))
    listed[cell] = 1
    return np.where(listed, total.round(9), -np.inf)[:, :answers]  # sums of fractions tie where they should


def _first_listed(ballots: NDArray[Any], answers: int) -> NDArray[Any]:
    """[rows, answers]: when it was listed first, by ballot and then by place."""
    samples, rows, places = ballots.shape
    order = np.arange(samples * places).reshape(samples, 1, places)
    first = np.full((rows, answers + 1), samples * places)
    np.minimum.at(first, (np.arange(rows)[None, :, None], ballots), np.broadcast_to(order, ballots.shape))
    return first[:, :answers]
