"""Confidence-weighted self-consistency."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    SAMPLED,
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
from perpend.stats import softmax_vote_winners, vote_winners
from perpend.strategies.fixed import draw, refuse_no_samples
from perpend.strategies.selecting import (
    elected_outcomes,
    keys_in_turn,
    probabilities_in_turn,
    probabilities_of,
    values_in_turn,
    values_of,
)
from perpend.strategies.votes import codes, elected

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
        winners = self._winners(codes(samples), values_of(scores), probabilities_of(scores))
        return run.result(elected(samples, int(winners[-1])))

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same vote over every order of the pool, after each sample."""
        pool = pools.only
        winners = self._winners(
            keys_in_turn(pool, SAMPLED, orders),
            values_in_turn(pool, self.verifier, SAMPLED, orders),
            probabilities_in_turn(pool, self.verifier, SAMPLED, orders),
        )
        return elected_outcomes(pool, winners, self.verifier)

    def _winners(self, keys: NDArray[Any], values: Floats, probabilities: Floats | None) -> NDArray[Any]:
        """Who leads after each vote, [S, …]: by probability while every voter so far has one."""
        if probabilities is None:
            return self._by_value(keys, values)
        probabilities = np.where(np.isnan(values), np.nan, probabilities)
        lacks_one = (keys >= 0) & ~np.isnan(values) & np.isnan(probabilities)
        by_probability = vote_winners(keys, probabilities)
        if not lacks_one.any():
            return by_probability
        return np.where(np.logical_or.accumulate(lacks_one), self._by_value(keys, values), by_probability)

    def _by_value(self, keys: NDArray[Any], values: Floats) -> NDArray[Any]:
        return softmax_vote_winners(keys, values, self.temperature or 1.0)
