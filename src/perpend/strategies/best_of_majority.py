"""Best-of-majority: the best-scored of the frequent answers."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import SAMPLED, ConfigError, Draw, Floats, Orders, Outcomes, PoolField, Pools, Problem, Result, Run
from perpend.stats import elected_turns
from perpend.strategies.fixed import draw, refuse_no_samples
from perpend.strategies.selecting import chosen_outcomes, keys_in_turn, values_in_turn, values_of
from perpend.strategies.votes import codes

SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""The shares of the votes that a study tries. The paper names a threshold, and ties it to a coverage nobody knows."""
UNTUNED = 0.2
"""What a live run takes that was given none."""


@dataclass(frozen=True)
class BestOfMajority:
    """Draw n samples, keep the answers with a good share of the votes, return the best-scored (arXiv 2510.03199).

    The answer with the most votes is always kept, so that one is left. Frequency keeps out what only the verifier
    likes: by the paper, the choice does not get worse as n grows. A sample without an answer or a score has no vote.

    Attributes:
        n: samples.
        verifier: whose scores.
        share: of the votes that an answer must have. None: a study chooses it from `grid` by cross-fitting, and a live
            run takes .2.
    """

    name: ClassVar[str] = "best_of_majority"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"
    share: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.share is not None and not 0 <= self.share <= 1:
            raise ConfigError(f"{self.share} is no share of votes.", "Give share in [0, 1].")

    def grid(self) -> tuple[BestOfMajority, ...]:
        """The settings that a study chooses from: itself, where the share is given."""
        if self.share is not None:
            return (self,)
        return tuple(replace(self, share=share) for share in SHARES)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Choose among the frequent answers of n samples."""
        samples = await draw(run, self.n)
        if not samples:
            return run.result(None)
        turns = elected_turns(codes(samples), values_of(await run.score(samples, self.verifier)), self._merit)
        return run.result(samples[turns[-1]] if turns[-1] >= 0 else None)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of the pool, after each sample."""
        pool = pools.only
        keys, values = keys_in_turn(pool, SAMPLED, orders), values_in_turn(pool, self.verifier, SAMPLED, orders)
        return chosen_outcomes(pool, orders, elected_turns(keys, values, self._merit), self.verifier)

    def _merit(self, votes: NDArray[Any], best: Floats, voters: NDArray[Any]) -> Floats:
        share = UNTUNED if self.share is None else self.share
        enough = np.minimum(share * voters - 1e-9, votes.max(axis=1, keepdims=True))
        return np.where(votes >= enough, best, -np.inf)
