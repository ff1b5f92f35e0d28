"""Best-of-N and the slowest of k."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import best_of_n_curve, coverage_curve, expected_max_curve
from tests.stats.brute import EXACT, over_all_subsets


def chosen_by_loop(scores, correct):
    scored = ~np.isnan(scores)
    return correct[scores == scores[scored].max()].mean() if scored.any() else 0.0


@given(
    scores=arrays(float, (3, 6), elements=st.sampled_from([0.0, 0.5, 1.0, np.nan, -np.inf, np.inf])),
    correct=arrays(bool, (3, 6)),
)
def test_the_curve_is_the_mean_over_all_subsets_with_ties_shared_and_unscored_never_chosen(scores, correct):
    brute = over_all_subsets(lambda p, drawn: chosen_by_loop(scores[p, drawn], correct[p, drawn]), 3, 6)
    assert np.abs(best_of_n_curve(scores, correct) - brute).max() < EXACT


def test_a_problem_without_a_score_has_accuracy_zero():
    assert not best_of_n_curve([[np.nan, np.nan]], [[1, 1]]).any()


def test_a_perfect_verifier_reaches_coverage_and_its_opposite_the_worst_case():
    correct = np.random.default_rng(1).random((20, 30)) < 0.4
    assert np.allclose(best_of_n_curve(correct, correct), coverage_curve(correct), atol=EXACT)
    assert np.allclose(best_of_n_curve(~correct, correct), 1 - coverage_curve(~correct), atol=EXACT)


def test_a_verifier_that_says_nothing_leaves_the_mean():
    correct = np.random.default_rng(2).random((5, 700)) < 0.4
    flat = best_of_n_curve(np.zeros_like(correct, dtype=float), correct)
    assert np.abs(flat - correct.mean(axis=1, keepdims=True)).max() < EXACT


def test_ranks_beyond_one_block_are_counted_once():
    values = np.random.default_rng(3).permutation(1100)[None, :].astype(float)
    k = np.arange(1, 1101)
    assert expected_max_curve(values)[0] == pytest.approx(k * 1101 / (k + 1) - 1, rel=1e-11)


def test_the_expected_maximum_is_the_mean_over_all_subsets():
    values = np.random.default_rng(4).exponential(10, (5, 7)).round(0)
    brute = over_all_subsets(lambda p, drawn: values[p, drawn].max(), *values.shape)
    assert np.abs(expected_max_curve(values) - brute).max() < EXACT * 10


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="correct must have shape"):
        best_of_n_curve(np.zeros((2, 3)), np.zeros((3, 2)))
