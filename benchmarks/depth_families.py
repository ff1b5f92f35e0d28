"""The families of rules that benchmarks/depth.py tries, each as what it comes to on every problem: [problem]."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from perpend.core import Bools, Floats, Ints, Pool
from perpend.stats import RunningVote, running_vote
from perpend.strategies.adaptive_consistency import leader_is_ahead
from perpend.strategies.best_of_infinity import leader_is_mode
from perpend.strategies.depth import DepthRule, Seen, Standing, Traces, plurality, walk

PROBE_TOKENS = 16
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Figures:
    """A rule on a pool, means over orders: [problem] each."""

    correct: Floats
    tokens: Floats
    samples: Floats


@dataclass(frozen=True)
class Votes:
    """When each trace casts its vote, and for what: [problem, trace] each.

    Attributes:
        keys: −1 where it abstains.
        tokens: when, in tokens of its own; it ends there.
        every: it is probed so often on the way; NEVER, not at all.
        extra: probes that it takes besides, if it gets to its vote.
        weight: of the vote, for weighted ones.
    """

    keys: Ints
    tokens: Ints
    every: int
    extra: Ints
    weight: Floats


@dataclass(frozen=True)
class Stop:
    """When enough have voted: `sure` of the vote and `least` votes, or so many that the leader will not get there."""

    sure: Callable[[RunningVote], Bools]
    least: int
    give_up: bool = False

    def __call__(self, vote: RunningVote) -> Bools:
        content = self.sure(vote) & (vote.voters >= self.least)
        if self.give_up:
            content |= (vote.voters >= 8) & (vote.top < 0.3 * vote.voters)
        return np.asarray(content)


def beta(confidence: float) -> Callable[[RunningVote], Bools]:
    """The Beta rule of adaptive consistency."""
    return lambda vote: leader_is_ahead(vote) >= confidence


def odds(bar: float) -> Callable[[RunningVote], Bools]:
    """The Dirichlet rule of best-of-∞."""

    def sure(vote: RunningVote) -> Bools:
        p = leader_is_mode(vote, 0.3)
        return np.asarray(vote.distinct * p >= bar * (1 - p))

    return sure


# ---- when a trace votes


def at_the_end(pool: Pool) -> Votes:
    """Each trace when it ends."""
    nothing = np.zeros(pool.keys.shape, np.int64)
    return Votes(pool.keys, pool.completion_tokens, NEVER, nothing, np.ones(pool.keys.shape))


def cut(votes: Votes, pool: Pool, depth: int | None, *, asked: bool) -> Votes:
    """The same, each trace cut at a depth: there it is asked, or has no vote."""
    if depth is None:
        return votes
    late = votes.tokens > depth
    keys: Ints | int = -1
    if asked and pool.probes is not None:
        keys = pool.probes.keys[..., min(depth // pool.probes.every, pool.probes.keys.shape[2]) - 1]
    return replace(
        votes,
        keys=np.where(late, keys, votes.keys),
        tokens=np.where(late, depth, votes.tokens),
        extra=np.where(late, int(asked), votes.extra),
    )


def settled(pool: Pool, patience: int, every: int) -> Votes:
    """Each trace once its forced answer has been the same in so many probes in a row, or when it ends."""
    assert pool.probes is not None
    votes, first = at_the_end(pool), np.full(pool.keys.shape, NEVER)
    keys = pool.keys.copy()
    for at, forced, run in _probed(pool, every):
        now = (run >= patience) & (first == NEVER) & (at < pool.completion_tokens)
        first, keys = np.where(now, at, first), np.where(now, forced, keys)
    tokens = np.minimum(first, votes.tokens)
    stood = np.where(first < NEVER, patience * every, 0) + np.where(first < NEVER, 0, _stood_at_the_end(pool))
    return replace(votes, keys=keys, tokens=tokens, every=every, weight=np.maximum(stood, 1) / np.maximum(tokens, 1))


def undecided_cut(pool: Pool, depth: int, patience: int, again: int | None) -> Votes:
    """Each trace when it ends, unless its forced answer has not stood for so many probes at a depth (or later ones)."""
    assert pool.probes is not None
    every = pool.probes.every
    alive, tokens, extra = np.ones(pool.keys.shape, bool), pool.completion_tokens.copy(), np.zeros(pool.keys.shape, int)
    for at, _, run in _probed(pool, every):
        running = alive & (at < pool.completion_tokens)
        extra += running & (at > depth - patience * every) & (again is not None or at <= depth)
        if at == depth or (again and at > depth and (at - depth) % again == 0):
            leaves = running & (run < patience)
            tokens, alive = np.where(leaves, at, tokens), alive & ~leaves
    return replace(at_the_end(pool), keys=np.where(alive, pool.keys, -1), tokens=tokens, extra=extra)


def _probed(pool: Pool, every: int) -> Iterator[tuple[int, Ints, Ints]]:
    """After how many tokens, the answers forced then, and how many probes in a row each has been the same."""
    assert pool.probes is not None
    stride = every // pool.probes.every
    before, run = np.full(pool.keys.shape, -1), np.zeros(pool.keys.shape, np.int64)
    for step in range(stride - 1, pool.probes.keys.shape[2], stride):
        forced = pool.probes.keys[..., step]
        run = np.where(forced < 0, 0, np.where(forced == before, run + 1, 1))
        before = forced
        yield (step + 1) * pool.probes.every, forced, run


def _stood_at_the_end(pool: Pool) -> Ints:
    """For how many tokens a trace had given its own answer when it ended."""
    assert pool.probes is not None
    steps = np.arange(pool.probes.keys.shape[2])
    last = pool.completion_tokens // pool.probes.every
    other = (pool.probes.keys != pool.keys[..., None]) & (steps < last[..., None])
    since = np.where(other.any(axis=2), steps[-1] + 1 - other[..., ::-1].argmax(axis=2), 0)
    return np.asarray(pool.completion_tokens - since * pool.probes.every)


# ---- who is heard, and when it is enough


class Race:
    """Traces in the order of their votes: `width` run at once, the next one starts as one votes.

    Args:
        pool: graded answers.
        votes: of its traces.
        order: [permutation, problem, trace].
        n: traces at most.
        width: side by side.
    """

    def __init__(self, pool: Pool, votes: Votes, order: Ints, n: int, width: int) -> None:
        problem = np.arange(len(pool.keys))[:, None]
        order = order[..., :n]
        self._votes, self._right = votes, right_answers(pool)
        self._tokens, self._extra = votes.tokens[problem, order], votes.extra[problem, order]
        self._starts = starts(self._tokens, width)
        ends = self._starts + self._tokens
        by_end = np.argsort(ends, axis=-1, kind="stable")
        self._ends = np.moveaxis(np.take_along_axis(ends, by_end, axis=-1), -1, 0)
        self._weights = np.take_along_axis(votes.weight[problem, order], by_end, axis=-1)
        self._keys = np.take_along_axis(votes.keys[problem, order], by_end, axis=-1)
        self.vote = running_vote(self._keys)

    def until(self, stop: Stop, weights: str | None = None) -> Figures:
        """What it comes to, the leader by plain votes or weighted ones."""
        content = stop(self.vote)
        content[-1] = True
        at = content.argmax(axis=0)[None]
        leader = np.take_along_axis(self.vote.leader, at, axis=0)[0]
        if weights is not None:
            leader = self._heaviest(at[0], weights)
        end = np.take_along_axis(self._ends, at, axis=0)[0][..., None]
        given = np.clip(end - self._starts, 0, self._tokens)
        probes = given // self._votes.every + np.where(given == self._tokens, self._extra, 0)
        tokens = (given + PROBE_TOKENS * probes).sum(axis=-1)
        correct = np.isin(leader + LARGE * np.arange(leader.shape[1]), self._right)
        return Figures(correct.mean(axis=0), tokens.mean(axis=0), (given > 0).sum(axis=-1).mean(axis=0))

    def _heaviest(self, last: Ints, weights: str) -> Ints:
        n = self._keys.shape[-1]
        weight = self._weights if weights == "stood" else np.broadcast_to(np.arange(n, 0, -1.0), self._keys.shape)
        weight = np.where((np.arange(n) <= last[..., None]) & (self._keys >= 0), weight, 0.0)
        total = np.zeros(self._keys.shape)
        for i in range(n):  # each vote's answer, its whole weight
            total += np.where(self._keys == self._keys[..., i : i + 1], weight[..., i : i + 1], 0.0)
        best = np.where(weight > 0, total, -1.0).argmax(axis=-1)[..., None]
        return np.asarray(np.take_along_axis(self._keys, best, axis=-1)[..., 0])


LARGE = 1 << 20


def right_answers(pool: Pool) -> Ints:
    """Keys that are right, own or forced, each with LARGE times its problem's number added."""
    number = LARGE * np.arange(len(pool.keys))[:, None]
    right = [(pool.keys + number)[pool.correct & (pool.keys >= 0)]]
    if pool.probes is not None:
        right.append((pool.probes.keys + number[..., None])[pool.probes.correct & (pool.probes.keys >= 0)])
    return np.unique(np.concatenate(right))


