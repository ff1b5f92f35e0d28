"""Coverage: the ceiling of every strategy that selects among the same samples."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perpend.core import SAMPLED, ConfigError, Draw, Orders, Outcomes, PoolField, Pools, Problem, Result, Run
from perpend.stats import coverage_curve
from perpend.strategies.fixed import fixed_outcomes, ragged, refuse_no_samples


@dataclass(frozen=True)
class Coverage:
    """pass@N: whether any of N samples is right (Chen et al., arXiv 2107.03374). It needs the key to know which."""

    name: ClassVar[str] = "coverage"
    oracle: ClassVar[bool] = True
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    verifier: ClassVar[None] = None

    n: int = 16

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Refused: nothing can choose like this without the key."""
        raise ConfigError(
            "Coverage is a ceiling, not a strategy: it would need the right answers to choose.",
            "Deploy best_of_n with a verifier, or majority.",
        )

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """pass@N for every N, exact."""
        pool = pools.only
        return fixed_outcomes(pool, ragged(coverage_curve, pool.mask, pool.correct))
