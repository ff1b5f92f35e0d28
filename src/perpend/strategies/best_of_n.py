"""Best-of-N: the sample that a verifier likes most."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    SAMPLED,
    Bools,
    Draw,
    Floats,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Sample,
    Score,
)
from perpend.stats import best_of_n_curve
from perpend.strategies.fixed import draw, fixed_outcomes, ragged, refuse_no_samples
from perpend.strategies.selecting import proxy_of, values_of


@dataclass(frozen=True)
class BestOfN:
    """Draw n samples and return the one with the highest score (Cobbe et al., arXiv 2110.14168).

    The first seen of equal ones. A sample without an answer ranks below every one that has one; a sample that the
    verifier has no opinion of is never chosen.
    """

    name: ClassVar[str] = "best_of_n"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset()
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Choose among n scored samples."""
        samples = await draw(run, self.n)
        return run.result(best(samples, await run.score(samples, self.verifier)))

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """Exact for every N, with ties averaged: Σ_r C(S−r, N−1) / C(S, N) · correct_(r), r = rank from the top."""
        pool = pools.only
        scores = preference(pool.scores[self.verifier], pool.answered)

        def chosen(values: NDArray[Any]) -> Floats:
            return ragged(best_of_n_curve, pool.mask, scores, values)

        return fixed_outcomes(pool, chosen(pool.correct), proxy=proxy_of(pool, self.verifier, chosen))


def preference(values: Floats, answered: Bools) -> Floats:
    """What is maximised: the score, −∞ for a sample without an answer, NaN for one that cannot be chosen."""
    return np.where(answered | np.isnan(values), np.maximum(values, -sys.float_info.max), -np.inf)


def best(samples: list[Sample], scores: list[Score]) -> Sample | None:
    """The sample to choose, None where none is scored."""
    at = first_best(preference(values_of(scores), np.array([s.key is not None for s in samples], dtype=bool)))
    return None if at is None else samples[at]


def first_best(liked: Floats) -> int | None:
    """Where the highest preference is, the first of equal ones; None where all are NaN."""
    known = np.flatnonzero(~np.isnan(liked))
    return int(known[np.argmax(liked[known])]) if known.size else None