def starts(tokens: Ints, width: int) -> Ints:
    """When each trace starts, of those of a row in turn, `width` at once."""
    found = np.zeros_like(tokens)
    if width < tokens.shape[-1]:
        free = np.zeros((*tokens.shape[:-1], width), np.int64)
        for i in range(tokens.shape[-1]):
            place = free.argmin(axis=-1)[..., None]
            found[..., i] = np.take_along_axis(free, place, axis=-1)[..., 0]
            np.put_along_axis(free, place, found[..., i : i + 1] + tokens[..., i : i + 1], axis=-1)
    return found


# ---- votes that can change, or need each other


@dataclass(frozen=True)
class Remembered(Standing):
    """[row, trace] of each: the last forced answer, for how many probes, and the vote that is counted."""

    last: Ints
    run: Ints
    vote: Ints


@dataclass(frozen=True)
class Provisional:
    """All run on, and a running trace's vote is its forced answer while that has stood for `patience` probes.

    With `confirmed` > 0 a running trace votes, and ends, once its forced answer has stood and as many that ended have
    given the same; `width` run at once.
    """

    patience: int
    confidence: float
    width: int | None = None
    confirmed: int = 0

    def begin(self, rows: int, traces: int) -> Remembered:
        nothing = np.full((rows, traces), -1)
        return Remembered.at_first(rows, traces, self.width or traces, last=nothing, run=nothing * 0, vote=nothing)

    def decide(self, standing: Remembered, seen: Seen) -> Remembered:
        run = np.where(seen.answers < 0, 0, np.where(seen.answers == standing.last, standing.run + 1, 1))
        stood = seen.running & (run >= self.patience)
        ended = np.where(seen.ended & ~standing.cut, seen.answers, -1)
        if self.confirmed:
            stood &= _holders(ended, seen.answers) >= self.confirmed
            vote = np.where(stood, seen.answers, np.where(seen.ended & (standing.vote < 0), ended, standing.vote))
            cut = standing.cut | stood
        else:
            vote, cut = np.where(stood, seen.answers, ended), standing.cut
        leader, top = plurality(vote, vote >= 0)
        _, second = plurality(vote, (vote >= 0) & (vote != leader[:, None]))
        content = (1 - betainc(top + 1, second + 1, 0.5) >= self.confidence) & ((vote >= 0).sum(axis=1) >= 3)
        started = standing.started
        if self.width is not None:
            started = np.minimum((seen.ended | cut).sum(axis=1) + self.width, vote.shape[1])
        return Remembered(started, cut, leader, content, seen.answers, run, vote)


def _holders(ended: Ints, answers: Ints) -> Ints:
    """How many that ended gave what each trace now answers: [row, trace]."""
    held = np.zeros(answers.shape, np.int64)
    for i in range(answers.shape[1]):
        held += (ended[:, i : i + 1] >= 0) & (ended[:, i : i + 1] == answers)
    return held


def walked(pool: Pool, order: Ints, rule: DepthRule[Any], n: int) -> Figures:
    """A rule that looks into traces, at n of them."""
    found = walk(Traces.of(pool, order[..., :n]), rule)
    shape = order.shape[:2]
    leader = found.leader.reshape(shape)
    correct = np.isin(leader + LARGE * np.arange(shape[1]), right_answers(pool))
    tokens = found.given.sum(axis=1) + PROBE_TOKENS * found.probes
    started = (found.given > 0).sum(axis=1)
    means: Sequence[NDArray[Any]] = [part.reshape(shape).mean(axis=0) for part in (tokens, started)]
    return Figures(correct.mean(axis=0), *means)
