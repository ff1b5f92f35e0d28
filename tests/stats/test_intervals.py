"""Headlines over tasks."""

import numpy as np
import pytest

from perpend.stats import Interval, mover


def test_one_task_keeps_its_own_interval():
    headline = mover([0.4], [0.3], [0.6])
    assert (headline.estimate, headline.low, headline.high) == pytest.approx((0.4, 0.3, 0.6))
    assert headline.n == 1


def test_distances_add_in_squares_and_each_side_on_its_own():
    headline = mover([0.4, 0.6], [0.37, 0.56], [0.46, 0.68])
    assert headline.estimate == pytest.approx(0.5)
    assert headline.low == pytest.approx(0.5 - 0.05 / 2)
    assert headline.high == pytest.approx(0.5 + 0.10 / 2)


def test_a_curve_of_headlines_is_the_headline_at_each_budget():
    curve = mover([[0.4, 0.2], [0.6, 0.3]], [[0.37, 0.1], [0.56, 0.1]], [[0.46, 0.4], [0.68, 0.5]])
    assert curve[0].low == pytest.approx(mover([0.4, 0.6], [0.37, 0.56], [0.46, 0.68]).low)
    assert (curve.low.shape, curve.n) == ((2,), 2)


@pytest.mark.parametrize("lows", [[0.3], [0.3, None], [0.3, np.inf]])
def test_every_task_needs_a_bounded_interval(lows):
    with pytest.raises(ValueError, match=r"shape|finite"):
        mover([0.4, 0.5], lows, [0.6, 0.7])


def test_a_curve_hands_out_the_interval_of_each_budget():
    curve = Interval(np.array([2.0, np.inf]), np.array([1.0, 5.0]), np.array([np.inf, np.nan]), 30)
    assert curve[0] == Interval(2.0, 1.0, None, 30)
    assert curve[1] == Interval(None, 5.0, None, 30)
