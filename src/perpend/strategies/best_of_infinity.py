"""Best-of-∞: stop once a majority of infinitely many samples would very likely say the same."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

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
from perpend.stats import RunningVote, first_is_largest, vote_states
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import (
    in_stages,
    of_the_first,
    refuse_no_wave,
    ruled_outcomes,
    vote_until,
)

SWEPT = (3.0, 10.0, 30.0, 100.0, 1000.0)


@dataclass(frozen=True)
class BestOfInfinity:
    """Draw until the leader is the mode at given odds (Komiyama et al., arXiv 2509.21091).

    The shares of the s answers seen, with N₁ ≥ N₂ … votes, and of all unseen ones together are taken to be
    Dirichlet(N₁, …, N_s, α); P is the probability that the first is the largest. Sampling stops when s·P / (1 − P), a
    Bayes factor, reaches the odds. This is the paper's rule; its published code adds 1 to every count. P is computed by
    quadrature, not drawn, so the same votes always have the same.

    The certificate is heuristic: the posterior is looked at after every sample.

    Attributes:
        n: the most samples; the rule is asked about 256 at most.
        odds: B, at which it stops: a unanimous vote at 2, 5 or 7 samples for 10, 100 or 1,000.
        alpha: the prior weight of unseen answers.
        wave: samples drawn side by side before the rule is asked again.
    """

    name: ClassVar[str] = "best_of_infinity"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    n: int = 100
    odds: float = 10.0
    alpha: float = 0.3
    wave: int = 1

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)
        if not (self.odds > 0 and self.alpha > 0):
            raise ConfigError(f"odds={self.odds} and alpha={self.alpha} decide nothing.", "Give positive ones.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote until the odds are reached."""
        return await vote_until(run, self.n, self.wave, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool."""
        rule = partial(in_stages, self._content, wave=self.wave)
        return ruled_outcomes(pools.only, SAMPLED, orders, rule, n=self.n, wave=self.wave)

    def sweep(self) -> tuple[BestOfInfinity, ...]:
        """Higher and higher odds."""
        return tuple(replace(self, odds=odds) for odds in SWEPT)

    def _content(self, vote: RunningVote) -> Bools:
        leads = of_the_first(partial(leader_is_mode, alpha=self.alpha), vote)
        return (vote.distinct * leads >= self.odds * (1 - leads)) & (vote.voters > 0)

    def _certificate(self, vote: RunningVote) -> Certificate:
        return Certificate(
            rule=f"best-of-∞, odds ≥ {self.odds:g}",
            evidence=f"{vote.top[-1]} votes of {vote.voters[-1]} for one of {vote.distinct[-1]} answers",
            confidence=float(leader_is_mode(vote, self.alpha)[-1]),
            limits="heuristic: the posterior is read after every sample, and speaks of the mode, not of the truth",
        )


def leader_is_mode(vote: RunningVote, alpha: float) -> Floats:
    """Pr[X₁ is the largest], X ~ Dirichlet(N₁, …, N_s, α), after each sample; 0 before the first vote."""
    reached, which = vote_states(vote)
    counts = -np.diff(reached, axis=1, append=0)  # [states, S], how many answers have 1 … S votes
    voted = reached[:, 0] > 0
    leader = (reached[voted] > 0).sum(axis=1)  # votes of the leader: where they stand behind α among the parameters
    shapes = np.concatenate([[alpha], np.arange(1.0, counts.shape[1] + 1)])
    others = np.column_stack([np.ones(len(leader), counts.dtype), counts[voted]])
    others[np.arange(len(leader)), leader] -= 1
    found = np.zeros(len(reached))
    found[voted] = first_is_largest(shapes, leader, others)
    return np.asarray(found[which])
