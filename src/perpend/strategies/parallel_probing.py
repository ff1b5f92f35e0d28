"""Parallel probing: ask all traces on the way, cut those that dissent for long, and stop where the majority stands."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perpend.core import (
    SAMPLED,
    Certificate,
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


@dataclass(frozen=True)
class ProbedMajority(Standing):
    """What is remembered of the probes.

    Attributes:
        stood: [row], probes in a row that the leader has led.
        share: [row], of the votes that the leader has.
        dissent: [row, trace], probes in a row in which a trace answered something else.
    """

    stood: Ints
    share: Floats
    dissent: Ints


@dataclass(frozen=True)
class ParallelProbing:
    """n traces think side by side and are asked for their answer every so often (Parallel-Probe, arXiv 2602.03845).

    The majority is over the answers of all traces that are not cut, ended or running, at every probe. A running trace
    that has disagreed with it `patience` times in a row, counted from probe `warm` on, is cut; when the majority has
    been the same `stand` times in a row it is given. Chosen here: from where dissent is counted, that giving no answer
    is none, and that ties go to the trace started first. (On `qwen3-probes` this comes closest to the tokens that the
    authors report.)

    The certificate is heuristic: that a majority stands says nothing of whether it is right. The authors do not count
    the tokens of probes; here they are charged.

    Attributes:
        n: traces.
        warm, patience, stand: in probes.
        every: tokens between two probes of a live run; a pool has its own.
        cue: what makes a trace answer, None for what suits it.
    """

    name: ClassVar[str] = "parallel_probing"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS, PoolField.TOKENS, PoolField.PROBES})
    verifier: ClassVar[None] = None

    n: int = 64
    warm: int = 15
    patience: int = 7
    stand: int = 40
    every: int = 500
    cue: str | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_step(min(self.every, self.patience, self.stand))

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Let n traces think until their majority stands."""
        return await think_in_step(run, self.n, self.every, self.cue, self, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of a pool with probes, for every number of traces."""
        return walked_outcomes(pools.only, SAMPLED, orders, self, n=self.n)

    def begin(self, rows: int, traces: int) -> ProbedMajority:
        """All start at once."""
        return ProbedMajority.at_first(
            rows,
            traces,
            traces,
            stood=np.zeros(rows, np.int64),
            share=np.zeros(rows),
            dissent=np.zeros((rows, traces), np.int64),
        )

    def decide(self, standing: ProbedMajority, seen: Seen) -> ProbedMajority:
        """Count how long the majority has stood, and each trace's dissent from it."""
        leader, votes = plurality(seen.answers, ~standing.cut)
        share = votes / np.maximum((~standing.cut & (seen.answers >= 0)).sum(axis=1), 1)
        stood = np.where(leader < 0, 0, np.where(leader == standing.leader, standing.stood + 1, 1))
        disagrees = seen.running & (seen.answers >= 0) & (seen.answers != leader[:, None])
        dissent = np.where(disagrees & (seen.step >= self.warm), standing.dissent + 1, 0)
        cut = standing.cut | (dissent >= self.patience)
        return ProbedMajority(standing.started, cut, leader, stood >= self.stand, stood, share, dissent)

    def _certificate(self, standing: ProbedMajority) -> Certificate:
        return Certificate(
            rule=f"parallel probing, {self.stand} probes in a row",
            evidence=f"the majority stood for {standing.stood[0]} probes; {standing.cut[0].sum()} traces were cut",
            confidence=float(standing.share[0]),
            limits="heuristic: a majority that stands may stand on a wrong answer",
        )
