"""Rejection sampling: draw until the verifier accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perpend.core import SAMPLED, Draw, Orders, Outcomes, PoolField, Pools, Problem, Result, Run
from perpend.strategies.accepting import accepted_in_waves, accepted_outcomes, draw_until_accepted
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import refuse_no_wave

ACCEPTED = 0.5
"""The verifier accepts a sample from this probability (or value, where it gives none) on, as a checker's 0 or 1."""


@dataclass(frozen=True)
class RejectionSampling:
    """Draw until the verifier accepts a sample, or n are drawn; then the best-scored is returned.

    With a share p of acceptable samples and no cap, a problem takes 1/p samples on average. A sample without an answer
    is never accepted. The verifier must have a natural yes and no: a checker of 0 and 1, or a probability.

    Attributes:
        n: the most samples.
        verifier: who accepts.
        wave: how many are drawn side by side before the verifier is asked; the best of the wave is returned.
    """

    name: ClassVar[str] = "rejection_sampling"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "check"
    wave: int = 1

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)

    async def __call__(self, problem: Problem, run: Run) -> Result:  # noqa: ARG002 (the protocol's)
        """Draw until one is accepted."""
        return await draw_until_accepted(run, self.n, self.wave, self.verifier, ACCEPTED, "rejection sampling")

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """Exact for every N where samples are drawn one by one; over the orders where they come in waves."""
        if self.wave == 1:
            return accepted_outcomes(pools.only, self.verifier, ACCEPTED)
        return accepted_in_waves(pools.only, orders, self.verifier, ACCEPTED, self.n, self.wave)
