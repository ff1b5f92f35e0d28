"""What strategies share that draw sample after sample until a rule is content: live, and over orders of a pool.

A rule is a pure function of a `RunningVote` (or of scores in the order drawn) that takes arrays: live code calls it
with one row, the evaluator with all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    Bools,
    Certificate,
    ConfigError,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    Result,
    Run,
    Spend,
    StopReason,
)
from perpend.stats import RunningVote, running_vote
from perpend.strategies.votes import Tally, codes, credits_of, elected

Rule = Callable[[RunningVote], Bools]
"""[S, …] → after which samples it may stop."""
FIRST_STAGE = 16
STATES_AT_ONCE = 1 << 22
MOST_WEIGHED = 256
"""Samples after which a rule is not asked any more that weighs every answer's votes: by then there is a tie."""
Certify = Callable[[RunningVote], Certificate]
"""What an early stop rests on, from the vote as it stands at its last turn."""


def refuse_no_wave(wave: int) -> None:
    """Raise ConfigError unless a wave holds at least one sample."""
    if wave < 1:
        raise ConfigError(f"Nothing can be drawn in waves of {wave}.", "Give 1 or more.")


def leader_of(vote: RunningVote) -> Ints:
    """What a plain vote answers, after each sample."""
    return np.asarray(vote.leader)


def turns_of(vote: RunningVote) -> Ints:
    """Samples seen at each turn, whether they voted or not: [S, 1, …]."""
    return np.arange(1, len(vote.leader) + 1).reshape(-1, *[1] * (vote.leader.ndim - 1))


async def vote_until(
    run: Run, n: int, wave: int, rule: Rule, certify: Certify, answer: Callable[[RunningVote], Ints] = leader_of
) -> Result:
    """Draw in waves until the rule is content or n are drawn, which leaves the leader of the plain vote.

    Args:
        run: the world.
        n: the most samples.
        wave: how many are drawn side by side before the rule is asked again.
        rule: asked after every whole wave, about all samples so far.
        certify: what an early stop rests on.
        answer: the key that an early stop returns.
    """
    tally = Tally()
    while len(run.samples) < n:
        before = len(run.samples)
        size = min(wave, n - before)
        async for sample in run.sample(size, at_once=size):
            tally.add(sample)
            if tally.leader is not None:
                run.submit(tally.leader, confidence=len(run.samples))
        if len(run.samples) < before + wave:
            break  # the budget has ended, or a last wave that is not whole
        vote = running_vote(codes(run.samples))
        if rule(vote)[-1]:
            return run.result(elected(run.samples, int(answer(vote)[-1])), StopReason.ACCEPTED, certify(vote))
    return run.result(tally.leader)


def shared_vote(pool: Pool, draw: Draw, orders: Orders) -> RunningVote:
    """The plain vote along every order of a pool, [S, permutation, problem]; made once for all rules that read it."""
    return orders.once(
        ("vote", draw), lambda: running_vote(in_order(np.where(pool.mask, pool.keys, -1), orders.of(draw)))
    )


