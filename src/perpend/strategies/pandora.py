"""Pandora's box: stop once another sample is not expected to be worth its cost."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.polynomial.legendre import leggauss

from perpend.core import (
    SAMPLED,
    Bools,
    Certificate,
    ConfigError,
    Draw,
    Floats,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
)
from perpend.strategies.accepting import best_until_outcomes, draw_best_until
from perpend.strategies.best_of_n import preference
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.selecting import values_of
from perpend.strategies.stopping import refuse_no_wave

NODES, WEIGHTS = leggauss(16)
SWEPT = (0.05, 0.02, 0.005, 0.002, 0.0005)
UPPER_HALF = 0.5
RARE = 0.01
"""A sample as good as one in a hundred has all the utility there is."""


@dataclass(frozen=True)
class Pandora:
    """Best-of-n that stops when the expected gain of one more sample is below its cost (Kalayci et al., 2510.01394).

    A score r is worth u = min(1, 2σ(r − κ)), κ the prompt's own 99th percentile, since raw scores of different prompts
    share no scale. The law of e^r above its median is taken to be a shifted exponential, learned from the scores so far
    by their median and the mean excess of the upper half. Weitzman's rule stops when the best u reaches the τ of which
    E[(u − τ)⁺] = c; which is to say, when the expected gain over the best so far is at most c. The law's scale is
    taken at its upper confidence bound, 1 + √(log t · log(1/δ) / t) times the estimate after t scores.

    The radius and the 20 samples at least are those of the authors' code. Chosen here: κ by the estimate itself; one
    half as the chance that a sample is above the median. A sample without an answer counts as the worst of all; one
    without a score counts for nothing.

    Attributes:
        n: the most samples.
        verifier: whose scores.
        cost: c, of one sample, in units of the highest utility.
        delta: of the confidence bound.
        least: scores before the rule is asked.
        wave: samples drawn and scored side by side before it is asked again.
    """

    name: ClassVar[str] = "pandora"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset()

    n: int = 128
    verifier: str = "logprob"
    cost: float = 0.002
    delta: float = 0.05
    least: int = 20
    wave: int = 1

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)
        if not (self.cost > 0 and 0 < self.delta < 1 and self.least > 0):
            raise ConfigError(
                f"cost={self.cost}, delta={self.delta} and least={self.least} decide nothing.",
                "Give a positive cost, a delta between 0 and 1, and at least one sample.",
            )

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Draw until the next sample is not worth it."""
        return await draw_best_until(run, self.n, self.wave, self.verifier, values_of, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool."""
        pool = pools.only
        liked = preference(np.where(pool.mask, pool.scores[self.verifier], np.nan), pool.answered)
        return best_until_outcomes(pool, orders, self.verifier, liked, self._content, self.n, self.wave)

    def sweep(self) -> tuple[Pandora, ...]:
        """Cheaper and cheaper samples."""
        return tuple(replace(self, cost=cost) for cost in SWEPT)

    def _content(self, liked: Floats) -> Bools:
        enough = np.cumsum(~np.isnan(liked), axis=0) >= self.least
        return enough & (expected_gain(liked, self.delta) <= self.cost)

    def _certificate(self, liked: Floats) -> Certificate:
        gain = float(expected_gain(liked, self.delta)[-1])
        return Certificate(
            rule=f"Pandora, cost {self.cost:g}",
            evidence=f"{(~np.isnan(liked)).sum()} scores: another sample is expected to gain {gain:.4g} at most",
            confidence=None,
            limits="heuristic: it speaks of the verifier's score, if its tail is exponential, and not of the truth",
        )


def expected_gain(liked: Floats, delta: float) -> Floats:
    """What another sample is expected to add to the best utility so far, after each sample.

    Args:
        liked: [S, …] scores in the order drawn, −∞ at worst, NaN for none.
        delta: of the upper confidence bound on the law's scale.

    Returns:
        [S, …]; 1 before there is an answer.
    """
    scored = np.maximum(np.cumsum(~np.isnan(liked), axis=0), 1)
    median, scale = _upper_halves(liked)
    cap = median + np.log(UPPER_HALF / RARE) * scale  # e^κ; the best so far is 1
    wider = scale * (1 + np.sqrt(np.log(scored) * np.log(1 / delta) / scored))
    utility = np.minimum(1, 2 / (1 + cap))
    wider = np.where(cap > 1, wider, 1.0)
    low, high = (1 - median) / wider, (cap - median) / wider  # in widths of the law: from here on a sample is better …
    middle, half = (high + low) / 2, (high - low) / 2  # … and from there on it has all the utility there is
    between = np.zeros(liked.shape)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        reward = median + wider * (middle + half * node)
        between += weight * half * (2 * reward / (reward + cap) - utility) * np.exp(-(middle + half * node))
    gain = np.where(cap > 1, UPPER_HALF * (between + (1 - utility) * np.exp(-high)), 0.0)
    answered = np.logical_or.accumulate(np.isfinite(liked), axis=0)
    return np.where(answered, gain, 1.0)


def _upper_halves(liked: Floats) -> tuple[Floats, Floats]:
    """Of the rewards e^r so far, with the best as 1: the lowest of the upper half (of an odd number, the middle one is
    in it), and the mean excess of that half over it; [S, …] both.
    """
    scores = np.where(np.isnan(liked), -np.inf, liked).reshape(len(liked), -1)
    upper = (np.cumsum(~np.isnan(liked), axis=0).reshape(scores.shape) + 1) // 2
    median, scale = np.zeros(scores.shape), np.zeros(scores.shape)
    ranked = np.full(scores.shape, -np.inf)  # highest first
    for turn, new in enumerate(scores):
        ranked[1 : turn + 1] = np.maximum(np.minimum(ranked[:turn], new), ranked[1 : turn + 1])
        ranked[0] = np.maximum(ranked[0], new)
        best = np.where(np.isfinite(ranked[0]), ranked[0], 0.0)
        held = np.where(np.arange(turn + 1)[:, None] < upper[turn], np.exp(ranked[: turn + 1] - best), 0.0)
        lowest = np.where(np.arange(turn + 1)[:, None] < upper[turn], held, np.inf).min(axis=0)
        median[turn] = np.where(upper[turn] > 0, lowest, 0.0)
        scale[turn] = held.sum(axis=0) / np.maximum(upper[turn], 1) - median[turn]
    return median.reshape(liked.shape), np.maximum(scale, 0.0).reshape(liked.shape)
