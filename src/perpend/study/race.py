"""A vote as it ran: one problem, sample by sample, with the place where each rule would have stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from perpend.core import SAMPLED, Bools, Ints, Orders, Pool, PoolField, Pools, Sample, Strategy
from perpend.stats import RunningVote, running_vote
from perpend.store import printable
from perpend.strategies.votes import existing_first
from perpend.study.evaluate import candidates
from perpend.study.results import RacingAnswer, RuleStop, VoteRace

MOST_SAMPLES = 128
"""Of a larger pool the first so many are shown."""
MOST_ANSWERS = 6


def race(
    engine: str, pool: Pool, samples: Sequence[Sequence[Sample]], strategies: Mapping[str, Strategy]
) -> VoteRace | None:
    """The problem whose lead changes most often in stored order; of several, the one with most answers, then the first.

    Those with a right answer come first of all.

    None where nobody votes.

    Args:
        engine: by name.
        pool: all problems.
        samples: the same, with their answers.
        strategies: whose stops are marked, where they look at nothing but answers, in the order drawn.
    """
    order = existing_first(np.broadcast_to(np.arange(pool.samples), (1, *pool.mask.shape)), pool.mask)
    keys = np.take_along_axis(np.where(pool.mask, pool.keys, -1), order[0], axis=1)[:, :MOST_SAMPLES]
    vote = running_vote(keys)
    if PoolField.ANSWERS not in pool.fields or not vote.voters.any():
        return None
    correct = np.take_along_axis(pool.correct, order[0], axis=1)[:, : keys.shape[1]] & (keys >= 0)
    changes = _lead_changes(vote)
    row = max(range(len(keys)), key=lambda i: (correct[i].any(), changes[i], vote.distinct[-1, i], -i))
    drawn = samples[row][: keys.shape[1]]
    one = pool.rows(slice(row, row + 1))
    return VoteRace(
        engine=engine,
        problem=pool.problems[row],
        samples=len(drawn),
        lead_changes=int(changes[row]),
        voters=vote.voters[: len(drawn), row].tolist(),
        answers=_answers(keys[row, : len(drawn)], drawn, correct[row]),
        stops=[
            RuleStop(strategy=name, samples=stop)
            for name, strategy in strategies.items()
            if (stop := _stop(strategy, one, order[:, row : row + 1], len(drawn))) is not None
        ],
    )


def _lead_changes(vote: RunningVote) -> Ints:
    before, after = vote.leader[:-1], vote.leader[1:]
    return np.asarray(((before >= 0) & (before != after)).sum(axis=0))


def _answers(keys: Ints, samples: Sequence[Sample], correct: Bools) -> list[RacingAnswer]:
    """The answers with most votes, a right one among them, best first, and how many each has after every sample."""
    seen, first, counts = np.unique(keys, return_index=True, return_counts=True)
    standing = [(int(key), int(at)) for _, at, key in sorted(zip(-counts, first, seen, strict=True)) if key >= 0]
    leading = standing[:MOST_ANSWERS]
    best_right = next((answer for answer in standing if correct[answer[1]]), leading[0])
    if best_right not in leading:
        leading[-1] = best_right
    return [
        RacingAnswer(
            answer=printable(samples[at].answer or ""), right=bool(correct[at]), votes=np.cumsum(keys == key).tolist()
        )
        for key, at in leading
    ]


def _stop(strategy: Strategy, one: Pool, order: Ints, drawn: int) -> int | None:
    """After how many samples a rule stops in this order; None where it does not, or looks at more than answers."""
    if strategy.draws != (SAMPLED,) or not strategy.needs <= {PoolField.ANSWERS} or strategy.verifier is not None:
        return None
    pools = Pools({SAMPLED: one})
    if len(candidates(strategy, pools)) > 1:
        return None
    outcomes = strategy.offline(pools, Orders(lambda _: order))
    if outcomes.stopped is None:
        return None
    stopped = np.flatnonzero(outcomes.stopped[0, 0, :drawn])
    return int(stopped[0]) + 1 if stopped.size else None
