"""Answer correlation and effective samples."""

import numpy as np
import pytest

from perpend.stats import answer_correlation, effective_samples


def test_independent_samples_have_no_correlation_and_copies_have_all():
    rng = np.random.default_rng(0)
    assert answer_correlation(rng.random((4000, 8)) < 0.4) == pytest.approx(0, abs=0.02)
    assert answer_correlation(np.repeat(rng.random((50, 1)) < 0.4, 8, axis=1)) == pytest.approx(1)


def test_it_estimates_the_spread_of_rates_over_problems():
    """With rates Beta(α, β) the correlation within a problem is 1 / (α + β + 1)."""
    rng = np.random.default_rng(1)
    correct = rng.random((20_000, 4)) < rng.beta(1, 3, (20_000, 1))
    assert answer_correlation(correct) == pytest.approx(1 / 5, abs=0.01)


def test_nothing_varies_nothing_correlates():
    assert np.isnan(answer_correlation(np.ones((5, 3))))
    with pytest.raises(ValueError, match="two problems and two samples"):
        answer_correlation(np.ones((5, 1)))


def test_effective_samples_saturate_at_one_over_the_correlation():
    assert effective_samples([1, 5, 1e9], 0.25) == pytest.approx([1, 2.5, 4])
    assert effective_samples(8, 0.0) == effective_samples(8, -0.1) == 8
    with pytest.raises(ValueError, match="N ≥ 1"):
        effective_samples(0, 0.1)
