"""Confidence-weighted self-consistency."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from perpend.core import (
    SAMPLED,
    ConfigError,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Score,
)
from perpend.stats import vote_winners
from perpend.strategies.fixed import draw, fixed_outcomes, refuse_no_samples
from perpend.strategies.votes import codes, credit_over_orders, elected, softmax_winners

TEMPERATURES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The 1-2-5 grid that T is chosen from (CISC, arXiv 2502.06233, tunes it per model and confidence method)."""


@dataclass(frozen=True)
class WeightedVote:
    """Draw n samples and return the answer with the most weight (CISC, Taubenfeld et al., arXiv 2502.06233).

    A sample weighs the verifier's probability that it is right; where the verifier gives none, softmax(value / T) over
    the question's samples. A raw value is never summed: log-probabilities are negative, and would elect the rarest
    answer. A sample without an answer or without a score does not vote.

    Attributes:
        n: samples.
        verifier: the score to weigh by.
        temperature: T, in the units of the verifier's value. None: a study chooses it from `grid` by cross-fitting,
            and a live run uses 1.
    """

    name: ClassVar[str] = "weighted_vote"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"
    temperature: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.temperature is not None and not 0 < self.temperature < np.inf:
            raise ConfigError(f"A temperature of {self.temperature} weighs nothing.", "Give a positive number.")

    def grid(self) -> tuple[WeightedVote, ...]:
        """The settings that a study chooses from: itself, where the temperature is given."""
        if self.temperature is not None:
            return (self,)
        return tuple(replace(self, temperature=t) for t in TEMPERATURES)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote over n scored samples."""
        samples = await draw(run, self.n)
        if not samples:
            return run.result(None)
        scores = await run.score(samples, self.verifier)
        winners = self._winners(codes(samples), _values(scores), _probabilities(scores))
        return run.result(elected(samples, int(winners[-1])))

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same vote over every order of the pool, after each sample."""
        pool = pools.only
        return fixed_outcomes(pool, *credit_over_orders(pool, orders.of(SAMPLED), self.verifier, self._winners))

    def _winners(self, keys: Ints, values: Floats, probabilities: Floats) -> Ints:
        """Who leads after each vote, [..., samples]: by probability while every voter so far has one."""
        probabilities = np.where(np.isnan(values), np.nan, probabilities)
        voters = (keys >= 0) & ~np.isnan(values)
        known = np.logical_and.accumulate(~(voters & np.isnan(probabilities)), axis=-1)
        by_probability = vote_winners(keys, probabilities)
        if known.all():
            return by_probability.astype(keys.dtype)
        return np.where(known, by_probability, softmax_winners(keys, values, self.temperature or 1.0))


def _values(scores: list[Score]) -> Floats:
    return np.array([score.value for score in scores], dtype=np.float64)


def _probabilities(scores: list[Score]) -> Floats:
    return np.array([np.nan if s.probability is None else s.probability for s in scores], dtype=np.float64)
