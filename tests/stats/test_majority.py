"""maj@k."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import hypergeom

from perpend.stats import coverage_curve, majority_curve
from perpend.stats.majority_exact import majority_of_counts
from tests.stats.brute import EXACT, over_all_subsets


def mode_by_loop(keys, credit):
    voted = keys[keys >= 0]
    if not len(voted):
        return 0.0
    answers, counts = np.unique(voted, return_counts=True)
    return credit[answers[counts == counts.max()]].mean()


@settings(max_examples=60, deadline=None)
@given(keys=arrays(int, (2, 8), elements=st.integers(-1, 5)), right=arrays(bool, (2, 6)))
def test_the_exact_curve_is_the_mean_over_all_subsets_with_ties_shared(keys, right):
    correct = np.take_along_axis(right, np.maximum(keys, 0), axis=1)
    brute = over_all_subsets(lambda p, drawn: mode_by_loop(keys[p, drawn], right[p].astype(float)), 2, 8)
    assert np.abs(majority_curve(keys, correct) - brute).max() < EXACT


def test_it_starts_at_the_mean_and_ends_at_the_mode():
    rng = np.random.default_rng(0)
    keys = np.minimum(rng.geometric(0.3, (4, 256)) - 1, 29)
    correct = keys == 0
    values = majority_curve(keys, correct)
    assert values[:, 0] == pytest.approx(correct.mean(axis=1), abs=EXACT)
    assert values[:, -1] == pytest.approx([1, 1, 1, 1], abs=EXACT)
    assert np.all(values <= coverage_curve(correct) + EXACT)


def test_two_answers_over_many_samples_equal_the_hypergeometric_tail():
    values = majority_of_counts([600, 400], [1.0, 0.0], 0)
    for k in (1, 2, 51, 100, 501, 900):
        tie = hypergeom.pmf(k // 2, 1000, 600, k) / 2 if k % 2 == 0 else 0.0
        assert values[k - 1] == pytest.approx(hypergeom.sf(k // 2, 1000, 600, k) + tie, abs=1e-10)


def test_all_correct_leaves_only_the_draws_that_all_abstain():
    keys = np.array([[0, 1, 2, -1, -1]])
    values = majority_curve(keys, keys >= 0)
    assert values[0] == pytest.approx([0.6, 0.9, 1, 1, 1], abs=EXACT)


def test_samples_that_all_abstain_are_never_right():
    assert not majority_curve([[-1, -1, -1]], [[0, 0, 0]]).any()


def test_a_key_that_was_graded_both_ways_counts_with_its_share():
    assert majority_curve([[0, 0, 0, 0]], [[1, 1, 1, 0]])[0] == pytest.approx([0.75] * 4)


def test_problems_with_equal_counts_are_computed_alike_whatever_their_keys_are_called():
    values = majority_curve([[0, 0, 1], [7, 3, 3]], [[1, 1, 0], [0, 1, 1]])
    assert np.array_equal(values[0], values[1])


def test_keys_and_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="non-negative"):
        majority_curve([[-2, 0]], [[0, 1]])
    with pytest.raises(ValueError, match="shape"):
        majority_curve([[0, 1]], [[1]])
    with pytest.raises(ValueError, match="use permutations"):
        majority_of_counts([2000], [1.0], 0)
