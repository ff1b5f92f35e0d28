"""Budgets are never overshot, and a block begins only where it can be finished."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.core import Amount, Budget, Scope, StopReason
from perpend.study.admission import Admission, ProblemHistory


def admission(per_problem: Budget | None = None, **caps: float) -> Admission:
    return Admission(Scope(Budget(**caps)), per_problem or Budget())  # type: ignore[arg-type]


def spend(at: Admission, amount: Amount) -> None:
    at.scope.spent += amount


def test_without_a_cap_everything_may_begin() -> None:
    at = admission()
    at.begun(100)
    assert at.may_begin(10**6)


def test_under_a_cap_the_first_block_runs_alone() -> None:
    at = admission(tokens=1000)
    assert at.may_begin(16)
    at.begun(16)
    assert not at.may_begin(16)
    spend(at, Amount(tokens=160, samples=16))
    at.finished(16, Amount(tokens=160, samples=16), 1.0)
    assert at.may_begin(16)


def test_samples_are_known_beforehand() -> None:
    at = admission(samples=50)
    for _ in range(3):
        assert at.may_begin(16)
        at.begun(16)
    assert not at.may_begin(16)
    assert at.may_begin(2)
    assert at.shortage(16) is StopReason.SAMPLES


def test_blocks_in_flight_and_one_more_must_fit_at_the_dearest_seen() -> None:
    at = admission(tokens=1000)
    at.learn([ProblemHistory(Amount(tokens=20, samples=2)), ProblemHistory(Amount(tokens=100, samples=4))])
    for _ in range(2):  # 16 samples at 25 tokens each
        assert at.may_begin(16)
        at.begun(16)
    assert at.shortage(16) is StopReason.TOKENS
    assert at.may_begin(8)


def test_a_block_that_is_half_drawn_is_judged_by_what_it_lacks() -> None:
    at = admission(tokens=1000)
    at.learn([ProblemHistory(Amount(tokens=100, samples=1))])
    assert not at.may_begin(16)
    assert at.may_begin(10)


def test_a_block_that_lacks_nothing_costs_nothing() -> None:
    at = admission(tokens=10)
    spend(at, Amount(tokens=10))
    assert at.may_begin(0)
    assert not at.may_begin(1) or at.dearest is None


def test_a_cap_of_each_problem_bounds_what_a_block_can_cost() -> None:
    at = admission(Budget(tokens=300), tokens=1000)
    at.learn([ProblemHistory(Amount(tokens=100, samples=1))])
    assert at.may_begin(1000)


def test_nothing_begins_after_a_refusal_or_a_deadline() -> None:
    now = [0.0]
    at = Admission(Scope(Budget(seconds=10), clock=lambda: now[0]))
    at.learn([ProblemHistory(Amount(tokens=1, samples=1), longest_run=4.0)])
    assert at.may_begin(1)
    now[0] = 6.5
    assert at.shortage(1) is StopReason.SECONDS
    assert not at.may_begin(1)
    refused = admission(tokens=10)
    refused.scope._refused = True
    assert not refused.may_begin(1)


@pytest.mark.parametrize("cap", ["tokens", "usd", "samples"])
@given(
    blocks=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 50)), min_size=1, max_size=30),
    limit=st.integers(1, 3000),
    at_once=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_blocks_of_any_size_end_within_the_budget(
    cap: str, blocks: list[tuple[int, int]], limit: int, at_once: int, seed: int
) -> None:
    """As long as no sample is dearer than the dearest known, every admitted block fits, whatever the order."""
    rng = random.Random(seed)
    at = admission(**{cap: limit})
    most = max(each for _, each in blocks)
    at.learn([ProblemHistory(Amount(usd=float(most), tokens=most, samples=1))])
    waiting, flying = list(blocks), []
    while True:
        while waiting and len(flying) < at_once and at.may_begin(waiting[0][0]):
            at.begun(waiting[0][0])
            flying.append(waiting.pop(0))
        if not flying:
            break
        samples, each = flying.pop(rng.randrange(len(flying)))
        cost = Amount(usd=float(samples * each), tokens=samples * each, samples=samples)
        spend(at, cost)
        at.finished(samples, cost, 0.0)
        assert getattr(at.scope.spent, cap) <= limit
    if waiting:
        needed = waiting[0][0] * (1 if cap == "samples" else most)
        assert getattr(at.scope.spent, cap) + needed > limit, "it would have fitted"
