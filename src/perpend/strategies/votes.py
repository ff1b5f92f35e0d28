"""The vote: the answer with the most weight among the samples that have one; a tie goes to the one seen first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import Bools, Floats, Ints, Pool, Sample


class Tally:
    """A plain vote, one sample at a time. It is `stats.vote_winners` for a single row, in constant time a vote."""

    def __init__(self) -> None:
        self.leader: Sample | None = None
        self._votes: Counter[str] = Counter()
        self._first: dict[str, tuple[int, Sample]] = {}

    def add(self, sample: Sample) -> None:
        """Count a vote; a sample without a key has none."""
        if sample.key is None:
            return
        self._votes[sample.key] += 1
        self._first.setdefault(sample.key, (len(self._first), sample))
        if self.leader is None or self._rank(sample.key) > self._rank(self.leader.key or ""):
            self.leader = self._first[sample.key][1]

    @property
    def votes(self) -> int:
        """Of the leader."""
        return self._votes[self.leader.key or ""] if self.leader else 0

    def _rank(self, key: str) -> tuple[int, int]:
        return self._votes[key], -self._first[key][0]


def codes(samples: Sequence[Sample]) -> Ints:
    """Each sample's key as a small integer, in order of first appearance; −1 where it has none."""
    seen: dict[str, int] = {}
    return np.array([-1 if s.key is None else seen.setdefault(s.key, len(seen)) for s in samples], dtype=np.int64)


def elected(samples: Sequence[Sample], winner: int) -> Sample | None:
    """The first sample that holds the winning answer, None where nobody voted."""
    return None if winner < 0 else samples[int(np.argmax(codes(samples) == winner))]


def existing_first(order: Ints, mask: Bools) -> Ints:
    """The same order, [permutation, problem, sample], what `mask` says was never drawn at its end.

    N samples of a ragged problem are then N, or all that there are.
    """
    if mask.all():
        return order
    missing = ~mask[np.arange(len(mask))[:, None], order]
    return np.take_along_axis(order, np.argsort(missing, axis=-1, kind="stable"), axis=-1)


def credits_of(keys: Ints, pool: Pool) -> Floats:
    """[problem, key]: the share of a key's samples that are correct; 0 in the last column, for nobody."""
    return means_of_keys(keys, pool.correct)


def means_of_keys(keys: Ints, values: NDArray[Any]) -> Floats:
    """[problem, key]: the mean of a key's samples' values; 0 in the last column, for nobody."""
    means = np.zeros((len(keys), int(keys.max(initial=-1)) + 2))
    for key in range(means.shape[1] - 1):
        votes = keys == key
        means[:, key] = np.where(votes, values, 0).sum(axis=1) / np.maximum(votes.sum(axis=1), 1)
    return means
