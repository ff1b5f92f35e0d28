"""What strategies share that draw N samples at once and then choose: how they draw, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import Bools, ConfigError, Floats, Outcomes, Pool, Prompt, Run, Sample, Spend
from perpend.stats import expected_max_curve
from perpend.strategies.votes import Tally


def refuse_no_samples(n: int) -> None:
    """Raise ConfigError unless n is at least 1."""
    if n < 1:
        raise ConfigError(f"A strategy cannot choose among n={n} samples.", "Give n=1 or more.")


async def draw(run: Run, n: int, prompt: Prompt | None = None) -> list[Sample]:
    """n samples, all at once, in the order of their index; fewer where the budget ends.

    Whenever the time runs out, the leader of the plain vote so far is the answer.
    """
    samples, tally = [], Tally()
    async for sample in run.sample(n, prompt, at_once=n, together=True):
        samples.append(sample)
        tally.add(sample)
        if tally.leader is not None:
            run.submit(tally.leader, confidence=len(samples))
    return samples


def fixed_outcomes(
    pool: Pool, correct: Floats, monte_carlo: Floats | None = None, proxy: Floats | None = None
) -> Outcomes:
    """Outcomes with the canonical charge at each N: all N samples at once, the prompt computed by the first of them.

    Args:
        pool: what was drawn.
        correct: [problem, N], expectations.
        monte_carlo: [N], the standard error of their mean where they are estimates over orders.
        proxy: [problem, N], what the verifier thinks of the choice.

    Costs are expectations over which N of the pool's samples are drawn. A problem with fewer than N samples (its budget
    ended) keeps what it has.
    """
    correct = correct[None]
    drawn = _drawn(pool)
    spend = canonical_spend(pool)
    spread = {name: np.broadcast_to(part, correct.shape) for name, part in vars(spend).items()}
    return Outcomes(
        correct=correct,
        samples=np.broadcast_to(drawn, correct.shape),
        spend={pool.engine: Spend(**spread)},
        latency_seconds=np.broadcast_to(ragged(expected_max_curve, pool.mask, pool.seconds), correct.shape),
        monte_carlo=monte_carlo,
        proxy=None if proxy is None else proxy[None],
    )


def canonical_spend(pool: Pool) -> Spend:
    """What N samples cost, [problem, N]. No verifier of this version spends tokens."""
    drawn = _drawn(pool)
    prompt = pool.prompt_tokens[:, None].astype(np.float64)
    nothing = np.zeros(drawn.shape)
    return Spend(
        prompt=drawn * prompt,
        cached=np.maximum(drawn - 1, 0) * prompt,
        completion=drawn * _row_mean(pool.completion_tokens, pool.mask),
        discarded=nothing,
        verifier=nothing,
        device_seconds=drawn * _row_mean(pool.device_seconds, pool.mask),
    )


def ragged(curve: Callable[..., Floats], mask: Bools, *arrays: NDArray[Any]) -> Floats:
    """A curve over N, [problem, N], for problems that have different numbers of samples.

    `curve` maps [rows, width] arrays to [rows, width]. Beyond its last sample a problem keeps the value that it has
    there; one without samples has 0.
    """
    widths = mask.sum(axis=1)
    existing_first = np.argsort(~mask, axis=1, kind="stable")
    values = np.zeros(mask.shape)
    for width in np.unique(widths[widths > 0]):
        rows = np.flatnonzero(widths == width)
        columns = existing_first[rows, :width]
        known = curve(*(np.take_along_axis(array[rows], columns, axis=1) for array in arrays))
        values[rows, :width] = known
        values[rows, width:] = known[:, -1:]
    return values


def _drawn(pool: Pool) -> Floats:
    """[problem, N]: N, or all that the problem has."""
    drawn: Floats = np.minimum(np.arange(1.0, pool.samples + 1), pool.mask.sum(axis=1)[:, None])
    return drawn


def _row_mean(values: NDArray[Any], mask: Bools) -> Floats:
    """[problem, 1]: the mean over the samples that exist, 0 where there are none."""
    total = np.where(mask, values, 0.0).sum(axis=1, keepdims=True)
    mean: Floats = total / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return mean
