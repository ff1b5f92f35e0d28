"""A vote among traces whose thinking is capped."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from perpend.core import (
    SAMPLED,
    ConfigError,
    Draw,
    Finish,
    Orders,
    Outcomes,
    Pool,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Sample,
)
from perpend.strategies.fixed import draw, refuse_no_samples
from perpend.strategies.majority import Majority
from perpend.strategies.votes import Tally


@dataclass(frozen=True)
class CappedVote:
    """The majority of n traces, none of which thinks for more than `depth` tokens (the cap of s1, arXiv 2501.19393).

    Attributes:
        n: traces.
        depth: tokens of the longest.
        late: what becomes of a trace that has not ended by then: "asked", it is made to answer, which takes a probe,
            or "dropped", it has no vote.
        cue: what makes a trace answer, None for what suits it.
    """

    name: ClassVar[str] = "capped_vote"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    verifier: ClassVar[None] = None

    n: int = 16
    depth: int = 16_000
    late: Literal["asked", "dropped"] = "asked"
    cue: str | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_depth(self.depth)
        if self.late not in ("asked", "dropped"):
            raise ConfigError(f"A late trace cannot be {self.late!r}.", "Give late=asked or late=dropped.")

    @property
    def needs(self) -> frozenset[PoolField]:
        """Lengths, and probes where late traces are asked."""
        return frozenset({PoolField.ANSWERS, PoolField.TOKENS, *([PoolField.PROBES] if self._asks else [])})

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote over n capped traces. Raises ConfigError where late ones are asked, and the engine cannot do that."""
        capped_prompt = replace(run.prompt, max_tokens=min(self.depth, run.prompt.max_tokens))
        traces = await draw(run, self.n, capped_prompt)
        tally = Tally()
        for trace in await asyncio.gather(*(self._answered(run, trace) for trace in traces)):
            tally.add(trace)
        return run.result(tally.leader)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """maj@N of the capped pool for every N, in closed form up to its size."""
        pool = capped(pools.only, self.depth, forced=self._asks)
        return Majority(n=self.n).offline(Pools({SAMPLED: pool}), orders)

    @property
    def _asks(self) -> bool:
        return self.late == "asked"

    async def _answered(self, run: Run, trace: Sample) -> Sample:
        """A trace that was cut with the answer that it is made to give; others as they are."""
        late = trace.finish is Finish.LENGTH and self.depth < run.prompt.max_tokens
        probe = await run.probe(trace, self.cue) if late and self._asks else None
        return trace if probe is None else replace(trace, answer=probe.answer, key=probe.key)


def refuse_no_depth(depth: int) -> None:
    """Raise ConfigError unless a trace may have at least one token."""
    if depth < 1:
        raise ConfigError(f"Nothing ends within {depth} tokens.", "Give depth=1 or more.")


def capped(pool: Pool, depth: int, *, forced: bool) -> Pool:
    """The pool as if every trace had been cut after `depth` tokens, its time in proportion.

    Args:
        pool: of whole traces; with probes where answers are forced.
        depth: in tokens.
        forced: a trace that was cut has the answer that its last probe by then gave, and is charged one probe; else it
            has none.
    """
    late = pool.mask & (pool.completion_tokens > depth)
    share = np.where(late, depth / np.maximum(pool.completion_tokens, 1), 1.0)
    keys, correct, asked = np.full(pool.keys.shape, -1), np.zeros(pool.correct.shape, bool), 0
    if forced:
        assert pool.probes is not None
        step = min(depth // pool.probes.every, pool.probes.keys.shape[2]) - 1
        if step >= 0:
            keys, correct = pool.probes.keys[..., step], pool.probes.correct[..., step]
        asked = pool.probes.tokens
    return replace(
        pool,
        keys=np.where(late, keys, pool.keys),
        correct=np.where(late, correct, pool.correct),
        completion_tokens=np.where(late, depth + asked, pool.completion_tokens),
        seconds=pool.seconds * share,
        device_seconds=pool.device_seconds * share,
        probes=None,
        fields=pool.fields - {PoolField.PROBES},
    )
