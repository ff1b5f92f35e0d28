"""What strategies share that draw until a verifier's scores suffice: live, over orders, and in closed form.

`liked` is how a verifier likes the samples in the order drawn, [S, …]: −∞ without an answer, NaN without an opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    SAMPLED,
    Bools,
    Certificate,
    Floats,
    Orders,
    Outcomes,
    Pool,
    Result,
    Run,
    Score,
    Spend,
    StopReason,
)
from perpend.stats import best_of_n_curve
from perpend.strategies.best_of_n import first_best, preference
from perpend.strategies.fixed import ragged
from perpend.strategies.selecting import at_turns, best_so_far, probabilities_of, proxy_of, values_of
from perpend.strategies.stopping import in_turn, stopped_outcomes

Content = Callable[[Floats], Bools]
"""liked → after which samples it may stop."""


async def draw_best_until(
    run: Run,
    n: int,
    wave: int,
    verifier: str,
    read: Callable[[list[Score]], Floats],
    content: Content,
    certify: Callable[[Floats], Certificate],
) -> Result:
    """Draw in waves until the rule is content, or n are drawn; the best-liked sample is the answer.

    Args:
        run: the world.
        n: the most samples.
        wave: how many are drawn, and then scored, side by side.
        verifier: by name.
        read: what of its scores counts.
        content: asked after every whole wave.
        certify: what an early stop rests on.
    """
    scores: list[Score] = []
    best = None
    while (before := len(run.samples)) < n:
        size = min(wave, n - before)
        drawn = [sample async for sample in run.sample(size, at_once=size)]
        scores += await run.score(drawn, verifier)
        liked = preference(read(scores), np.array([s.key is not None for s in run.samples], dtype=bool))
        at = first_best(liked)
        if at is not None:
            best = run.samples[at]
            run.submit(best, confidence=len(run.samples))
        if len(drawn) < wave:
            break  # the budget has ended, or a last wave that is not whole
        if content(liked)[-1]:
            return run.result(best, StopReason.ACCEPTED, certify(liked))
    return run.result(best)


async def draw_until_accepted(run: Run, n: int, wave: int, verifier: str, threshold: float, rule: str) -> Result:
    """Draw in waves until one holds a sample that has an answer and an opinion of at least the threshold."""

    def certificate(liked: Floats) -> Certificate:
        opinion = float(np.nanmax(liked))
        return Certificate(
            rule=f"{rule}, {verifier} ≥ {threshold:g}",
            evidence=f"{verifier} gives {opinion:.4g}",
            confidence=opinion if 0 <= opinion <= 1 else None,
            limits="heuristic: it is worth what the verifier is worth, and every further try is a chance to fool it",
        )

    return await draw_best_until(run, n, wave, verifier, opinions_of, _reaches(threshold), certificate)


def _reaches(threshold: float) -> Content:
    return lambda liked: np.logical_or.accumulate(liked >= threshold)


def opinions_of(scores: list[Score]) -> Floats:
    """The verifier's probability that a sample is right; its value where it gives none; NaN for no opinion."""
    return _opinions(values_of(scores), probabilities_of(scores))


def opinions(pool: Pool, verifier: str) -> Floats:
    """The same for a pool, as preferences: [problem, S], −∞ for a sample without an answer."""
    values = pool.scores[verifier]
    known = _opinions(values, pool.probabilities.get(verifier, np.full(values.shape, np.nan)))
    return preference(np.where(pool.mask, known, np.nan), pool.answered)


def _opinions(values: Floats, probabilities: Floats) -> Floats:
    return np.where(np.isnan(probabilities), values, probabilities)


