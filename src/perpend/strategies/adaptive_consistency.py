"""Adaptive consistency: stop voting once the leader is unlikely to be overtaken."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betainc

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
from perpend.stats import RunningVote
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import shared_vote, stopped_outcomes, vote_until


@dataclass(frozen=True)
class AdaptiveConsistency:
    """Draw one sample after another until the vote looks settled (Aggarwal et al., arXiv 2305.11860).

    The Beta rule: with a and b votes of the two leading answers, stop when 1 − I_½(a+1, b+1) ≥ confidence.

    The certificate is heuristic: the rule looks after every sample, which the posterior does not allow for.

    Attributes:
        n: the most samples.
        confidence: at which it stops.
    """

    name: ClassVar[str] = "adaptive_consistency"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    n: int = 40
    confidence: float = 0.95

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if not 0.5 < self.confidence < 1:
            raise ConfigError(f"A confidence of {self.confidence} cannot be reached.", "Give one from .5 to 1.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote until the leader is safe."""
        return await vote_until(run, self.n, 1, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool."""
        vote = shared_vote(pools.only, SAMPLED, orders).upto(self.n)
        return stopped_outcomes(pools.only, SAMPLED, orders, vote.leader, self._content(vote), n=self.n)

    def _content(self, vote: RunningVote) -> Bools:
        most = int(vote.top.max(initial=0)) + 1
        table = leader_is_ahead(np.arange(most)[:, None], np.arange(most)) >= self.confidence
        return np.asarray(table[vote.top, vote.second])

    def _certificate(self, vote: RunningVote) -> Certificate:
        a, b = int(vote.top[-1]), int(vote.second[-1])
        return Certificate(
            rule=f"adaptive consistency, Beta ≥ {self.confidence:g}",
            evidence=f"{a} votes against {b}",
            confidence=float(leader_is_ahead(a, b)),
            limits="heuristic: the posterior is read after every sample, and speaks of the mode, not of the truth",
        )


def leader_is_ahead(a: object, b: object) -> Floats:
    """The posterior probability that an answer with a votes is likelier than one with b: 1 − I_½(a+1, b+1)."""
    return np.asarray(1 - betainc(np.asarray(a) + 1, np.asarray(b) + 1, 0.5))
