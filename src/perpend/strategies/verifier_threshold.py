"""The verifier-threshold stop: draw until a score is high enough to be right as often as is asked."""

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
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
)
from perpend.strategies.accepting import accepted_outcomes, draw_until_accepted, opinions
from perpend.strategies.fixed import refuse_no_samples

CANDIDATES = 20
"""Thresholds that a study tries: so many quantiles of the scores, which are how often a sample passes."""


@dataclass(frozen=True)
class VerifierThreshold:
    """Draw one sample after another, and stop at the first whose score reaches τ; without one, the best-scored of n.

    τ is calibrated for a precision: the lowest at which, of the answers accepted within N, at least that share is right
    over problems. A study tries quantiles of the scores, chooses on one half of the problems and reports on the other;
    where no τ is good enough, none is accepted, which is best-of-N. METHODS names the rule and no more: the quantiles,
    the precision of .9 and precision over problems (not over samples, of which easy problems have more) were chosen
    here. Scores are the verifier's probability where it gives one, else its value.

    Attributes:
        n: the most samples.
        verifier: whose scores.
        precision: the share of accepted answers that is to be right.
        threshold: τ, in the units of the score. None: a study calibrates it, and a live run takes the precision itself,
            which is right for a probability that means what it says.
    """

    name: ClassVar[str] = "verifier_threshold"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"
    precision: float = 0.9
    threshold: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if not 0 < self.precision <= 1:
            raise ConfigError(f"No share of answers is {self.precision}.", "Give a precision above 0, at most 1.")

    def candidates(self, pools: Pools) -> tuple[VerifierThreshold, ...]:
        """The settings to calibrate among: itself, where the threshold is given."""
        if self.threshold is not None:
            return (self,)
        liked = opinions(pools.only, self.verifier)
        known = liked[np.isfinite(liked)]
        quantiles = np.quantile(known, np.arange(CANDIDATES) / CANDIDATES, method="lower") if known.size else ()
        return tuple(replace(self, threshold=float(tau)) for tau in (*np.unique(quantiles), np.inf))

    def merit(self, outcomes: Outcomes) -> Floats:
        """[N]: how often it stops, among those τ that are precise enough; of the others, how near they come."""
        assert outcomes.stopped is not None
        assert outcomes.stopped_right is not None
        stopped, right = outcomes.stopped.mean(axis=(0, 1)), outcomes.stopped_right.mean(axis=(0, 1))
        lacking = self.precision * stopped - right
        return np.asarray(np.where(lacking <= 1e-9, stopped, -lacking))

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Draw until a score is high enough."""
        return await draw_until_accepted(run, self.n, 1, self.verifier, self._tau, "verifier threshold")

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """Exact for every N."""
        pool = pools.only
        outcomes = accepted_outcomes(pool, self.verifier, self._tau)
        accepted = opinions(pool, self.verifier) >= self._tau
        right = (accepted & pool.correct).sum(axis=1) / np.maximum(accepted.sum(axis=1), 1)
        return replace(outcomes, stopped_right=np.asarray(outcomes.stopped) * right[:, None])

    @property
    def _tau(self) -> float:
        return self.precision if self.threshold is None else self.threshold
