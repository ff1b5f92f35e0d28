"""Cascades: ask the small model first, and the large one where the small one is not of one mind."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from perpend.core import (
    Certificate,
    ConfigError,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Spend,
    StopReason,
)
from perpend.stats import expected_max_curve, running_vote
from perpend.strategies.fixed import canonical_spend, ragged, refuse_no_samples
from perpend.strategies.stopping import in_order, monte_carlo_error, shared_vote
from perpend.strategies.votes import Tally, credits_of

ROUNDING = 1e-9
"""Shares of votes that differ by less are equal."""
AGREEMENTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Cascade:
    """n samples of a small model; where they disagree, `more` samples of a large one (FrugalGPT, arXiv 2305.05176).

    The small model's vote is taken where at least `agreement` of its samples give the leading answer; with
    agreement = 1 any disagreement goes on. Else the large model's vote decides, or the vote of both where `pooled`;
    where nobody there has an answer, the small model's leader stands. FrugalGPT learns a scorer for that decision;
    agreement was chosen here because it needs none.

    Attributes:
        small, large: the engines' names in the study.
        n: samples of the small model.
        more: samples of the large model.
        agreement: None: a study fits it, from .3 to 1, on half of the problems and reports the rest.
        escalate: the largest share of questions that may go on, which the fit keeps to on its half.
        pooled: the samples of both models vote together.
    """

    name: ClassVar[str] = "cascade"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    small: str = ""
    large: str = ""
    n: int = 8
    more: int = 1
    agreement: float | None = None
    escalate: float = 1.0
    pooled: bool = False

    def __post_init__(self) -> None:
        refuse_no_samples(min(self.n, self.more))
        if not self.small or not self.large or self.small == self.large:
            raise ConfigError(
                "A cascade needs two engines.", "Name them: --engine a=… --engine b=…, cascade(small=a, large=b)."
            )
        if self.agreement is not None and not 0 < self.agreement <= 1:
            raise ConfigError(f"An agreement of {self.agreement} is no share of votes.", "Give one in (0, 1].")
        if not 0 <= self.escalate <= 1:
            raise ConfigError(f"{self.escalate} is no share of questions.", "Give escalate in [0, 1].")

    @property
    def draws(self) -> tuple[Draw, ...]:
        """One pool of each model."""
        return Draw(self.small), Draw(self.large)

    def grid(self) -> tuple[Cascade, ...]:
        """The agreements that a study chooses from."""
        if self.agreement is not None:
            return (self,)
        return tuple(replace(self, agreement=agreement) for agreement in AGREEMENTS)

    def merit(self, outcomes: Outcomes) -> Floats:
        """[N], what the fit maximises: accuracy, among those agreements that send on no more than they may."""
        assert outcomes.stopped is not None
        gone_on = 1 - outcomes.stopped.mean(axis=(0, 1))
        accuracy = outcomes.correct.mean(axis=(0, 1))
        return np.asarray(np.where(gone_on <= self.escalate + 1e-9, accuracy, -gone_on))

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Ask the small model, and perhaps the large one."""
        first = await self._ask(run, self.small, self.n, Tally())
        if run.stop_reason is not StopReason.COMPLETE:  # the budget has ended: nothing is left for the large model
            return run.result(first.leader)
        if first.leader is not None and self._settled(first.votes, len(run.samples)):
            return run.result(first.leader, StopReason.ACCEPTED, self._certificate(first.votes, len(run.samples)))
        second = await self._ask(run, self.large, self.more, first if self.pooled else Tally())
        return run.result(second.leader or first.leader)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of both pools, for every number of samples of the small model."""
        small_draw, large_draw = self.draws
        small, large = pools[small_draw], pools[large_draw]
        width, more = min(self.n, small.samples), min(self.more, large.samples)
        first = shared_vote(small, small_draw, orders).upto(width)
        drawn = np.minimum(np.arange(1, width + 1)[:, None], small.mask.sum(axis=1)).astype(float)  # [N, problem]
        settled = self._settled(first.top, drawn[:, None, :]) & (first.leader >= 0)
        decided = self._decided(first.leader, pools, orders, width, more)
        credits = both_credits(small, large)
        correct = credits[np.arange(len(credits)), np.where(settled, first.leader, decided)]
        gone_on = 1 - settled.mean(axis=1).T
        return Outcomes(
            correct=correct.mean(axis=1, dtype=np.float64).T[None],
            samples=(drawn.T + gone_on * _drawn(large, more))[None],
            spend={
                self.small: _each(canonical_spend(small), lambda part: part[:, :width]),
                self.large: _each(canonical_spend(large), lambda part: gone_on * part[:, more - 1 : more]),
            },
            latency_seconds=(
                ragged(expected_max_curve, small.mask, small.seconds)[:, :width]
                + gone_on * ragged(expected_max_curve, large.mask, large.seconds)[:, more - 1 : more]
            )[None],
            monte_carlo=monte_carlo_error(correct.astype(np.float32)),
            stopped=(1 - gone_on)[None],
        )

    def _settled(self, votes: Any, drawn: Any) -> Any:
        """Whether so many votes for the leader among the samples drawn are enough."""
        return votes >= (self.agreement or 1.0) * drawn - ROUNDING

    async def _ask(self, run: Run, engine: str, n: int, tally: Tally) -> Tally:
        async for sample in run.sample(n, at_once=n, engine=engine):
            tally.add(sample)
            if tally.leader is not None:
                run.submit(tally.leader, confidence=len(run.samples))
        return tally

    def _decided(self, leader: Ints, pools: Pools, orders: Orders, width: int, more: int) -> Ints:
        """[N, permutation, problem]: the answer where the large model was asked too."""
        small_keys, large_keys = (
            in_order(np.where(pools[draw].mask, pools[draw].keys, -1), orders.of(draw)) for draw in self.draws
        )
        if not self.pooled:
            voted = running_vote(large_keys[..., :more]).leader[-1]
            return np.where(voted >= 0, voted, leader)
        together = [np.concatenate([small_keys[..., :n], large_keys[..., :more]], axis=-1) for n in range(1, width + 1)]
        return np.stack([running_vote(keys).leader[-1] for keys in together])

    def _certificate(self, votes: int, drawn: int) -> Certificate:
        return Certificate(
            rule=f"cascade, agreement ≥ {self.agreement or 1.0:g}",
            evidence=f"{votes} of {drawn} samples of {self.small} agree",
            confidence=votes / drawn,
            limits="heuristic: agreement is not accuracy; a model may agree with itself on a wrong answer",
        )


def both_credits(small: Pool, large: Pool) -> Floats:
    """[problem, key]: how right an answer is, by all samples of both models that give it; 0 in the last column."""
    keys = [np.where(pool.mask, pool.keys, -1) for pool in (small, large)]
    both = replace(
        small,
        keys=np.concatenate(keys, axis=1),
        correct=np.concatenate([small.correct, large.correct], axis=1),
    )
    return credits_of(both.keys, both)


def _drawn(pool: Pool, most: int) -> Floats:
    drawn: Floats = np.minimum(most, pool.mask.sum(axis=1, keepdims=True)).astype(float)
    return drawn


def _each(spend: Spend, do: Callable[[Floats], Floats]) -> Spend:
    return Spend(**{name: do(part)[None] for name, part in vars(spend).items()})
