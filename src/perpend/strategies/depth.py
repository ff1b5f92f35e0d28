"""What strategies share that look into traces while they think: side by side, a step deeper at a time.

All running traces advance by `every` tokens a step; after each step those still running are asked for their answer
(a probe, which is charged and forgotten), and a rule decides which are cut, whether more are started, and whether all
is said. A rule is a pure function of arrays [row, trace]: live code calls it with one row, the evaluator with a row for
each problem in each order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    Bools,
    ConfigError,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    Spend,
)
from perpend.strategies.stopping import credit_of, in_order, monte_carlo_error


@dataclass(frozen=True)
class Seen:
    """What is known after a step, [row, trace] throughout.

    Attributes:
        step: steps taken, 1 after the first.
        answers: its own answer where a trace has ended, else the one that it was forced to give; −1 for none.
        ended: it came to its own end.
        running: it has been started, and neither ended nor was it cut.
    """

    step: int
    answers: Ints
    ended: Bools
    running: Bools


@dataclass(frozen=True)
class Standing:
    """What a rule has decided so far; rules add to it what they remember. All arrays are [row, …].

    Attributes:
        started: [row], how many of the traces; the first ones.
        cut: [row, trace], which of them go no further and have no vote.
        leader: [row], the answer that would be given now; −1 for none.
        content: [row], whether it is given.
    """

    started: Ints
    cut: Bools
    leader: Ints
    content: Bools

    @classmethod
    def at_first(cls, rows: int, traces: int, started: int, **more: NDArray[Any]) -> Self:
        """Nothing is known."""
        return cls(
            started=np.full(rows, min(started, traces)),
            cut=np.zeros((rows, traces), bool),
            leader=np.full(rows, -1),
            content=np.zeros(rows, bool),
            **more,
        )

    def rows(self, which: Bools) -> Self:
        """The same for some of the rows."""
        return replace(self, **{field.name: getattr(self, field.name)[which] for field in fields(self)})


S = TypeVar("S", bound=Standing)


class DepthRule(Protocol[S]):
    """How to go about it."""

    def begin(self, rows: int, traces: int) -> S:
        """Before the first step, with so many traces to be had."""
        ...

    def decide(self, standing: S, seen: Seen) -> S:
        """After a step. What was cut stays cut, and what was started stays started."""
        ...


def plurality(answers: Ints, voting: Bools) -> tuple[Ints, Ints]:
    """The answer that most of those voting give, ties to the first trace's, and its votes; −1 and 0 where none has any.

    Args:
        answers: [row, trace].
        voting: the same shape.
    """
    traces = answers.shape[1]
    votes = np.where(voting, answers, -1).astype(np.int16)
    order = np.argsort(votes, axis=1, kind="stable")
    votes = np.take_along_axis(votes, order, axis=1)
    place = np.arange(traces)
    begins = np.ones(votes.shape, bool)
    begins[:, 1:] = votes[:, 1:] != votes[:, :-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    count = place - first + 1
    merit = np.where(votes >= 0, count * traces - np.take_along_axis(order, first, axis=1), -1)
    best = merit.argmax(axis=1)[:, None]
    leader = np.take_along_axis(votes, best, axis=1)[:, 0].astype(np.int64)
    return leader, np.where(leader >= 0, np.take_along_axis(count, best, axis=1)[:, 0], 0)


def refuse_no_step(every: int) -> None:
    """Raise ConfigError unless a step has at least one token."""
    if every < 1:
        raise ConfigError(f"Traces cannot advance by {every} tokens a step.", "Give every=1 or more.")


@dataclass(frozen=True)
class Traces:
    """Traces side by side, [row, trace] in the order that they are started.

    Attributes:
        forced: [row, trace, step], the answer forced after each step; past a trace's end its own.
        keys: their own answers.
        tokens: their lengths.
        seconds, device_seconds: what they took.
        exists: where there is one.
        every: tokens of a step.
        probe_tokens: of a probe.
    """

    forced: Ints
    keys: Ints
    tokens: Ints
    seconds: Floats
    device_seconds: Floats
    exists: Bools
    every: int
    probe_tokens: int

    @classmethod
    def of(cls, pool: Pool, order: Ints) -> Traces:
        """Those of a pool with probes, a row for each problem in each order: [permutation, problem, sample]."""
        assert pool.probes is not None

        def rows(values: NDArray[Any]) -> NDArray[Any]:
            ordered = in_order(values, order)
            return ordered.reshape(-1, *ordered.shape[2:])

        return cls(
            forced=rows(pool.probes.keys),
            keys=rows(np.where(pool.mask, pool.keys, -1)),
            tokens=rows(np.where(pool.mask, pool.completion_tokens, 0)),
            seconds=rows(np.where(pool.mask, pool.seconds, 0.0)),
            device_seconds=rows(np.where(pool.mask, pool.device_seconds, 0.0)),
            exists=rows(pool.mask),
            every=pool.probes.every,
            probe_tokens=pool.probes.tokens,
        )

    def first(self, traces: int) -> Traces:
        """Only so many of each row."""
        return self._each(lambda part: part[:, :traces])

    def rows(self, which: Bools) -> Traces:
        """Some of the rows."""
        return self._each(lambda part: part[which])

    def _each(self, take: Callable[[NDArray[Any]], NDArray[Any]]) -> Traces:
        taken: dict[str, Any] = {name: take(part) for name, part in vars(self).items() if isinstance(part, np.ndarray)}
        return replace(self, **taken)

    def answers_at(self, age: Ints) -> Ints:
        """What each would answer after so many steps of its own, its own answer where it has ended: [row, trace]."""
        depth = np.clip(age, 1, self.forced.shape[2]) - 1
        forced = np.take_along_axis(self.forced, depth[..., None], axis=2)[..., 0]
        return np.where(self.tokens <= age * self.every, self.keys, forced)


@dataclass
class Walk:
    """How a rule went through traces, [row] throughout but for `given`.

    Attributes:
        leader: the answer; −1 for none.
        content: the rule ended it, rather than the last trace.
        given: [row, trace], tokens of each.
        probes: how many.
        seconds: each step as long as its slowest trace.
    """

    leader: Ints
    content: Bools
    given: Ints
    probes: Ints
    seconds: Floats

    @classmethod
    def of(cls, rows: int, traces: int) -> Walk:
        """Nothing has happened."""
        nothing = np.zeros(rows, np.int64)
        return cls(
            leader=nothing - 1,
            content=nothing > 0,
            given=np.zeros((rows, traces), np.int64),
            probes=nothing.copy(),
            seconds=np.zeros(rows),
        )


def walk(traces: Traces, rule: DepthRule[S]) -> Walk:
    """Go down all rows together until the rule is content with each, or nothing is left to run."""
    rows, width = traces.tokens.shape
    whole = Walk.of(rows, width)
    left, here, standing = np.arange(rows), traces, rule.begin(rows, width)
    age = np.zeros((rows, width), np.int64)
    running = _running(standing, here, age)
    step = 0
    while left.size:
        step += 1
        before, age = age, age + running
        here_given = np.minimum(here.tokens, age * here.every)
        said = here_given - np.minimum(here.tokens, before * here.every)
        whole.seconds[left] += (here.seconds * said / np.maximum(here.tokens, 1)).max(axis=1)
        whole.given[left] = here_given
        ended = here.exists & (age > 0) & (here.tokens <= age * here.every)
        asked = running & ~ended
        whole.probes[left] += asked.sum(axis=1)
        seen = Seen(step, np.where(age > 0, here.answers_at(age), -1), ended, asked)
        standing = rule.decide(standing, seen)
        running = _running(standing, here, age)
        whole.leader[left] = standing.leader
        whole.content[left] = standing.content & running.any(axis=1)
        goes_on = running.any(axis=1) & ~standing.content
        left, age, running = left[goes_on], age[goes_on], running[goes_on]
        here, standing = here.rows(goes_on), standing.rows(goes_on)
    return whole


def _running(standing: Standing, traces: Traces, age: Ints) -> Bools:
    started = np.arange(age.shape[1]) < standing.started[:, None]
    return started & traces.exists & ~standing.cut & (traces.tokens > age * traces.every)


def walked_outcomes(pool: Pool, draw: Draw, orders: Orders, rule: DepthRule[S], *, n: int) -> Outcomes:
    """Outcomes of a rule for every N: the first N samples of each order are what it may start.

    Tokens of traces that came to their end count as completion, of the others as discarded, of probes as the
    verifier's; the prefix of a probe is in the cache. `samples` counts the traces that were started.

    Returns:
        means over the orders, [1, problem, N], with their Monte Carlo error.
    """
    width = min(n, pool.samples)
    order = orders.of(draw)[..., :width]
    traces, graded = Traces.of(pool, order), _with_forced(pool)
    correct = np.empty((width, *order.shape[:2]), np.float32)
    means: dict[str, Floats] = {}
    for last in range(width):
        some = traces.first(last + 1)
        found = walk(some, rule)
        correct[last] = credit_of(graded, found.leader.reshape(order.shape[:2]))
        for name, measured in _measures(found, some).items():
            mean = measured.reshape(order.shape[:2]).mean(axis=0, dtype=np.float64)
            means.setdefault(name, np.empty((len(pool.problems), width)))[:, last] = mean
    prompt = pool.prompt_tokens[:, None].astype(np.float64)
    spend = Spend(
        prompt=(means["started"] * prompt)[None],
        cached=(np.maximum(means["started"] - 1, 0) * prompt)[None],
        **{name: means[name][None] for name in ("completion", "discarded", "verifier", "device_seconds")},
    )
    return Outcomes(
        correct=correct.mean(axis=1, dtype=np.float64).T[None],
        samples=means["started"][None],
        spend={pool.engine: spend},
        latency_seconds=means["seconds"][None],
        monte_carlo=monte_carlo_error(correct),
        stopped=means["content"][None],
    )


def _with_forced(pool: Pool) -> Pool:
    """The pool with every forced answer as a sample of its own, so that one which no trace ended in is graded too."""
    assert pool.probes is not None

    def both(whole: NDArray[Any], forced: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([whole, forced.reshape(len(whole), -1)], axis=1)

    keys, correct = both(pool.keys, pool.probes.keys), both(pool.correct, pool.probes.correct)
    existing = np.broadcast_to(pool.mask[..., None], pool.probes.keys.shape)
    return replace(pool, keys=keys, correct=correct, mask=both(pool.mask, existing))


def _measures(found: Walk, traces: Traces) -> dict[str, NDArray[Any]]:
    """[row] of each."""
    whole = found.given >= traces.tokens
    share = found.given / np.maximum(traces.tokens, 1)
    return {
        "started": (found.given > 0).sum(axis=1),
        "completion": np.where(whole, found.given, 0).sum(axis=1),
        "discarded": np.where(whole, 0, found.given).sum(axis=1),
        "verifier": found.probes * traces.probe_tokens,
        "device_seconds": (traces.device_seconds * share).sum(axis=1),
        "seconds": found.seconds,
        "content": found.content,
    }
