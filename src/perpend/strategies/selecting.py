"""What strategies share that choose among N samples by a score: scores along the orders, and what a choice is worth.

Over orders everything is [S, permutation, problem]: the sample's turn comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.core import SAMPLED, Draw, Floats, Ints, Orders, Outcomes, Pool, Sample, Score, derive_seed
from perpend.strategies.fixed import fixed_outcomes
from perpend.strategies.stopping import credit_of, in_turn, monte_carlo_error
from perpend.strategies.votes import means_of_keys


def values_of(scores: Sequence[Score]) -> Floats:
    """What a verifier thinks of each sample, NaN for no opinion."""
    return np.array([score.value for score in scores], dtype=np.float64)


def probabilities_of(scores: Sequence[Score]) -> Floats:
    """The probabilities that a verifier gives, NaN where it gives none."""
    return np.array([np.nan if s.probability is None else s.probability for s in scores], dtype=np.float64)


def keys_in_turn(pool: Pool, draw: Draw, orders: Orders) -> NDArray[Any]:
    """The answers along every order; made once for all strategies."""
    narrow = np.where(pool.mask, pool.keys, -1).astype(np.min_scalar_type(-1 - pool.samples))
    return orders.once(("keys", draw), lambda: in_turn(narrow, orders.of(draw)))


def values_in_turn(pool: Pool, verifier: str, draw: Draw, orders: Orders) -> Floats:
    """A verifier's values along every order; made once for all strategies."""
    values = np.where(pool.mask, pool.scores[verifier], np.nan)
    return orders.once(("values", verifier, draw), lambda: in_turn(values, orders.of(draw)))


def probabilities_in_turn(pool: Pool, verifier: str, draw: Draw, orders: Orders) -> Floats | None:
    """A verifier's probabilities along every order, made once for all strategies; None where it gives none at all."""
    known = pool.probabilities.get(verifier)
    if known is None or np.isnan(known[pool.mask]).all():
        return None
    return orders.once(("probabilities", verifier, draw), lambda: in_turn(known, orders.of(draw)))


def elected_outcomes(pool: Pool, leader: Ints, verifier: str | None) -> Outcomes:
    """Outcomes of a rule that elects an answer: `leader` after each sample, −1 for nobody.

    An answer that the grader judges inconsistently counts with the share of its samples that are correct.
    """
    problem = np.arange(len(pool.problems))
    keys = np.where(pool.mask, pool.keys, -1)

    def worth(values: Floats) -> Floats:
        return np.asarray(means_of_keys(keys, values)[problem, leader].mean(axis=1).T)

    credit = credit_of(pool, leader)
    return fixed_outcomes(
        pool,
        credit.mean(axis=1, dtype=np.float64).T,
        monte_carlo_error(credit),
        proxy_of(pool, verifier, worth) if verifier else None,
    )


def chosen_outcomes(pool: Pool, orders: Orders, chosen: NDArray[Any], verifier: str) -> Outcomes:
    """Outcomes of a rule that returns a sample: the turn at which it was drawn, after each sample; −1 for none."""
    return mean_outcomes(pool, lambda values: at_turns(values, orders.of(SAMPLED), chosen), verifier)


def mean_outcomes(pool: Pool, along: Callable[[NDArray[Any]], NDArray[Any]], verifier: str) -> Outcomes:
    """Outcomes of a rule over orders, from what it makes of any values of the samples.

    Args:
        pool: the samples.
        along: [problem, S] values → [S, permutation, problem], that of the choice after each sample (or its
            expectation, where the rule draws lots); 0 where it chooses nothing.
        verifier: whose scores it chooses by.
    """

    def worth(values: Floats) -> Floats:
        return np.asarray(along(values).mean(axis=1, dtype=np.float64).T)

    credit = along(pool.correct).astype(np.float32)
    return fixed_outcomes(
        pool,
        credit.mean(axis=1, dtype=np.float64).T,
        monte_carlo_error(credit),
        proxy_of(pool, verifier, worth),
    )


def random_of(strategy: str, sample: Sample) -> np.random.Generator:
    """The chance that a strategy leaves a sample to, seeded with both their names."""
    return np.random.default_rng(derive_seed(strategy, sample.pool, sample.index))


def at_turns(values: NDArray[Any], order: Ints, chosen: NDArray[Any]) -> NDArray[np.float32]:
    """The values of the samples drawn at some turns, [S, permutation, problem], of [problem, S]; 0 at turn −1."""
    taken = np.moveaxis(order, -1, 0)
    sample = np.take_along_axis(taken, np.maximum(chosen, 0), axis=0)
    return np.where(chosen >= 0, values[np.arange(len(values)), sample], 0).astype(np.float32)


def best_so_far(liked: Floats) -> NDArray[np.int64]:
    """[S, …] → the turn of the best-liked sample so far, the first of equal ones; −1 while there is none."""
    best, highest = np.full(liked.shape[1:], -1), np.full(liked.shape[1:], np.nan)
    turns = np.empty(liked.shape, np.int64)
    for turn, value in enumerate(liked):
        better = (value > highest) | (np.isnan(highest) & ~np.isnan(value))
        best, highest = np.where(better, turn, best), np.where(better, value, highest)
        turns[turn] = best
    return turns


def proxy_of(pool: Pool, verifier: str, worth: Callable[[Floats], Floats]) -> Floats:
    """What the verifier thinks of a rule's choice.

    Args:
        pool: the samples.
        verifier: whose values they are.
        worth: from values of the samples, [problem, S], to their expectation over what the rule chooses, 0 where it
            chooses nothing.

    Returns:
        the shape of what `worth` returns, whose last axes are [problem, N]. Choosing nothing, or a sample that the
        verifier has no opinion of, counts as the mean over the problem's samples; NaN where none has a value.
    """
    values = np.where(pool.mask & np.isfinite(pool.scores[verifier]), pool.scores[verifier], np.nan)
    known = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1)
    mean = np.where(
        np.isnan(values).all(axis=1, keepdims=True), np.nan, np.nansum(values, axis=1, keepdims=True) / known
    )
    return np.asarray(mean + worth(np.nan_to_num(values - mean)))
