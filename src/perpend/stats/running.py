"""A plain vote as it runs: who leads, by how much, and before whom, after each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.stats.arrays import Ints


@dataclass(frozen=True)
class RunningVote:
    """The state of a plain vote after each sample, [S, …] throughout: the sample's turn comes first.

    Attributes:
        key: the answer that this sample gave; −1 where it abstains.
        count: the votes for that answer, this one included; 0 where it abstains.
        leader: the key with the most votes, ties to the one seen first; −1 while nobody has voted.
        top: its votes.
        runner_up: the key with the most votes besides, ties to the one seen first; −1 while there is one answer.
        second: its votes.
        distinct: answers seen.
        voters: samples with an answer.
    """

    key: NDArray[Any]
    count: NDArray[Any]
    leader: NDArray[Any]
    top: NDArray[Any]
    runner_up: NDArray[Any]
    second: NDArray[Any]
    distinct: NDArray[Any]
    voters: NDArray[Any]

    def upto(self, samples: int) -> RunningVote:
        """Its first so many turns."""
        return RunningVote(**{name: part[:samples] for name, part in vars(self).items()})

    def rows(self, which: NDArray[np.intp]) -> RunningVote:
        """Some of the votes, [S, votes], counting those of all other axes as one."""
        return RunningVote(**{name: part.reshape(len(part), -1)[:, which] for name, part in vars(self).items()})


def running_vote(keys: Ints) -> RunningVote:
    """The vote after each of the first t samples.

    Args:
        keys: [..., S] small integers in order of voting; −1 abstains.

    Returns:
        arrays [S, ...], int16 (int32 where S does not fit).

    A vote adds one to one count, so the two leading places change by at most one swap: the loop runs over S alone.
    """
    *shape, samples = keys.shape
    dtype = np.int16 if samples <= np.iinfo(np.int16).max else np.int32
    votes = np.ascontiguousarray(keys.reshape(-1, samples).T.astype(dtype))
    rows, answers = votes.shape[1], int(votes.max(initial=-1)) + 1
    counts = np.zeros(rows * (answers + 1), dtype)
    first_seen = np.full(rows * (answers + 1), samples, dtype)
    cell_of = np.arange(rows) * (answers + 1) + 1  # the cell before a row's first answer takes its abstentions
    state = {name: np.full(rows, -1 if name in ("leader", "runner_up") else 0, dtype) for name in STATE}
    found = {name: np.empty(votes.shape, dtype) for name in ("count", *STATE)}
    for turn, key in enumerate(votes):
        found["count"][turn] = _count(turn, key, counts, first_seen, cell_of, state)
        for name in STATE:
            found[name][turn] = state[name]
    return RunningVote(**{name: part.reshape(samples, *shape) for name, part in {"key": votes, **found}.items()})


STATE = ("leader", "top", "runner_up", "second", "distinct", "voters")


def _count(
    turn: int,
    key: NDArray[Any],
    counts: NDArray[Any],
    first_seen: NDArray[Any],
    cell_of: NDArray[Any],
    state: dict[str, NDArray[Any]],
) -> NDArray[Any]:
    """Add one vote a row to `counts` and `state`, in place; returns what each row's answer now has."""
    voted = key >= 0
    cell = cell_of + key
    count = counts[cell] + 1
    seen = np.minimum(first_seen[cell], turn)
    counts[cell], first_seen[cell] = count, seen
    state["voters"] += voted
    state["distinct"] += voted & (count == 1)
    leader, top, runner_up, second = state["leader"], state["top"], state["runner_up"], state["second"]
    leads = key == leader
    earlier = seen < first_seen[cell_of + leader]
    overtakes = voted & ~leads & ((count > top) | ((count == top) & earlier))
    before_second = seen < first_seen[cell_of + runner_up]
    follows = voted & ~leads & ~overtakes & ((count > second) | ((count == second) & before_second))
    np.copyto(runner_up, leader, where=overtakes)
    np.copyto(second, top, where=overtakes)
    np.copyto(runner_up, key, where=follows)
    np.copyto(second, count, where=follows)
    np.copyto(leader, key, where=overtakes)
    np.copyto(top, count, where=overtakes | (voted & leads))
    return np.where(voted, count, 0)
