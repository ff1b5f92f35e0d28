"""What stopping saves and loses, against the vote over all samples; and how often a certificate is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perpend.core import SAMPLED, Pool, PoolField, Pools
from perpend.strategies import STRATEGIES, describe
from perpend.study.evaluate import Evaluated, evaluate
from perpend.study.results import StoppingPoint
from perpend.study.stopping import stopping


def pool_of(keys: list[list[int]]) -> Pool:
    """Answer 0 is right; −1 is no answer; every sample has ten tokens."""
    array = np.array(keys)
    ones = np.ones(array.shape)
    return Pool(
        engine="small",
        problems=tuple(f"p{i}" for i in range(len(array))),
        keys=array,
        correct=array == 0,
        scores={},
        prompt_tokens=np.zeros(len(array), np.int64),
        completion_tokens=(10 * ones).astype(np.int64),
        seconds=ones,
        device_seconds=ones,
        mask=ones.astype(bool),
    )


def evaluated(pool: Pool, *texts: str) -> list[Evaluated]:
    wanted = [STRATEGIES.build(text) for text in texts]
    named = {describe(strategy): replace(strategy, n=pool.samples) for strategy in wanted}  # type: ignore[type-var]
    return evaluate(named, "small", Pools({SAMPLED: pool}), {"small": None}, {}, 0, lambda s: s.oracle)


def points(pool: Pool, text: str) -> dict[str, StoppingPoint]:
    found = stopping("small", pool, evaluated(pool, text), seed=0)
    assert found is not None
    (rule,) = found.rules
    return {point.strategy: point for point in rule.points}


UNANIMOUS = [[0] * 16] * 12
SPLIT = [[0, 1] * 8] * 12


def test_where_all_agree_samples_are_saved_and_nothing_is_lost() -> None:
    found = points(pool_of(UNANIMOUS), "adaptive_consistency")
    own = found["adaptive_consistency"]
    assert own.own
    assert own.samples == 4, "four unanimous votes are enough at .95"
    assert (own.samples_saved.value, own.tokens_saved, own.stopped) == (0.75, 0.75, 1)
    assert own.difference.value == 0
    assert own.error is not None
    assert own.error.value == 0


def test_a_curve_runs_from_the_least_samples_to_the_most_and_holds_the_studys_own_setting() -> None:
    found = points(pool_of(UNANIMOUS), "adaptive_consistency(confidence=0.85)")
    samples = [point.samples for point in found.values()]
    assert samples == sorted(samples)
    assert [point.own for point in found.values()].count(True) == 1
    assert found["adaptive_consistency(confidence=0.85)"].own
    assert found["adaptive_consistency(confidence=0.99)"].samples == 6


def test_who_stops_at_the_first_answer_loses_what_the_vote_gains() -> None:
    pool = pool_of([[0] * 12 + [1] * 4] * 12)
    first = points(pool, "short_m_at_k")["short_m_at_k(m=1)"]
    assert first.difference.value == pytest.approx(0.75 - 1, abs=4 * np.sqrt(0.25 * 0.75 / (64 * 12)))
    assert first.error is not None
    assert first.error.value == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / (16 * 12)))


def test_a_certificate_that_may_be_asked_at_any_time_says_its_error_and_keeps_to_it() -> None:
    pool = pool_of([[0] * 9 + [1] * 7] * 20)
    honest, heuristic = points(pool, "martingale"), points(pool, "adaptive_consistency")
    assert [point.claimed_error for point in honest.values()] == [0.2, 0.1, 0.05, 0.01]
    assert all(point.error is not None and point.error.value <= point.claimed_error for point in honest.values())
    assert {point.claimed_error for point in heuristic.values()} == {None}


def test_in_a_tie_neither_leader_is_an_error() -> None:
    assert all(p.error is not None and p.error.value == 0 for p in points(pool_of(SPLIT), "sprt").values())


def test_nothing_is_said_of_a_study_in_which_nothing_stops_or_answers_are_not_known() -> None:
    pool = pool_of(UNANIMOUS)
    assert stopping("small", pool, evaluated(pool, "majority", "coverage"), seed=0) is None
    unknown = replace(pool, fields=pool.fields - {PoolField.ANSWERS})
    assert stopping("small", unknown, evaluated(pool, "martingale"), seed=0) is None


def test_a_rule_of_two_engines_is_on_neither_ones_page() -> None:
    pool = pool_of(UNANIMOUS)
    elsewhere = [replace(each, engine="large") for each in evaluated(pool, "martingale")]
    assert stopping("small", pool, elsewhere, seed=0) is None
