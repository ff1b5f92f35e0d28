"""Stopping rules: what each saves against a vote over all samples, and what it loses by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perpend.core import (
    MEASURED,
    SAMPLED,
    AnytimeValid,
    Bools,
    Floats,
    Pool,
    PoolField,
    Pools,
    Strategy,
    Sweeping,
    derive_seed,
)
from perpend.stats import mean_interval, paired_interval
from perpend.strategies import STRATEGIES, describe
from perpend.study.costs import Costs, costs
from perpend.study.evaluate import Evaluated, estimate
from perpend.study.offline import average_outcomes
from perpend.study.results import Estimate, StoppedVotes, StoppingPoint, StoppingRule

RESAMPLES = 16
"""Pools drawn with replacement, for a certificate's error; fewer where a pool is large."""
CELLS = 1 << 18
"""Of all resampled pools together: bounds the time that they take."""
VOTES_ONLY = frozenset({PoolField.ANSWERS, PoolField.TOKENS})


def stopping(engine: str, pool: Pool, evaluated: Sequence[Evaluated], seed: int) -> StoppedVotes | None:
    """Every deployable rule of the study that stops, over its settings, against the vote over all samples of the pool.

    None where nothing stops, or nothing can be voted on.

    Args:
        engine: by name.
        pool: its samples.
        evaluated: all strategies of the task.
        seed: of the study.
    """
    rules = [each for each in evaluated if each.stopped is not None and each.deployable and _reads(each, engine)]
    if not rules or PoolField.ANSWERS not in pool.fields:
        return None
    n = pool.samples
    vote = STRATEGIES.build(f"majority(n={n})")
    settings = {each.name: _swept(each.strategy) for each in rules}
    every = list(dict.fromkeys(setting for swept in settings.values() for setting in swept))
    voted, *averaged = average_outcomes([vote, *every], Pools({SAMPLED: pool}), seed)
    whole = costs(voted.outcomes, {engine: None}, {}, pool.fields)
    found = {
        setting: _Measured(costs(one.outcomes, {engine: None}, {}, pool.fields), _last(one.outcomes.stopped))
        for setting, one in zip(every, averaged, strict=True)
    }
    errors = _certificate_errors([setting for setting in every if _votes_only(setting)], pool, seed)

    def points(each: Evaluated) -> Iterator[StoppingPoint]:
        own = _Measured(each.costs, _last(each.stopped))
        for setting in settings[each.name] or [each.strategy]:
            measured = own if setting == each.strategy else found[setting]
            yield _point(setting, measured, whole, own=measured is own, error=errors.get(setting))

    return StoppedVotes(
        engine=engine,
        n=n,
        accuracy=estimate(mean_interval(whole.correct[:, -1])),
        tokens=None if whole.tokens is None else float(whole.tokens[:, -1].mean()),
        rules=[
            StoppingRule(strategy=each.name, points=sorted(points(each), key=lambda p: p.samples)) for each in rules
        ],
    )


@dataclass(frozen=True)
class _Measured:
    """A setting's means over orders, and the share of them that it ended, [problem]."""

    costs: Costs
    stopped: Floats


def _reads(each: Evaluated, engine: str) -> bool:
    return each.engine == engine and each.strategy.draws == (SAMPLED,)


def _swept(strategy: Strategy) -> tuple[Strategy, ...]:
    """A rule's curve, its own setting in it; nothing to compute anew where it has no curve."""
    if not isinstance(strategy, Sweeping):
        return ()
    return tuple(dict.fromkeys([*strategy.sweep(), strategy]))


def _votes_only(strategy: Strategy) -> bool:
    return strategy.verifier is None and strategy.needs <= VOTES_ONLY


def _last(stopped: Floats | None) -> Floats:
    assert stopped is not None
    return np.asarray(stopped.reshape(-1, stopped.shape[-1])[:, -1])


def _point(setting: Strategy, measured: _Measured, vote: Costs, *, own: bool, error: Estimate | None) -> StoppingPoint:
    mine = measured.costs
    saved = np.clip(1 - mine.samples[:, -1] / np.maximum(vote.samples[:, -1], 1), 0, 1)
    tokens, all_tokens = (None if part is None else float(part[:, -1].mean()) for part in (mine.tokens, vote.tokens))
    return StoppingPoint(
        strategy=describe(setting),
        own=own,
        difference=estimate(paired_interval(mine.correct[:, -1] - vote.correct[:, -1])),
        samples=float(mine.samples[:, -1].mean()),
        samples_saved=estimate(mean_interval(saved)),
        tokens=tokens,
        tokens_saved=1 - tokens / all_tokens if tokens is not None and all_tokens else None,
        stopped=float(measured.stopped.mean()),
        claimed_error=setting.claimed_error if isinstance(setting, AnytimeValid) else None,
        error=error,
    )


def _certificate_errors(rules: Sequence[Strategy], pool: Pool, seed: int) -> dict[Strategy, Estimate]:
    """How often each stops with an answer that is not the mode, where samples are drawn from the pool with replacement:
    its own mode is then the truth, which no rule may outlive by seeing every sample.
    """
    if not rules:
        return {}
    drawn, times = _with_replacement(pool, seed)
    found = {}
    for rule, one in zip(rules, average_outcomes(rules, Pools({SAMPLED: drawn}), seed, orders=1), strict=True):
        wrong = _last(one.outcomes.stopped) - _last(one.outcomes.stopped_right)
        found[rule] = estimate(mean_interval(np.clip(wrong.reshape(times, -1).mean(axis=0), 0, 1)))
    return found


def _with_replacement(pool: Pool, seed: int) -> tuple[Pool, int]:
    """Several pools of the same size, one below the other, in which the mode is what is right; and how many."""
    problems, width = pool.mask.shape
    times = int(np.clip(CELLS // (problems * width), 1, RESAMPLES))
    rng = np.random.default_rng(derive_seed("with replacement", seed, pool.engine))
    existing = np.argsort(~pool.mask, axis=1, kind="stable")
    size = np.maximum(pool.mask.sum(axis=1, keepdims=True), 1)
    rows = np.tile(np.arange(problems), times)[:, None]
    columns = existing[rows, (rng.random((problems * times, width)) * size[rows[:, 0]]).astype(np.int64)]
    drawn = Pool(
        engine=pool.engine,
        problems=tuple(pool.problems[i] for i in rows[:, 0]),
        keys=pool.keys[rows, columns],
        correct=_is_mode(pool)[rows, columns],
        scores={},
        prompt_tokens=pool.prompt_tokens[rows[:, 0]],
        completion_tokens=pool.completion_tokens[rows, columns],
        seconds=pool.seconds[rows, columns],
        device_seconds=pool.device_seconds[rows, columns],
        mask=pool.mask[rows, columns],
        fields=pool.fields & MEASURED,
    )
    return drawn, times


def _is_mode(pool: Pool) -> Bools:
    """[problem, S]: which samples give the answer that most of the problem's samples give; all of those, in a tie."""
    keys = np.where(pool.mask, pool.keys, -1)
    votes = np.zeros(keys.shape, np.int64)
    for key in range(int(keys.max(initial=-1)) + 1):
        given = keys == key
        votes += given * given.sum(axis=1, keepdims=True)
    return np.asarray((keys >= 0) & (votes == votes.max(axis=1, keepdims=True)))
