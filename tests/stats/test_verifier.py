"""Error rates and ranking of verifiers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import auc_within_problems, verifier_rates


def test_rates_are_shares_of_the_scored_wrong_and_right_samples():
    rates = verifier_rates([[0.9, 0.5, 0.1, np.nan], [0.4, 0.6, 0.2, 0.7]], [[1, 0, 0, 1], [1, 0, 0, 1]])
    assert rates.false_positive == pytest.approx(2 / 4)
    assert rates.false_negative == pytest.approx(1 / 3)


def test_rates_without_a_sample_to_err_on_are_not_numbers():
    assert np.isnan(verifier_rates([[0.9]], [[1]]).false_positive)


@given(scores=arrays(float, (2, 6), elements=st.sampled_from([0.0, 0.3, 0.8, np.nan])), correct=arrays(bool, (2, 6)))
def test_auc_is_the_share_of_pairs_in_order(scores, correct):
    for row, right, auc in zip(scores, correct, auc_within_problems(scores, correct), strict=True):
        pairs = [(a, b) for a in row[right & ~np.isnan(row)] for b in row[~right & ~np.isnan(row)]]
        if pairs:
            assert auc == pytest.approx(np.mean([float(a > b) + (a == b) / 2 for a, b in pairs]))
        else:
            assert np.isnan(auc)
