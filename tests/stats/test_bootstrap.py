"""Intervals over problems: what they compute, before whether they cover (`test_interval_coverage`)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import cost_per_correct, mean_interval, paired_cost_per_correct, paired_interval

VALUES = np.random.default_rng(0).random((25, 6))
COSTS = np.random.default_rng(1).uniform(1, 3, (25, 6))


@given(arrays(float, st.integers(1, 40), elements=st.floats(0, 1)))
def test_the_estimate_is_the_plain_mean_and_lies_inside_its_interval(values):
    interval = mean_interval(values, draws=100)
    assert interval.estimate == pytest.approx(values.mean())
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1 + 1e-9
    assert interval.n == len(values)


def test_a_matrix_gives_the_interval_of_each_column():
    together = mean_interval(VALUES)
    assert together.estimate.shape == together.low.shape == (6,)
    for budget in range(6):
        alone = mean_interval(VALUES[:, budget])
        assert together[budget].low == pytest.approx(alone.low)
        assert together[budget].high == pytest.approx(alone.high)


def test_intervals_replay_and_depend_on_the_seed():
    assert mean_interval(VALUES[:, 0]) == mean_interval(VALUES[:, 0])
    assert mean_interval(VALUES[:, 0]).low != mean_interval(VALUES[:, 0], seed=1).low


def test_a_higher_level_is_wider():
    narrow, wide = (mean_interval(VALUES[:, 0], level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_twenty_failures_are_no_proof_that_success_is_impossible():
    interval = mean_interval(np.zeros(20))
    assert interval.estimate == interval.low == 0
    assert 0.1 < interval.high < 0.25


def test_curves_that_leave_the_unit_range_by_rounding_pass_and_others_do_not():
    assert mean_interval(np.full(3, 1 + 1e-13)).estimate == pytest.approx(1)
    for bad in ([0.5, 1.2], [-0.1, 0.3], [np.nan, 0.5]):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            mean_interval(bad)


def test_paired_intervals_mirror_when_the_strategies_change_places():
    differences = VALUES[:, 0] - VALUES[:, 1]
    forward, backward = paired_interval(differences, draws=20_000), paired_interval(-differences, draws=20_000)
    assert forward.estimate == -backward.estimate
    assert forward.low == pytest.approx(-backward.high, abs=0.02)
    with pytest.raises(ValueError, match=r"\[−1, 1\]"):
        paired_interval([0.2, 1.5])


def test_cost_per_correct_is_a_ratio_of_sums():
    interval = cost_per_correct(VALUES, COSTS)
    assert interval.estimate == pytest.approx(COSTS.sum(axis=0) / VALUES.sum(axis=0))
    assert np.all((interval.low < interval.estimate) & (interval.estimate < interval.high))


def test_without_a_correct_answer_the_cost_of_one_has_no_upper_end():
    interval = cost_per_correct(np.zeros(30), np.full(30, 2.0))
    assert interval.estimate is None
    assert interval.high is None
    assert interval.low == pytest.approx(2 / 0.125, rel=0.4)


def test_few_correct_answers_leave_the_upper_end_open_but_not_the_estimate():
    interval = cost_per_correct(np.eye(30)[0], np.ones(30))
    assert interval.estimate == pytest.approx(30)
    assert interval.high is None


def test_equal_strategies_have_a_cost_ratio_of_one():
    interval = paired_cost_per_correct((VALUES[:, 0], COSTS[:, 0]), (VALUES[:, 0], COSTS[:, 0]))
    assert interval.estimate == pytest.approx(1)
    assert interval.low < 1 < interval.high


def test_the_cheaper_of_two_strategies_has_a_ratio_below_one():
    interval = paired_cost_per_correct((VALUES, COSTS), (VALUES, COSTS * 4))
    assert interval.estimate == pytest.approx([0.25] * 6)
    assert np.all(interval.high < 1)


def test_a_cost_ratio_is_open_on_the_side_of_the_strategy_that_is_never_right():
    never, always, cost = np.zeros(20), np.ones(20), np.ones(20)
    assert paired_cost_per_correct((never, cost), (always, cost)).high is None
    assert paired_cost_per_correct((always, cost), (never, cost)).estimate == 0
    both = paired_cost_per_correct((never, cost), (never, cost))
    assert (both.estimate, both.low, both.high) == (None, 0, None)


def test_costs_must_be_positive_and_match_their_problems():
    with pytest.raises(ValueError, match="positive"):
        cost_per_correct([1.0, 0.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="shape"):
        cost_per_correct([1.0, 0.0], [1.0])
    with pytest.raises(ValueError, match="shape"):
        paired_cost_per_correct(([1.0, 0.0], [1.0, 1.0]), ([1.0], [1.0]))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match="probability"):
        mean_interval([0.5], level=level)
