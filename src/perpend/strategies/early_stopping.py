"""Early-stopping self-consistency: stop at the first window that agrees."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from perpend.core import (
    SAMPLED,
    Bools,
    Certificate,
    Draw,
    Ints,
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
from perpend.strategies.stopping import credit_of, refuse_no_wave, shared_vote, stopped_outcomes, vote_until

SWEPT = (3, 4, 5, 8)


@dataclass(frozen=True)
class EarlyStopping:
    """Draw windows of samples side by side until one is unanimous (ESC, Li et al., arXiv 2401.10480).

    The answer is that window's, whatever came before; where none is unanimous, the majority of all samples. A window in
    which a sample has no answer is not unanimous (the source does not say), and nor is a last one that is not whole.

    Attributes:
        n: the most samples.
        window: samples in each window.
    """

    name: ClassVar[str] = "early_stopping"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    n: int = 40
    window: int = 5

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.window)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Draw window after window."""
        return await vote_until(run, self.n, self.window, self._content, self._certificate, self._answer)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool."""
        pool = pools.only
        vote = shared_vote(pool, SAMPLED, orders).upto(self.n)
        credit = credit_of(pool, self._answer(vote))
        return stopped_outcomes(pool, SAMPLED, orders, credit, self._content(vote), n=self.n, wave=self.window)

    def sweep(self) -> tuple[EarlyStopping, ...]:
        """Wider and wider windows."""
        return tuple(replace(self, window=window) for window in SWEPT)

    def _content(self, vote: RunningVote) -> Bools:
        """After which samples a whole window has ended, and agrees."""
        content = np.zeros(vote.key.shape, bool)
        for end in range(self.window, len(vote.key) + 1, self.window):
            window = vote.key[end - self.window : end]
            content[end - 1] = (window >= 0).all(axis=0) & (window == window[0]).all(axis=0)
        return content

    def _answer(self, vote: RunningVote) -> Ints:
        return np.where(self._content(vote), vote.key, vote.leader)

    def _certificate(self, vote: RunningVote) -> Certificate:
        votes, voters = int(vote.count[-1]), int(vote.voters[-1])
        return Certificate(
            rule=f"early stopping, windows of {self.window}",
            evidence=f"{self.window} samples in a row agree; {votes} of all {voters} votes",
            confidence=votes / voters,
            limits="heuristic: a window may agree by chance, and speaks of the mode, not of the truth",
        )
