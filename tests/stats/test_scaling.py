"""Fits of coverage against k."""

import numpy as np
import pytest
from scipy.stats import betabinom

from perpend.stats import (
    BetaFit,
    PowerLaw,
    beta_intervals,
    fit_beta,
    fit_power_law,
    pass_at_k,
    power_law_intervals,
    thin,
)

K = np.array([1, 2, 5, 10, 50, 100])


def test_an_exact_power_law_is_found_again():
    law = fit_power_law(K, PowerLaw(a=4.0, b=0.3).pass_at_k(K))
    assert (law.a, law.b) == pytest.approx((4.0, 0.3))


def test_points_at_zero_or_one_are_left_out():
    law = fit_power_law([*K, 1000], [*PowerLaw(4.0, 0.3).pass_at_k(K), 1.0])
    assert law.b == pytest.approx(0.3)
    with pytest.raises(ValueError, match="strictly between"):
        fit_power_law([1, 10], [0.3, 1.0])


def test_a_beta_fit_maximises_the_beta_binomial_likelihood():
    c, n = np.array([0, 0, 1, 3, 10, 2, 0, 7]), np.array([10, 10, 10, 10, 10, 20, 20, 20])
    fit = fit_beta(c, n)
    best = betabinom.logpmf(c, n, fit.alpha, fit.beta).sum()
    for factor in (0.97, 1.03):
        assert betabinom.logpmf(c, n, fit.alpha * factor, fit.beta).sum() < best
        assert betabinom.logpmf(c, n, fit.alpha, fit.beta * factor).sum() < best


def test_a_beta_fit_finds_the_law_that_made_the_counts():
    rng = np.random.default_rng(0)
    fit = fit_beta(rng.binomial(100, rng.beta(0.4, 3.0, 20_000)), 100)
    assert (fit.alpha, fit.beta) == pytest.approx((0.4, 3.0), rel=0.05)


def test_its_coverage_is_the_expectation_over_the_beta_law():
    rates = np.random.default_rng(1).beta(0.5, 2.0, 400_000)
    assert BetaFit(0.5, 2.0).pass_at_k([1, 10]) == pytest.approx(
        [(1 - (1 - rates) ** k).mean() for k in (1, 10)], abs=2e-3
    )
    assert BetaFit(0.5, 2.0).pass_at_k(1) == pytest.approx(0.2)


def test_alpha_is_the_exponent_of_what_is_still_unsolved():
    """Schaeffer et al.: with α small the tail of −log pass@k falls as k^−α."""
    unsolved = 1 - BetaFit(0.3, 5.0).pass_at_k([1e4, 1e5])
    assert np.log10(unsolved[0] / unsolved[1]) == pytest.approx(0.3, rel=0.01)


def test_parameters_stay_within_their_bounds():
    for c in (0, 10):
        fit = fit_beta(np.full(20, c), 10)
        assert 0.01 <= fit.alpha <= 100
        assert 0.01 <= fit.beta <= 100
    with pytest.raises(ValueError, match="0 ≤ c ≤ n"):
        fit_beta([11], 10)


def test_intervals_come_from_resampled_problems():
    rng = np.random.default_rng(2)
    c = rng.binomial(100, rng.beta(0.5, 4.0, 150))
    alpha, beta = beta_intervals(c, 100, draws=50)
    assert alpha.low < 0.5 < alpha.high
    assert beta.low < 4.0 < beta.high
    a, b = power_law_intervals(K, pass_at_k(100, c[:, None], K), draws=100)
    assert a.low < a.estimate < a.high
    assert b.low < b.estimate < b.high
    assert (a.n, alpha.n) == (150, 150)


def test_thinning_keeps_the_estimate_unbiased():
    c = np.array([0, 3, 40, 100])
    thinned = np.mean([thin(c, 100, 10, seed) for seed in range(2000)], axis=0)
    assert thinned / 10 == pytest.approx(c / 100, abs=0.015)
    assert np.array_equal(thin(c, 100, 100, seed=0), c)
    assert np.array_equal(thin(c, 100, 10, seed=4), thin(c, 100, 10, seed=4))
    with pytest.raises(ValueError, match="1 ≤ to ≤ n"):
        thin(c, 100, 101, seed=0)
