"""Greedy decoding: the yardstick that costs one sample."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perpend.core import GREEDY, Draw, Orders, Outcomes, PoolField, Pools, Problem, Result, Run
from perpend.strategies.fixed import fixed_outcomes


@dataclass(frozen=True)
class Greedy:
    """One sample at temperature 0."""

    name: ClassVar[str] = "greedy"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (GREEDY,)
    n: ClassVar[int] = 1
    verifier: ClassVar[None] = None

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Return the sample's answer."""
        chosen = None
        async for sample in run.sample(1, GREEDY.of(run.prompt)):
            chosen = sample
        return run.result(chosen)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """Whether the one sample is right."""
        pool = pools.only
        return fixed_outcomes(pool, np.where(pool.mask, pool.correct, 0.0))
