"""What strategies share that run samples side by side and stop once a rule is content with those that finished.

Live and offline the rule is asked each time a sample ends, in the order of finish: offline by completion tokens, ties
by index in the order drawn. What is still running then is cut, and charged min(its tokens, tokens since it started).
Where fewer run at once than are wanted, the next one starts as one ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    Bools,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    Prompt,
    Result,
    Run,
    Spend,
    StopReason,
)
from perpend.stats import running_vote
from perpend.strategies.stopping import Certify, Rule, credit_of, in_order, monte_carlo_error
from perpend.strategies.votes import Tally, codes


async def vote_as_they_finish(
    run: Run, n: int, rule: Rule, certify: Certify, *, at_once: int | None = None, prompt: Prompt | None = None
) -> Result:
    """Draw up to n samples, and return the leader of the plain vote once the rule is content with those that finished.

    Args:
        run: the world.
        n: the most samples.
        rule: asked each time that one ends.
        certify: what an early stop rests on.
        at_once: how many run side by side; None: all.
        prompt: what to sample from; None: the run's.
    """
    tally = Tally()
    async for sample in run.sample(n, prompt, at_once=min(n, at_once or n), order="finish"):
        tally.add(sample)
        if tally.leader is not None:
            run.submit(tally.leader, confidence=len(run.samples))
        vote = running_vote(codes(run.samples))
        if rule(vote)[-1]:
            return run.result(tally.leader, StopReason.ACCEPTED, certify(vote))
    return run.result(tally.leader)


def finished_outcomes(
    pool: Pool, draw: Draw, orders: Orders, rule: Rule, *, n: int, at_once: int | None = None
) -> Outcomes:
    """Outcomes for every N: the first N samples of each order are what may be started.

    `samples` counts those that finished. One that was cut is charged its prompt and what it had said.

    Args:
        pool: the samples.
        draw: which draw it is.
        orders: whose permutations (what was never drawn at their end) they are started in.
        rule: asked each time that one ends.
        n: the most samples.
        at_once: how many run side by side; None: all.

    Returns:
        means over the orders, [1, problem, N], with their Monte Carlo error.
    """
    width = min(n, pool.samples)
    order = orders.of(draw)[..., :width]
    started = _Started.of(pool, order, at_once or width)
    end = _End.before(started)
    correct = np.empty((width, *order.shape[:2]), np.float32)
    stopped_right = np.empty((len(pool.problems), width))
    means = {name: np.empty((len(pool.problems), width)) for name in MEASURES}
    for last in range(width):
        end.start(started, last, rule)
        correct[last] = credit_of(pool, end.leader.reshape(order.shape[:2]))
        for name, measured in end.measures(started.first(last + 1)).items():
            means[name][:, last] = measured.reshape(order.shape[:2]).mean(axis=0)
        stopped_right[:, last] = (end.stopped.reshape(order.shape[:2]) * correct[last]).mean(axis=0)
    prompt = pool.prompt_tokens[:, None].astype(np.float64)
    spend = Spend(
        prompt=(means["asked"] * prompt)[None],
        cached=(np.maximum(means["asked"] - 1, 0) * prompt)[None],
        completion=means["completion"][None],
        discarded=means["discarded"][None],
        verifier=np.zeros((1, *means["asked"].shape)),
        device_seconds=means["device_seconds"][None],
    )
    return Outcomes(
        correct=correct.mean(axis=1, dtype=np.float64).T[None],
        samples=means["finished"][None],
        spend={pool.engine: spend},
        latency_seconds=means["latency_seconds"][None],
        monte_carlo=monte_carlo_error(correct),
        stopped=means["stopped"][None],
        stopped_right=stopped_right[None],
    )


MEASURES = ("asked", "finished", "completion", "discarded", "device_seconds", "latency_seconds", "stopped")


@dataclass(frozen=True)
class _Started:
    """Samples in the order started, [row, sample] of each; a row is a problem in one order.

    `starts` says when, in tokens, and `waits` in seconds; `at_once` run side by side.
    """

    keys: Ints
    tokens: Ints
    seconds: Floats
    device_seconds: Floats
    exists: Bools
    starts: Ints
    waits: Floats
    at_once: int

    @classmethod
    def of(cls, pool: Pool, order: Ints, at_once: int) -> _Started:
        def rows(values: NDArray[Any]) -> NDArray[Any]:
            return in_order(values, order).reshape(-1, order.shape[-1])

        tokens, seconds = rows(np.where(pool.mask, pool.completion_tokens, 0)), rows(pool.seconds)
        starts, waits = _turns(tokens, seconds, at_once)
        return cls(
            keys=rows(np.where(pool.mask, pool.keys, -1)),
            tokens=tokens,
            seconds=seconds,
            device_seconds=rows(np.where(pool.mask, pool.device_seconds, 0.0)),
            exists=rows(pool.mask),
            starts=starts,
            waits=waits,
            at_once=at_once,
        )

    @property
    def ends(self) -> Ints:
        """When each would finish, in tokens."""
        return self.starts + self.tokens

    def first(self, n: int) -> _Started:
        return self._each(lambda part: part[:, :n])

    def rows(self, which: Bools) -> _Started:
        return self._each(lambda part: part[which])

    def _each(self, take: Callable[[NDArray[Any]], NDArray[Any]]) -> _Started:
        taken: dict[str, Any] = {name: take(part) for name, part in vars(self).items() if isinstance(part, np.ndarray)}
        return replace(self, **taken)


def _turns(tokens: Ints, seconds: Floats, at_once: int) -> tuple[Ints, Floats]:
    """When each sample starts, [row, sample] in tokens and in seconds: as soon as one that runs has ended."""
    starts, waits = np.zeros_like(tokens), np.zeros_like(seconds)
    if at_once >= tokens.shape[1]:
        return starts, waits
    row = np.arange(len(tokens))
    free, since = np.zeros((len(tokens), at_once), np.int64), np.zeros((len(tokens), at_once))
    for i in range(tokens.shape[1]):
        place = free.argmin(axis=1)
        starts[:, i], waits[:, i] = free[row, place], since[row, place]
        free[row, place] += tokens[:, i]
        since[row, place] += seconds[:, i]
    return starts, waits


@dataclass
class _End:
    """How each row ended, [row] throughout.

    Attributes:
        leader: the vote's leader then; −1 for none.
        finished: samples that had finished.
        cut: the time then, in tokens.
        completion: tokens of those that had finished.
        latency_seconds: of the slowest of them.
        stopped: whether the rule ended it, rather than the last sample.
    """

    leader: Ints
    finished: Ints
    cut: Ints
    completion: Ints
    latency_seconds: Floats
    stopped: Bools

    @classmethod
    def before(cls, started: _Started) -> _End:
        """Nothing has been started."""
        nothing = np.zeros(len(started.keys), np.int64)
        return cls(nothing - 1, nothing.copy(), nothing.copy(), nothing.copy(), np.zeros(len(nothing)), nothing > 0)

    def start(self, started: _Started, last: int, rule: Rule) -> None:
        """Let one more run with them: it changes nothing where the rule had stopped before it would have finished."""
        heard = started.exists[:, last] & (~self.stopped | (started.ends[:, last] < self.cut))
        if heard.any():
            anew = _race(started.first(last + 1).rows(heard), rule)
            for name, part in vars(anew).items():
                getattr(self, name)[heard] = part

    def measures(self, started: _Started) -> dict[str, NDArray[Any]]:
        """What it came to, by the names of MEASURES."""
        given = np.clip(self.cut[:, None] - started.starts, 0, started.tokens)
        share = given / np.maximum(started.tokens, 1)
        return {
            "asked": np.minimum(started.exists.sum(axis=1), started.at_once + np.maximum(self.finished - 1, 0)),
            "finished": self.finished,
            "completion": self.completion,
            "discarded": given.sum(axis=1) - self.completion,
            "device_seconds": (started.device_seconds * share).sum(axis=1),
            "latency_seconds": self.latency_seconds,
            "stopped": self.stopped,
        }


def _race(started: _Started, rule: Rule) -> _End:
    """Hear samples in the order of their finish until the rule is content, or none is left."""
    ends = np.where(started.exists, started.ends, np.iinfo(np.int64).max)
    finish = np.argsort(ends, axis=1, kind="stable")
    tokens, seconds = (
        np.take_along_axis(part, finish, axis=1) for part in (started.tokens, started.waits + started.seconds)
    )
    vote = running_vote(np.take_along_axis(started.keys, finish, axis=1))
    there = started.exists.sum(axis=1)
    turns = np.arange(len(vote.leader))[:, None]
    content = rule(vote) & (turns < there)
    stopped = content.any(axis=0)
    last = np.where(stopped, content.argmax(axis=0), there - 1)
    each = np.arange(len(last))
    heard = last[:, None] >= turns.T
    return _End(
        leader=vote.leader[last, each],
        finished=last + 1,
        cut=np.take_along_axis(ends, finish, axis=1)[each, last],
        completion=np.where(heard, tokens, 0).sum(axis=1),
        latency_seconds=np.where(heard, seconds, 0.0).max(axis=1),
        stopped=stopped,
    )
