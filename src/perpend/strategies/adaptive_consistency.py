"""Adaptive consistency: stop voting once the leader is unlikely to be overtaken."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from scipy.special import betainc, xlogy

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
from perpend.strategies.finishing import finished_outcomes, vote_as_they_finish
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import (
    in_stages,
    of_the_first,
    refuse_no_wave,
    ruled_outcomes,
    turns_of,
    vote_until,
)

Rule = Literal["beta", "dirichlet", "entropy", "share"]
DEFAULTS: dict[Rule, float] = {"beta": 0.95, "dirichlet": 0.95, "entropy": 0.25, "share": 0.8}
SWEPT: dict[Rule, tuple[float, ...]] = {
    "beta": (0.7, 0.8, 0.9, 0.95, 0.99),
    "dirichlet": (0.7, 0.8, 0.9, 0.95, 0.99),
    "entropy": (0.1, 0.25, 0.4, 0.6, 0.8),
    "share": (0.6, 0.7, 0.8, 0.9, 0.95),
}
LEAST_VOTES: dict[Rule, int] = {"beta": 1, "dirichlet": 1, "entropy": 2, "share": 2}
LEADERS = 5
"""Answers that the Dirichlet rule looks at."""
LEAST_FINISHED = 3
"""Before that many have finished, nothing is stopped in the order of finish."""


@dataclass(frozen=True)
class AdaptiveConsistency:
    """Draw samples until the vote looks settled (Aggarwal et al., arXiv 2305.11860).

    Rules, asked after each wave, all from the votes so far:

    - beta: with a and b votes of the two leading answers, 1 − I_½(a+1, b+1), the posterior probability that the first
      is likelier than the second;
    - dirichlet: the posterior probability that it is the likeliest of the five leading ones, under a flat prior; the
      Beta rule below three answers (asked about 256 samples at most);
    - entropy: one minus the entropy of the votes over the logarithm of the number of answers;
    - share: the leader's share of the votes. The last two look from the second sample on.

    In the order of finish all n are started at once, the rule is asked each time one ends (from the third on), and the
    rest is cut (with short-m@k, arXiv 2505.17813).

    The certificate is heuristic: the rule looks again and again, which no posterior allows for. In the order of finish
    it speaks of those that finished, which short samples do first.

    Attributes:
        n: the most samples; 16 is a good number to start at once.
        rule: which.
        confidence: at which it stops; None for the source's: .95, .95, .25 (an entropy of .75) and .8.
        wave: samples drawn side by side before the rule is asked again.
        order: "index", one wave after another, or "finish".
    """

    name: ClassVar[str] = "adaptive_consistency"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    verifier: ClassVar[None] = None

    n: int = 40
    rule: Rule = "beta"
    confidence: float | None = None
    wave: int = 1
    order: Literal["index", "finish"] = "index"

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ConfigError(f"A confidence of {self.confidence} cannot be reached.", "Give one between 0 and 1.")
        if self.order == "finish" and self.wave > 1:
            raise ConfigError("In the order of finish all samples are one wave.", "Leave out wave or order.")

    @property
    def needs(self) -> frozenset[PoolField]:
        """Answers; lengths too where they decide the order."""
        lengths = [PoolField.TOKENS] if self.order == "finish" else []
        return frozenset([PoolField.ANSWERS, *lengths])

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote until the leader is safe."""
        if self.order == "finish":
            return await vote_as_they_finish(run, self.n, self._content, self._certificate)
        return await vote_until(run, self.n, self.wave, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool."""
        if self.order == "finish":
            return finished_outcomes(pools.only, SAMPLED, orders, self._content, n=self.n)
        rule = partial(in_stages, self._content, wave=self.wave) if self.rule == "dirichlet" else self._content
        return ruled_outcomes(pools.only, SAMPLED, orders, rule, n=self.n, wave=self.wave)

    def sweep(self) -> tuple[AdaptiveConsistency, ...]:
        """The same rule, from the least confidence to the most."""
        return tuple(replace(self, confidence=None if c == DEFAULTS[self.rule] else c) for c in SWEPT[self.rule])

    @property
    def _bar(self) -> float:
        return DEFAULTS[self.rule] if self.confidence is None else self.confidence

    def _content(self, vote: RunningVote) -> Bools:
        content = (MEASURES[self.rule](vote) >= self._bar) & (vote.voters >= LEAST_VOTES[self.rule])
        if self.order == "finish":
            content &= turns_of(vote) >= LEAST_FINISHED
        return content

    def _certificate(self, vote: RunningVote) -> Certificate:
        of_whom = " and of those that finished" if self.order == "finish" else ""
        return Certificate(
            rule=f"adaptive consistency, {self.rule} ≥ {self._bar:g}",
            evidence=f"{vote.top[-1]} votes of {vote.voters[-1]}, {vote.second[-1]} for the next answer",
            confidence=float(MEASURES[self.rule](vote)[-1]),
            limits=f"heuristic: it looks after every sample, and speaks of the mode{of_whom}, not of the truth",
        )


def leader_is_ahead(vote: RunningVote) -> Floats:
    """The posterior probability that the leader is likelier than the runner-up: 1 − I_½(a+1, b+1)."""
    most = int(vote.top.max(initial=0)) + 1
    a, b = np.arange(most)[:, None], np.arange(most)
    return np.asarray((1 - betainc(a + 1, b + 1, 0.5))[vote.top, vote.second])


def leader_is_likeliest(vote: RunningVote) -> Floats:
    """The posterior probability that the leader is the likeliest of the five leading answers, flat prior."""
    return np.asarray(np.where(vote.distinct < 3, leader_is_ahead(vote), of_the_first(_of_five, vote)))


def _of_five(vote: RunningVote) -> Floats:
    reached, which = vote_states(vote)
    reached = np.minimum(reached, LEADERS)
    counts = -np.diff(reached, axis=1, append=0)  # [states, S], how many of the five have 1 … S votes
    leader = np.maximum((reached > 0).sum(axis=1) - 1, 0)
    others = counts - np.eye(counts.shape[1], dtype=counts.dtype)[leader]
    voted = reached[:, 0] > 0
    shapes = np.arange(2, counts.shape[1] + 2, dtype=np.float64)
    found = np.zeros(len(reached))
    found[voted] = first_is_largest(shapes, leader[voted], others[voted])
    return np.asarray(found[which])


def concentration(vote: RunningVote) -> Floats:
    """One minus the entropy of the votes over the most that so many answers can have; 1 for a single answer."""
    counts = vote.count.astype(np.float64)
    total = np.cumsum(xlogy(counts, counts) - xlogy(counts - 1, np.maximum(counts - 1, 1)), axis=0)
    voters = np.maximum(vote.voters, 1.0)
    entropy = np.log(voters) - total / voters
    return np.asarray(1 - entropy / np.log(np.maximum(vote.distinct, 2.0)))


def leader_share(vote: RunningVote) -> Floats:
    """The leader's share of the votes."""
    return np.asarray(vote.top / np.maximum(vote.voters, 1.0))


MEASURES = {
    "beta": leader_is_ahead,
    "dirichlet": leader_is_likeliest,
    "entropy": concentration,
    "share": leader_share,
}
