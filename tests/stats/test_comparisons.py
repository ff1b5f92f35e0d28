"""Sign-flip tests and Holm's correction."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import holm, sign_flip_test


@given(arrays(float, st.integers(1, 9), elements=st.sampled_from([-1, -0.5, -0.1, 0, 0.1, 0.2, 0.3, 1])))
def test_small_samples_enumerate_every_pattern_of_signs(differences):
    sums = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=len(differences))]
    assert sign_flip_test(differences) == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum()) - 1e-9))


def test_problems_without_a_difference_say_nothing():
    assert sign_flip_test([0.5, 0.5, 0.5, 0.0]) == sign_flip_test([0.5, 0.5, 0.5]) == 0.25
    assert sign_flip_test(np.zeros(40)) == 1


def test_large_samples_are_drawn_and_never_give_zero():
    assert sign_flip_test(np.ones(200), draws=999) == pytest.approx(1 / 1000)


def test_drawn_and_enumerated_values_agree(monkeypatch):
    differences = np.random.default_rng(0).normal(0.3, 1, 14)
    exact = sign_flip_test(differences)
    monkeypatch.setattr("perpend.stats.comparisons.ENUMERATED", 0)
    assert sign_flip_test(differences, draws=40_000) == pytest.approx(exact, abs=0.01)


def test_it_rejects_a_true_hypothesis_no_more_often_than_its_level():
    rng = np.random.default_rng(1)
    pvalues = [sign_flip_test(rng.choice([-0.25, 0, 0.25], 12)) for _ in range(400)]
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.075


def test_holm_steps_down_in_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(arrays(float, st.integers(1, 8), elements=st.floats(0, 1)))
def test_holm_lies_between_the_raw_value_and_bonferroni(pvalues):
    adjusted = holm(pvalues)
    assert np.all(adjusted >= pvalues)
    assert np.all(adjusted <= np.minimum(1, len(pvalues) * pvalues) + 1e-15)
    assert np.array_equal(np.argsort(adjusted[np.argsort(pvalues)], kind="stable"), np.arange(len(pvalues)))


def test_empty_or_impossible_inputs_are_refused():
    with pytest.raises(ValueError, match="probabilities"):
        holm([0.1, 1.2])
    with pytest.raises(ValueError, match="one a problem"):
        sign_flip_test([])
    with pytest.raises(ValueError, match="finite"):
        sign_flip_test([np.nan])
