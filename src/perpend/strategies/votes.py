"""The vote: the answer with the most weight among the samples that have one; a tie goes to the one seen first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from perpend.core import Bools, Floats, Ints, Pool, Sample

Rule = Callable[[Ints, Floats, Floats], Ints]
"""(keys, values, probabilities), all [..., samples] → the leading key after each vote, −1 while there is none."""


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


def softmax_winners(keys: Ints, values: Floats, temperature: float) -> Ints:
    """The leading key after each vote, when each counts exp(value / temperature): [..., samples] throughout.

    The softmax over a question's samples divides all their weights by one number, which elects the same answer; so
    weights are summed as logarithms, and no temperature is too low. NaN (no score) and −1 (no answer) abstain.
    """
    rows = np.where(np.isnan(values), -1, keys).reshape(-1, keys.shape[-1])
    logs = np.nan_to_num(values / temperature, nan=0.0, posinf=np.inf, neginf=-np.inf).reshape(rows.shape)
    shape = len(rows), int(rows.max(initial=-1)) + 2  # the last column takes the abstentions
    total, first_seen = np.full(shape, -np.inf), np.full(shape, keys.shape[-1])
    leader, winners = np.full(len(rows), -1), np.empty_like(rows)
    at = np.arange(len(rows))
    for vote, key in enumerate(rows.T):
        total[at, key] = np.logaddexp(total[at, key], logs[:, vote])
        first_seen[at, key] = np.minimum(first_seen[at, key], vote)
        gain = total[at, key], -first_seen[at, key]
        best = total[at, leader], -first_seen[at, leader]
        ahead = (leader < 0) | (gain[0] > best[0]) | ((gain[0] == best[0]) & (gain[1] > best[1]))
        leader = np.where(ahead & (key >= 0), key, leader)
        winners[:, vote] = leader
    return winners.reshape(keys.shape)


def credit_over_orders(pool: Pool, order: Ints, verifier: str | None, rule: Rule) -> tuple[Floats, Floats]:
    """How right a vote's leader is after each sample of each order.

    Args:
        pool: the samples.
        order: [permutation, problem, sample].
        verifier: whose scores the rule reads; None for none.
        rule: who leads.

    Returns:
        [permutation, problem, N] correctness, and the [N] standard error of its mean over problems from the finite
        number of orders. An answer that the grader judges inconsistently counts with the share of its samples that
        are correct.
    """
    problem = np.arange(len(pool.problems))[:, None]
    order = existing_first(order, pool.mask)
    unscored = np.full(pool.keys.shape, np.nan)
    keys = np.where(pool.mask, pool.keys, -1)
    values = pool.scores[verifier] if verifier else unscored
    probabilities = pool.probabilities.get(verifier or "", unscored)
    winners = rule(keys[problem, order], values[problem, order], probabilities[problem, order])
    correct = credits_of(keys, pool)[problem, winners]
    variance = correct.var(axis=0, ddof=1) if len(order) > 1 else np.full(keys.shape, np.nan)
    return correct, np.sqrt((variance / len(order)).sum(axis=0)) / len(pool.problems)


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
    credits = np.zeros((len(keys), int(keys.max(initial=-1)) + 2))
    for key in range(credits.shape[1] - 1):
        votes = keys == key
        credits[:, key] = (votes & pool.correct).sum(axis=1) / np.maximum(votes.sum(axis=1), 1)
    return credits
