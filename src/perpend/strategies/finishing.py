"""What strategies share that start N samples side by side and stop once a rule is content with those that finished.

Live and offline the rule is asked each time a sample ends, in the order of finish: offline by completion tokens, ties
by index in the order drawn. What is still running then is cut, and charged min(its tokens, tokens at the cut).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import Bools, Draw, Floats, Ints, Orders, Outcomes, Pool, Result, Run, Spend, StopReason
from perpend.stats import running_vote
from perpend.strategies.stopping import Certify, Rule, credit_of, in_order, monte_carlo_error
from perpend.strategies.votes import Tally, codes


async def vote_as_they_finish(run: Run, n: int, rule: Rule, certify: Certify) -> Result:
    """Start n samples, and return the leader of the plain vote once the rule is content with those that finished."""
    tally = Tally()
    async for sample in run.sample(n, at_once=n, order="finish"):
        tally.add(sample)
        if tally.leader is not None:
            run.submit(tally.leader, confidence=len(run.samples))
        vote = running_vote(codes(run.samples))
        if rule(vote)[-1]:
            return run.result(tally.leader, StopReason.ACCEPTED, certify(vote))
    return run.result(tally.leader)


def finished_outcomes(pool: Pool, draw: Draw, orders: Orders, rule: Rule, *, n: int) -> Outcomes:
    """Outcomes for every N: the first N samples of each order are started together.

    `samples` counts those that finished. One that was cut is charged its prompt and what it had said.

    Args:
        pool: the samples.
        draw: which draw it is.
        orders: whose permutations (what was never drawn at their end) they are started in.
        rule: asked each time that one ends.
        n: the most samples.

    Returns:
        means over the orders, [1, problem, N], with their Monte Carlo error.
    """
    width = min(n, pool.samples)
    order = orders.of(draw)[..., :width]
    started = _Started.of(pool, order)
    end = _End.before(started)
    correct = np.empty((width, *order.shape[:2]), np.float32)
    means = {name: np.empty((len(pool.problems), width)) for name in MEASURES}
    for last in range(width):
        end.start(started, last, rule)
        correct[last] = credit_of(pool, end.leader.reshape(order.shape[:2]))
        for name, measured in end.measures(started.first(last + 1)).items():
            means[name][:, last] = measured.reshape(order.shape[:2]).mean(axis=0)
    drawn = np.minimum(np.arange(1, width + 1), pool.mask.sum(axis=1)[:, None])
    prompt = pool.prompt_tokens[:, None].astype(np.float64)
    spend = Spend(
        prompt=(drawn * prompt)[None],
        cached=(np.maximum(drawn - 1, 0) * prompt)[None],
        completion=means["completion"][None],
        discarded=means["discarded"][None],
        verifier=np.zeros((1, *drawn.shape)),
        device_seconds=means["device_seconds"][None],
    )
    return Outcomes(
        correct=correct.mean(axis=1, dtype=np.float64).T[None],
        samples=means["finished"][None],
        spend={pool.engine: spend},
        latency_seconds=means["latency_seconds"][None],
        monte_carlo=monte_carlo_error(correct),
        stopped=means["stopped"][None],
    )


MEASURES = ("finished", "completion", "discarded", "device_seconds", "latency_seconds", "stopped")


@dataclass(frozen=True)
class _Started:
    """Samples that run side by side, [row, sample] in the order started; a row is a problem in one order."""

    keys: Ints
    tokens: Ints
    seconds: Floats
    device_seconds: Floats
    exists: Bools

    @classmethod
    def of(cls, pool: Pool, order: Ints) -> _Started:
        def rows(values: NDArray[Any]) -> NDArray[Any]:
            return in_order(values, order).reshape(-1, order.shape[-1])

        return cls(
            keys=rows(np.where(pool.mask, pool.keys, -1)),
            tokens=rows(np.where(pool.mask, pool.completion_tokens, 0)),
            seconds=rows(pool.seconds),
            device_seconds=rows(np.where(pool.mask, pool.device_seconds, 0.0)),
            exists=rows(pool.mask),
        )

    def first(self, n: int) -> _Started:
        return _Started(**{name: part[:, :n] for name, part in vars(self).items()})

    def rows(self, which: Bools) -> _Started:
        return _Started(**{name: part[which] for name, part in vars(self).items()})


@dataclass
class _End:
    """How each row ended, [row] throughout.

    Attributes:
        leader: the vote's leader then; −1 for none.
        finished: samples that had finished.
        cut: tokens that each had been given by then.
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
        heard = started.exists[:, last] & (~self.stopped | (started.tokens[:, last] < self.cut))
        if heard.any():
            anew = _race(started.first(last + 1).rows(heard), rule)
            for name, part in vars(anew).items():
                getattr(self, name)[heard] = part

    def measures(self, started: _Started) -> dict[str, NDArray[Any]]:
        """What it came to, by the names of MEASURES."""
        given = np.minimum(started.tokens, self.cut[:, None])
        share = given / np.maximum(started.tokens, 1)
        return {
            "finished": self.finished,
            "completion": self.completion,
            "discarded": given.sum(axis=1) - self.completion,
            "device_seconds": (started.device_seconds * share).sum(axis=1),
            "latency_seconds": self.latency_seconds,
            "stopped": self.stopped,
        }


def _race(started: _Started, rule: Rule) -> _End:
    """Hear samples in the order of their finish until the rule is content, or none is left."""
    length = np.where(started.exists, started.tokens, np.iinfo(np.int64).max)
    finish = np.argsort(length, axis=1, kind="stable")
    tokens, seconds = (np.take_along_axis(part, finish, axis=1) for part in (started.tokens, started.seconds))
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
        cut=tokens[each, last],
        completion=np.where(heard, tokens, 0).sum(axis=1),
        latency_seconds=np.where(heard, seconds, 0.0).max(axis=1),
        stopped=stopped,
    )
