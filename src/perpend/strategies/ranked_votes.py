"""Ranked votes: samples that list several answers, the likeliest first."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import numpy as np

from perpend.core import SAMPLED, ConfigError, Draw, Orders, Outcomes, PoolField, Pools, Problem, Result, Run, Sample
from perpend.core.answers import normalize
from perpend.stats import borda, instant_runoff, ranked_winners, reciprocal_rank
from perpend.strategies.fixed import draw, fixed_outcomes, refuse_no_samples
from perpend.strategies.stopping import in_turn, monte_carlo_error
from perpend.strategies.votes import means_of_keys


class RankRule(StrEnum):
    """How lists are counted."""

    BORDA = "borda"
    """Points by place, from the length of the longest list down."""
    RUNOFF = "runoff"
    """Instant-runoff: who has fewest first places goes out, and those lists count for their next."""
    RECIPROCAL = "reciprocal"
    """1/place: mean reciprocal rank."""


SCORES = {RankRule.BORDA: borda, RankRule.RUNOFF: instant_runoff, RankRule.RECIPROCAL: reciprocal_rank}


@dataclass(frozen=True)
class RankedVotes:
    """Draw n samples that each rank several answers, and elect one (Wang et al., arXiv 2505.10772).

    No task of ours has an extractor that yields lists, so a list is read from the sample's answer: `A > B > C`, or a
    JSON list. Its items are compared by their normal form; an answer without a list is a list of one. What elects
    among ties, and who goes out of equals, is chosen here: the answer listed first stays.

    Attributes:
        n: samples.
        rule: `borda`, `runoff` or `reciprocal`.
    """

    name: ClassVar[str] = "ranked_votes"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.RANKINGS})
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    verifier: ClassVar[None] = None

    n: int = 16
    rule: str = RankRule.BORDA.value

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.rule not in tuple(RankRule):
            raise ConfigError(f"There is no rule {self.rule!r}.", f"Known: {', '.join(RankRule)}.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Elect among the answers of n samples."""
        listed = [(sample, ranked_answers(sample)) for sample in await draw(run, self.n)]
        seen: dict[str, int] = {}
        ballots = [[seen.setdefault(normalize(answer), len(seen)) for answer in answers] for _, answers in listed]
        if not seen:
            return run.result(None)
        winner = ranked_winners(as_array(ballots)[:, None], SCORES[RankRule(self.rule)])[-1, 0]
        elected = list(seen)[winner]
        return next(
            replace(run.result(sample), answer=answer)
            for sample, answers in listed
            for answer in answers
            if normalize(answer) == elected
        )

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same election over every order of the pool, after each sample."""
        pool = pools.only
        assert pool.rankings is not None
        rankings, problem = pool.rankings, np.arange(len(pool.problems))
        places = [in_turn(place, orders.of(SAMPLED)) for place in np.moveaxis(rankings.keys, -1, 0)]
        ballots = np.stack(places, axis=-1)
        samples, permutations, problems, width = ballots.shape
        winners = ranked_winners(ballots.reshape(samples, -1, width), SCORES[RankRule(self.rule)])
        flat = rankings.keys.reshape(problems, -1)
        credits = means_of_keys(flat, rankings.correct.reshape(problems, -1)).astype(np.float32)
        credit = credits[problem, winners.reshape(samples, permutations, problems)]
        return fixed_outcomes(pool, credit.mean(axis=1, dtype=np.float64).T, monte_carlo_error(credit))


def may_be_list(sample: Sample) -> bool:
    """Whether an answer has the look of a list; most pools hold none, and need not be read any closer."""
    return sample.answer is not None and (">" in sample.answer or sample.answer.lstrip().startswith("["))


def ranked_answers(sample: Sample) -> list[str]:
    """The answers that a sample lists, the best first, none twice; one without a list has one."""
    if sample.answer is None or sample.key is None:
        return []
    listed: dict[str, str] = {}
    for part in _parts(sample.answer.strip()):
        listed.setdefault(normalize(part), part)
    return [part for form, part in listed.items() if form]


def _parts(answer: str) -> list[str]:
    if answer.startswith("["):
        try:
            listed = json.loads(answer)
        except json.JSONDecodeError:
            return [answer]
        return [part if isinstance(part, str) else json.dumps(part) for part in listed]
    return [part.strip() for part in answer.split(">")]


def as_array(lists: Sequence[Sequence[int]]) -> np.ndarray:
    """[list, place], −1 past a list's end; one place at least."""
    width = max(1, *map(len, lists))
    return np.array([[*listed, *[-1] * (width - len(listed))] for listed in lists]).reshape(-1, width)
