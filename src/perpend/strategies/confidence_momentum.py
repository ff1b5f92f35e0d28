"""Confidence momentum: stop where the confidence in what has ended is high and not falling, widen where it stalls."""

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
    Ints,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
)
from perpend.strategies.depth import Seen, Standing, plurality, refuse_no_step, walked_outcomes
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.thinking import think_in_step

STALL = 0.025
"""A step's gain of smoothed confidence up to which it has stalled, and its loss up to which it has not fallen."""
KEPT = 2
"""Running traces that are never cut for dissent."""


@dataclass(frozen=True)
class Momentum(Standing):
    """What is remembered.

    Attributes:
        level: [row], the smoothed confidence.
        dissent: [row, trace], steps in a row in which a trace answered something else than those that ended.
    """

    level: Floats
    dissent: Ints


@dataclass(frozen=True)
class ConfidenceMomentum:
    """Traces are started where confidence stalls, and all ends where it is high and not falling (arXiv 2605.08083).

    The confidence is that of the Beta rule in the answers of traces that have *ended*, smoothed over steps: level = s ·
    now + (1 − s) · level. From step `warm` on, `more` traces are started wherever it has not risen; a running trace
    whose forced answer has not been the leader `patience` steps in a row is cut, two always stay. It stops when
    `least` traces have ended, the level is at least `confidence`, and it has not fallen.

    The defaults are those of the authors' controller at β = .5, in its public description. Theirs also lets traces that
    agree with the leader run ahead of the others; here all advance in step, so that its rule stays a function of what
    was seen: a simplification of ours. While none has ended, the leader is the majority of forced answers.

    The certificate is heuristic: the posterior is read after every step, and short traces end first.

    Attributes:
        n: traces at most.
        begin_with: traces at first.
        more: traces started where confidence stalls.
        least, warm, patience: see above.
        smoothing: s.
        confidence: at which it stops.
        every: tokens of a step of a live run; a pool has its own.
        cue: what makes a trace answer, None for what suits it.
    """

    name: ClassVar[str] = "confidence_momentum"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS, PoolField.TOKENS, PoolField.PROBES})
    verifier: ClassVar[None] = None

    n: int = 34
    begin_with: int = 5
    more: int = 2
    least: int = 4
    warm: int = 6
    patience: int = 8
    smoothing: float = 0.5
    confidence: float = 0.91
    every: int = 500
    cue: str | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(min(self.n, self.begin_with))
        refuse_no_step(self.every)
        if not (0 < self.smoothing <= 1 and 0 < self.confidence < 1):
            raise ConfigError(
                f"A confidence of {self.confidence}, smoothed by {self.smoothing}, cannot be followed.",
                "Give both between 0 and 1.",
            )

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Let traces think until confidence in the leader is high and stays."""
        return await think_in_step(run, self.n, self.every, self.cue, self, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of a pool with probes, for every number of traces."""
        return walked_outcomes(pools.only, SAMPLED, orders, self, n=self.n)

    def begin(self, rows: int, traces: int) -> Momentum:
        """A few start."""
        dissent = np.zeros((rows, traces), np.int64)
        return Momentum.at_first(rows, traces, self.begin_with, level=np.zeros(rows), dissent=dissent)

    def decide(self, standing: Momentum, seen: Seen) -> Momentum:
        """Follow the confidence; start, cut or stop as it moves."""
        voting = seen.ended & (seen.answers >= 0)
        leader, top = plurality(seen.answers, voting)
        _, second = plurality(seen.answers, voting & (seen.answers != leader[:, None]))
        ahead = 1 - betainc(top + 1, second + 1, 0.5)
        level = self.smoothing * np.where(top > 0, ahead, 0.0) + (1 - self.smoothing) * standing.level
        gain = level - standing.level
        widens = (gain <= STALL) & (seen.step >= self.warm)
        started = np.minimum(standing.started + np.where(widens, self.more, 0), standing.cut.shape[1])
        disagrees = seen.running & (seen.answers != leader[:, None]) & (leader >= 0)[:, None]
        dissent = np.where(disagrees & (seen.step >= self.warm), standing.dissent + 1, 0)
        cut = standing.cut | _but_two(dissent >= self.patience, seen.running)
        content = (voting.sum(axis=1) >= self.least) & (level >= self.confidence) & (gain >= -STALL)
        forced, _ = plurality(seen.answers, ~cut)
        return Momentum(started, cut, np.where(leader >= 0, leader, forced), content, level, dissent)

    def _certificate(self, standing: Momentum) -> Certificate:
        return Certificate(
            rule=f"confidence momentum ≥ {self.confidence:g}",
            evidence=f"{standing.started[0]} traces started, {standing.cut[0].sum()} cut",
            confidence=float(standing.level[0]),
            limits="heuristic: a posterior that is read after every step, of those traces that ended first",
        )


def _but_two(unwanted: Bools, running: Bools) -> Bools:
    """Of the running traces that are unwanted, those after whose cut two still run; the first started are cut first."""
    spare = np.maximum(running.sum(axis=1) - KEPT, 0)[:, None]
    return np.asarray(unwanted & (np.cumsum(unwanted, axis=1) <= spare))
