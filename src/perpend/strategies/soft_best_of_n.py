"""Soft best-of-N: a sample at random, the better its score the likelier."""

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
from perpend.stats import running_softmax_mean
from perpend.strategies.best_of_n import first_best
from perpend.strategies.fixed import draw, refuse_no_samples
from perpend.strategies.selecting import mean_outcomes, random_of, values_in_turn, values_of
from perpend.strategies.stopping import in_turn
from perpend.strategies.weighted_vote import TEMPERATURES


@dataclass(frozen=True)
class SoftBestOfN:
    """Draw n samples and return one of them with probability ∝ exp(value / temperature) (arXiv 2507.05913).

    Between best-of-N (temperature → 0) and a single sample (→ ∞): it gives up some of the score for staying near the
    model's own law. The paper writes λ = 1 / temperature. A sample without an answer or a score is never returned.

    Attributes:
        n: samples.
        verifier: whose scores.
        temperature: in the units of the verifier's value. None: a study chooses it from `grid` by cross-fitting, and a
            live run uses 1.
    """

    name: ClassVar[str] = "soft_best_of_n"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"
    temperature: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.temperature is not None and not 0 < self.temperature < np.inf:
            raise ConfigError(f"A temperature of {self.temperature} weighs nothing.", "Give a positive number.")

    def grid(self) -> tuple[SoftBestOfN, ...]:
        """The settings that a study chooses from: itself, where the temperature is given."""
        if self.temperature is not None:
            return (self,)
        return tuple(replace(self, temperature=t) for t in TEMPERATURES)

    async def __call__(self, problem: Problem, run: Run) -> Result:  # noqa: ARG002 (the protocol's)
        """Choose among n scored samples, by chance that the samples' names seed (the Gumbel-max trick)."""
        samples = await draw(run, self.n)
        values = values_of(await run.score(samples, self.verifier))
        answered = np.array([sample.key is not None for sample in samples], dtype=bool)
        noise = np.array([random_of(self.name, sample).gumbel() for sample in samples])
        at = first_best(np.where(answered, values / (self.temperature or 1.0) + noise, np.nan))
        return run.result(None if at is None else samples[at])

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The expectation over the choice, over every order of the pool; exact where all samples are drawn."""
        pool = pools.only
        answered = in_turn(pool.answered & pool.mask, orders.of(SAMPLED))
        values = np.where(answered, values_in_turn(pool, self.verifier, SAMPLED, orders), np.nan)

        def expected(of: NDArray[Any]) -> Floats:
            return running_softmax_mean(values, self.temperature or 1.0, in_turn(of, orders.of(SAMPLED)))

        return mean_outcomes(pool, expected, self.verifier)
