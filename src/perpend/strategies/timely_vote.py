"""The timely vote: a few traces at a time until somebody leads; those that take too long may be dropped."""

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
from perpend.strategies.adaptive_consistency import leader_is_ahead
from perpend.strategies.capped_vote import capped, refuse_no_depth
from perpend.strategies.finishing import finished_outcomes, vote_as_they_finish
from perpend.strategies.fixed import refuse_no_samples

LEAST_VOTES = 2
MULTIPLES = (2.0, 1.67, 1.33)
"""Of the mean length of a trace, that a study tries as caps."""
SWEPT = (0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class TimelyVote:
    """Vote among traces as they end, a few at a time, until the leader is ahead (measured here, docs/guide.md).

    `at_once` traces run side by side, and as one ends the next one starts. Each time that one ends the Beta rule of
    adaptive consistency is asked, from the second vote on, at a confidence far below its usual one: what that loses is
    less than what the saved tokens buy elsewhere. A trace that has not ended after `depth` tokens is cut and has no
    vote: on some models long thoughts are mostly the wrong ones, and an answer forced out of one is worse than none.

    The certificate is heuristic: the posterior is read again and again, and speaks of the mode of those in time.

    Attributes:
        n: traces at most.
        at_once: how many run side by side.
        depth: tokens of the longest. None: a study chooses a multiple of the mean length, or no cap, on half of the
            problems and reports the rest; a live run has no cap. Too low a one drops right answers: what gained one
            model 5 points cost another 34.
        confidence: at which it stops.
    """

    name: ClassVar[str] = "timely_vote"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS, PoolField.TOKENS})
    verifier: ClassVar[None] = None

    n: int = 48
    at_once: int = 4
    depth: int | None = None
    confidence: float = 0.8

    def __post_init__(self) -> None:
        refuse_no_samples(min(self.n, self.at_once))
        refuse_no_depth(1 if self.depth is None else self.depth)
        if not 0 < self.confidence < 1:
            raise ConfigError(f"A confidence of {self.confidence} cannot be reached.", "Give one between 0 and 1.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote among those in time."""
        longest = run.prompt.max_tokens
        prompt = replace(run.prompt, max_tokens=longest if self.depth is None else min(self.depth, longest))
        return await vote_as_they_finish(
            run, self.n, self._content, self._certificate, at_once=self.at_once, prompt=prompt
        )

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of the pool, for every number of traces."""
        pool = pools.only if self.depth is None else capped(pools.only, self.depth, forced=False)
        return finished_outcomes(pool, SAMPLED, orders, self._content, n=self.n, at_once=self.at_once)

    def candidates(self, pools: Pools) -> tuple[TimelyVote, ...]:
        """No cap, and closer and closer ones; only itself where a depth is given."""
        if self.depth is not None:
            return (self,)
        lengths = pools.only.completion_tokens[pools.only.mask]
        caps = [int(lengths.max(initial=1)), *(max(1, round(f * lengths.mean())) for f in MULTIPLES if lengths.size)]
        return tuple(replace(self, depth=depth) for depth in dict.fromkeys(caps))

    def sweep(self) -> tuple[TimelyVote, ...]:
        """The same, from the least confidence to the most."""
        return tuple(replace(self, confidence=confidence) for confidence in SWEPT)

    def _content(self, vote: RunningVote) -> Bools:
        return np.asarray((leader_is_ahead(vote) >= self.confidence) & (vote.voters >= LEAST_VOTES))

    def _certificate(self, vote: RunningVote) -> Certificate:
        return Certificate(
            rule=f"timely vote, Beta ≥ {self.confidence:g}{f' within {self.depth:,} tokens' if self.depth else ''}",
            evidence=f"{vote.top[-1]} votes of {vote.voters[-1]}, {vote.second[-1]} for the next answer",
            confidence=float(leader_is_ahead(vote)[-1]),
            limits="heuristic: it looks after every trace, and speaks of the mode of those that ended in time",
        )