def in_stages(rule: Rule, vote: RunningVote, wave: int) -> Bools:
    """A rule that is dear to ask, asked of those votes only that it has not ended before: [S, …], False after that.

    The turns are taken in stages up to 16, 32, … 256, and the votes that are still running in parts that bound the
    memory of a rule that looks at every state that they are in.
    """
    content = np.zeros(vote.key.reshape(len(vote.key), -1).shape, bool)
    running, begin, end = np.arange(content.shape[1]), 0, FIRST_STAGE
    while begin < min(len(content), MOST_WEIGHED) and len(running):
        part = vote.upto(end)
        at_once = max(1, STATES_AT_ONCE // len(part.key) ** 2)
        turns = np.arange(begin, len(part.key))
        for start in range(0, len(running), at_once):
            rows = running[start : start + at_once]
            content[begin:end, rows] = rule(part.rows(rows))[begin:end]
        ended = content[turns[(turns + 1) % wave == 0]][:, running].any(axis=0)
        running, begin, end = running[~ended], end, 2 * end
    return content.reshape(vote.key.shape)


def of_the_first(measure: Callable[[RunningVote], Floats], vote: RunningVote) -> Floats:
    """A measure that weighs every answer's votes, NaN after as many samples as it is asked about."""
    known = measure(vote.upto(MOST_WEIGHED))
    return np.concatenate([known, np.full((len(vote.key) - len(known), *known.shape[1:]), np.nan)])


def in_order(values: NDArray[Any], order: Ints) -> NDArray[Any]:
    """[problem, S] → [permutation, problem, S], as the orders take them."""
    return values[np.arange(len(values))[:, None], order]


def in_turn(values: NDArray[Any], order: Ints) -> NDArray[Any]:
    """[problem, S] → [S, permutation, problem], as the orders take them."""
    return np.ascontiguousarray(np.moveaxis(in_order(values, order), -1, 0))


def ruled_outcomes(pool: Pool, draw: Draw, orders: Orders, rule: Rule, *, n: int, wave: int) -> Outcomes:
    """Outcomes of a plain vote that a rule ends, over every order of the pool."""
    vote = shared_vote(pool, draw, orders).upto(n)
    return stopped_outcomes(pool, draw, orders, credit_of(pool, vote.leader), rule(vote), n=n, wave=wave)


def stopped_outcomes(
    pool: Pool, draw: Draw, orders: Orders, credit: NDArray[np.float32], may_stop: Bools, *, n: int, wave: int = 1
) -> Outcomes:
    """Outcomes of a rule that stops: for every N, the rule that has stopped before N or takes what it has at N.

    Args:
        pool: the samples.
        draw: which draw it is.
        orders: whose permutations (what was never drawn at their end) they are taken in.
        credit: [S, permutation, problem], how right it would be with the answer that it has after each sample.
        may_stop: the same shape: whether the rule is content after that sample.
        n: the most samples that it draws.
        wave: it is asked after every so many.

    Returns:
        means over the orders, [1, problem, N], with their Monte Carlo error.
    """
    width = min(n, pool.samples)
    turns = np.arange(1, width + 1)
    drawn = pool.mask.sum(axis=1)
    asked = may_stop[:width] & (turns % wave == 0)[:, None, None]
    running = np.empty_like(asked)  # whether the t-th sample is drawn at all
    running[0] = True
    np.logical_or.accumulate(asked[:-1], axis=0, out=running[1:])
    np.logical_not(running[1:], out=running[1:])
    running &= turns[:, None, None] <= drawn
    ends = asked & running
    gain = np.diff(credit[:width], axis=0, prepend=np.float32(0))
    correct = np.cumsum(np.multiply(gain, running, out=gain), axis=0, out=gain)
    samples = np.cumsum(running.mean(axis=1), axis=0).T

    def spent(name: str) -> Floats:
        return sum_while(running, measured_in_turn(pool, name, draw, orders)[:width])

    prompt, nothing = pool.prompt_tokens[:, None].astype(np.float64), np.zeros((1, *samples.shape))
    return Outcomes(
        correct=correct.mean(axis=1, dtype=np.float64).T[None],
        samples=samples[None],
        spend={
            pool.engine: Spend(
                prompt=(samples * prompt)[None],
                cached=(np.maximum(samples - 1, 0) * prompt)[None],
                completion=spent("completion_tokens")[None],
                discarded=nothing,
                verifier=nothing,
                device_seconds=spent("device_seconds")[None],
            )
        },
        latency_seconds=_latency(running, measured_in_turn(pool, "seconds", draw, orders)[:width], wave)[None],
        monte_carlo=monte_carlo_error(correct),
        stopped=np.cumsum(ends.mean(axis=1), axis=0).T[None],
        stopped_right=np.cumsum((ends * credit[:width]).mean(axis=1, dtype=np.float64), axis=0).T[None],
    )


def measured_in_turn(pool: Pool, name: str, draw: Draw, orders: Orders) -> NDArray[np.float32]:
    """One of a pool's arrays, [S, permutation, problem], as the orders take them; made once for all that read it."""
    return orders.once((name, draw), lambda: in_turn(getattr(pool, name).astype(np.float32), orders.of(draw)))


def sum_while(running: Bools, each: NDArray[np.float32]) -> Floats:
    """[problem, N]: the mean over orders of what has been spent while the rule was running."""
    spent = np.where(running, each, np.float32(0)).sum(axis=1, dtype=np.float64)
    return np.asarray(np.cumsum(spent, axis=0).T / running.shape[1])


def credit_of(pool: Pool, leader: Ints) -> NDArray[np.float32]:
    """How right each answer is, [..., permutation, problem]: the share of its samples that the grader accepts."""
    credits = credits_of(np.where(pool.mask, pool.keys, -1), pool)
    return np.asarray(credits.astype(np.float32)[np.arange(len(pool.problems)), leader])


def monte_carlo_error(correct: NDArray[np.float32]) -> Floats | None:
    """[N, permutation, problem] → the standard error over orders of the mean over problems, [N]; None for one order."""
    orders, problems = correct.shape[1:]
    if orders == 1:
        return None
    variance = correct.var(axis=1, ddof=1).sum(axis=-1) / orders
    return np.asarray(np.sqrt(variance) / problems, dtype=np.float64)


def _latency(running: Bools, each: NDArray[np.float32], wave: int) -> Floats:
    """[problem, N]: waves follow one another, each as long as its slowest sample."""
    if wave == 1:
        return sum_while(running, each)
    seconds = np.where(running, each, np.float32(0))
    for start in range(0, len(seconds), wave):
        slowest = np.maximum.accumulate(seconds[start : start + wave], axis=0)
        seconds[start : start + wave] = np.diff(slowest, axis=0, prepend=np.float32(0))
    return sum_while(running, seconds)
