"""short-m@k: the shortest traces vote."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from perpend.core import (
    SAMPLED,
    Bools,
    Certificate,
    ConfigError,
    Draw,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
)
from perpend.stats import RunningVote
from perpend.strategies.finishing import finished_outcomes, vote_as_they_finish
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import turns_of

SWEPT = (1, 3, 5, 8)


@dataclass(frozen=True)
class ShortMAtK:
    """Start k = n samples, stop all when the first m have finished, and vote among those (Hassid et al., 2505.17813).

    A tie goes to the answer that finished first. All k are charged until the m-th ends. One that finishes without an
    answer is among the m, and does not vote (the source does not say).

    Attributes:
        n: k, the samples started; where they are no more than m, it is a plain vote over them.
        m: how many may finish.
    """

    name: ClassVar[str] = "short_m_at_k"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS, PoolField.TOKENS})
    verifier: ClassVar[None] = None

    n: int = 8
    m: int = 3

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.m < 1:
            raise ConfigError(f"Nobody votes among the first {self.m} to finish.", "Give m=1 or more.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote among the first m."""
        return await vote_as_they_finish(run, self.n, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same for every k, over every order of the pool."""
        return finished_outcomes(pools.only, SAMPLED, orders, self._content, n=self.n)

    def sweep(self) -> tuple[ShortMAtK, ...]:
        """More and more that may finish."""
        return tuple(replace(self, m=m) for m in SWEPT)

    def _content(self, vote: RunningVote) -> Bools:
        return np.broadcast_to(turns_of(vote) >= self.m, vote.leader.shape)

    def _certificate(self, vote: RunningVote) -> Certificate:
        votes, voters = int(vote.top[-1]), int(vote.voters[-1])
        return Certificate(
            rule=f"short-{self.m}@{self.n}",
            evidence=f"{votes} of the first {self.m} to finish agree",
            confidence=votes / max(voters, 1),
            limits="heuristic: that short traces are right more often is a habit of models, not a law",
        )
