"""Self-consistency: the most frequent answer."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perpend.core import SAMPLED, Draw, Orders, Outcomes, PoolField, Pools, Problem, Result, Run
from perpend.stats import majority_curve
from perpend.strategies.fixed import draw, fixed_outcomes, ragged, refuse_no_samples
from perpend.strategies.selecting import elected_outcomes
from perpend.strategies.stopping import shared_vote
from perpend.strategies.votes import Tally

MOST_EXACT = 256
"""Samples a problem up to which the curve is exact; above, it is estimated over the orders (METHODS.md)."""


@dataclass(frozen=True)
class Majority:
    """Draw n samples and return the answer that most of them give (Wang et al., arXiv 2203.11171).

    A tie goes to the answer seen first; a sample without an answer does not vote.
    """

    name: ClassVar[str] = "majority"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    verifier: ClassVar[None] = None

    n: int = 16

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote over n samples."""
        tally = Tally()
        for sample in await draw(run, self.n):
            tally.add(sample)
        return run.result(tally.leader)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """maj@N for every N: exact, with 1/(t+1) credit for a tie with t others."""
        pool = pools.only
        if pool.samples > MOST_EXACT:
            return elected_outcomes(pool, shared_vote(pool, SAMPLED, orders).leader, None)
        return fixed_outcomes(pool, ragged(majority_curve, pool.mask, pool.keys, pool.correct))
