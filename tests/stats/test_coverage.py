"""pass@k."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.stats import coverage_curve, pass_at_k
from tests.stats.brute import EXACT, over_all_subsets

POOL = np.random.default_rng(0).random((12, 8)) < 0.3
BRUTE = over_all_subsets(lambda p, drawn: float(POOL[p, drawn].any()), *POOL.shape)


def test_the_curve_is_the_mean_over_all_subsets():
    assert np.abs(coverage_curve(POOL) - BRUTE).max() < EXACT


def test_the_estimator_is_the_mean_over_all_subsets():
    estimate = pass_at_k(8, POOL.sum(axis=1)[:, None], np.arange(1, 9))
    assert np.abs(estimate - BRUTE).max() < EXACT


def test_arguments_broadcast_and_scalars_stay_scalar():
    assert pass_at_k([10, 20], [[1], [2], [3]], 5).shape == (3, 2)
    assert pass_at_k(10, 3, 1).shape == ()


@pytest.mark.parametrize("samples", [1_000, 10_000])
def test_a_rare_success_among_many_samples_keeps_its_digits(samples):
    k = np.array([1, 10, 100, samples])
    assert pass_at_k(samples, 1, k) == pytest.approx(k / samples, rel=1e-11)


@given(n=st.integers(1, 300), data=st.data())
def test_pass_at_k_lies_between_zero_and_one_and_grows_with_k_and_c(n, data):
    c = data.draw(st.integers(0, n))
    curve = pass_at_k(n, c, np.arange(1, n + 1))
    assert np.all(np.diff(curve) >= -EXACT)
    assert 0 <= curve[0] == pytest.approx(c / n)
    assert curve[-1] == float(c > 0)
    assert np.all(pass_at_k(n, min(c + 1, n), np.arange(1, n + 1)) >= curve - EXACT)


def test_more_samples_than_were_drawn_are_refused():
    with pytest.raises(ValueError, match="k must not exceed n"):
        pass_at_k(10, 3, [1, 11])


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 0), (5.5, 2, 1)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(ValueError, match="must"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize("correct", [[1, 0], [[0.5, 1]], np.empty((3, 0))])
def test_a_curve_needs_a_matrix_of_flags(correct):
    with pytest.raises(ValueError, match="correct must"):
        coverage_curve(correct)