def accepted_outcomes(pool: Pool, verifier: str, threshold: float) -> Outcomes:
    """Outcomes of drawing one sample after another until one is accepted, exact over all orders, for every N.

    With R of S samples rejected, the first t are all rejected with probability C(R, t) / C(S, t). The first accepted
    sample is any of them alike; where N are rejected, the best of them is returned. All accepted samples rank above all
    rejected ones, so "the best of N is a rejected one" says that none is accepted.
    """
    liked = opinions(pool, verifier)
    accepted = liked >= threshold
    none_yet = ragged(_none_accepted, pool.mask, accepted)

    def chosen(values: NDArray[Any]) -> Floats:
        rejected = ragged(best_of_n_curve, pool.mask, liked, np.where(accepted, 0.0, values))
        return (1 - none_yet) * _mean_where(accepted, values) + rejected

    samples = ragged(_drawn, pool.mask, accepted)
    prompt = pool.prompt_tokens[:, None].astype(np.float64)
    nothing = np.zeros((1, *samples.shape))

    def spent(values: NDArray[Any]) -> Floats:
        return ragged(_sum_until_accepted, pool.mask, accepted, values)[None]

    spend = Spend(
        prompt=(samples * prompt)[None],
        cached=(np.maximum(samples - 1, 0) * prompt)[None],
        completion=spent(pool.completion_tokens),
        discarded=nothing,
        verifier=nothing,
        device_seconds=spent(pool.device_seconds),
    )
    return Outcomes(
        correct=chosen(pool.correct)[None],
        samples=samples[None],
        spend={pool.engine: spend},
        latency_seconds=spent(pool.seconds),
        stopped=np.where(pool.mask.any(axis=1, keepdims=True), 1 - none_yet, 0.0)[None],
        proxy=proxy_of(pool, verifier, chosen)[None],
    )


def accepted_in_waves(pool: Pool, orders: Orders, verifier: str, threshold: float, n: int, wave: int) -> Outcomes:
    """The same where samples are drawn and scored `wave` at a time, over the orders of the pool."""
    return best_until_outcomes(pool, orders, verifier, opinions(pool, verifier), _reaches(threshold), n, wave)


def best_until_outcomes(
    pool: Pool, orders: Orders, verifier: str, each: Floats, content: Content, n: int, wave: int
) -> Outcomes:
    """Outcomes of `draw_best_until` over the orders of the pool; `each` is how each sample is liked, [problem, S]."""
    liked = in_turn(each, orders.of(SAMPLED))
    best, may_stop = best_so_far(liked), content(liked)

    def outcomes(values: NDArray[Any]) -> Outcomes:
        credit = at_turns(values, orders.of(SAMPLED), best)
        return stopped_outcomes(pool, SAMPLED, orders, credit, may_stop, n=n, wave=wave)

    found = outcomes(pool.correct)
    return Outcomes(**{**vars(found), "proxy": proxy_of(pool, verifier, lambda values: outcomes(values).correct)})


def _none_accepted(accepted: Bools) -> Floats:
    """[P, S] → the chance that none of N samples is accepted, for every N."""
    samples = accepted.shape[1]
    rejected = samples - accepted.sum(axis=1, keepdims=True)
    drawn = np.arange(samples)
    return np.asarray(np.cumprod(np.maximum(rejected - drawn, 0) / (samples - drawn), axis=1))


def _running(accepted: Bools) -> Floats:
    """[P, S] → the chance that the t-th sample is drawn at all."""
    return np.hstack([np.ones((len(accepted), 1)), _none_accepted(accepted)[:, :-1]])


def _drawn(accepted: Bools) -> Floats:
    return np.asarray(np.cumsum(_running(accepted), axis=1))


def _sum_until_accepted(accepted: Bools, values: NDArray[Any]) -> Floats:
    """[P, N]: the expected sum of the values of the samples drawn. Those that are left when t − 1 are rejected are all
    the accepted ones and S − A − t + 1 of the rejected, any of which comes next.
    """
    samples = accepted.shape[1]
    drawn = np.arange(samples)
    kept = accepted.sum(axis=1, keepdims=True)
    left = kept * _mean_where(accepted, values) + np.maximum(samples - kept - drawn, 0) * _mean_where(~accepted, values)
    return np.asarray(np.cumsum(_running(accepted) * left / (samples - drawn), axis=1))


def _mean_where(which: Bools, values: NDArray[Any]) -> Floats:
    """[P, 1]: the mean over the chosen samples, 0 where there are none."""
    total = np.where(which, values, 0).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(which.sum(axis=1, keepdims=True), 1))
