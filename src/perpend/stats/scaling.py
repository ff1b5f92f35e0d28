"""How coverage grows with k: the power law, its beta-binomial explanation, and thinning to test extrapolations.

Points at different k share their samples, so least squares gives no interval; these come from a bootstrap over
problems. Sources: Brown et al., arXiv 2407.21787 (the law); Schaeffer et al., arXiv 2502.17578 (its exponent b is the
α of the distribution of per-problem success rates).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from perpend.stats.arrays import Floats, integers, matched, matrix
from perpend.stats.intervals import Interval

SMALLEST, LARGEST = 0.01, 100.0


@dataclass(frozen=True)
class PowerLaw:
    """−log pass@k = a·k^−b."""

    a: float
    b: float

    def pass_at_k(self, k: ArrayLike) -> Floats:
        """The law's pass@k, for k ≥ 1 of any shape."""
        return np.asarray(np.exp(-self.a * np.asarray(k, np.float64) ** -self.b))


@dataclass(frozen=True)
class BetaFit:
    """Per-problem success rates as Beta(alpha, beta)."""

    alpha: float
    beta: float

    def pass_at_k(self, k: ArrayLike) -> Floats:
        """1 − B(α, β+k) / B(α, β): the expected pass@k of a new problem, for k of any shape."""
        log_all_wrong = betaln(self.alpha, self.beta + np.asarray(k, np.float64)) - betaln(self.alpha, self.beta)
        return np.asarray(-np.expm1(log_all_wrong))


def fit_power_law(k: ArrayLike, passk: ArrayLike) -> PowerLaw:
    """Least squares of log(−log pass@k) on log k over the points [K] with 0 < pass@k < 1.

    Raises:
        ValueError: with fewer than two such points at different k.
    """
    rates = np.asarray(passk, dtype=np.float64)
    ks = matched(k, "k", rates.shape)
    usable = (rates > 0) & (rates < 1)
    if len(np.unique(ks[usable])) < 2:
        raise ValueError("a power law needs pass@k strictly between 0 and 1 at two values of k or more.")
    slope, intercept = np.polynomial.polynomial.polyfit(np.log(ks[usable]), np.log(-np.log(rates[usable])), 1)[::-1]
    return PowerLaw(a=float(np.exp(intercept)), b=float(-slope))


def fit_beta(c: ArrayLike, n: ArrayLike, weights: ArrayLike | None = None) -> BetaFit:
    """Beta-binomial maximum likelihood from `c` correct of `n` samples a problem, α and β within [.01, 100].

    Args:
        c: [P] correct samples.
        n: [P] samples, or one number for all.
        weights: [P] how often each problem counts (a resample's); None counts each once.

    Raises:
        ValueError: unless 0 ≤ c ≤ n with n ≥ 1.
    """
    c, n = np.broadcast_arrays(integers(c, "c"), integers(n, "n"))
    if c.ndim != 1 or not len(c) or np.any((c < 0) | (c > n) | (n < 1)):
        raise ValueError("counts must be vectors with 0 ≤ c ≤ n and n ≥ 1.")
    times = np.ones(len(c)) if weights is None else matched(weights, "weights", c.shape)
    distinct, which = np.unique(np.stack([c, n]), axis=1, return_inverse=True)
    right, drawn = distinct.astype(np.float64)
    return _most_likely(right, drawn, np.bincount(which.ravel(), weights=times).astype(np.float64))


def _most_likely(right: Floats, drawn: Floats, times: Floats) -> BetaFit:
    """The fit to distinct counts that occur `times` times, by bounded quasi-Newton steps in log α and log β."""

    def loss(logs: Floats) -> tuple[float, Floats]:
        alpha, beta = np.exp(logs)
        value = times @ (betaln(alpha + right, beta + drawn - right) - betaln(alpha, beta))
        both = digamma(alpha + beta) - digamma(alpha + beta + drawn)
        slope_alpha = times @ (digamma(alpha + right) - digamma(alpha) + both)
        slope_beta = times @ (digamma(beta + drawn - right) - digamma(beta) + both)
        return -value / times.sum(), -np.array([alpha * slope_alpha, beta * slope_beta]) / times.sum()

    bounds = [(np.log(SMALLEST), np.log(LARGEST))] * 2
    mean = min(max(float(times @ right / (times @ drawn)), SMALLEST), 1 - SMALLEST)
    start = np.log([mean, 1 - mean])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-9})
    alpha, beta = np.clip(np.exp(found.x), SMALLEST, LARGEST)
    return BetaFit(float(alpha), float(beta))


def power_law_intervals(
    k: ArrayLike, passk: ArrayLike, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of a and b from a bootstrap over problems; `passk` [P, K] holds each problem's pass@k at `k` [K].

    Resamples in which the law cannot be fitted are left out.
    """
    rates = matrix(passk, "passk")
    fits = []
    for mean in _resamples(len(rates), draws, seed) @ rates / len(rates):
        try:
            fits.append(fit_power_law(k, mean))
        except ValueError:
            continue
    fitted = fit_power_law(k, rates.mean(axis=0))
    return (
        _interval(fitted.a, [fit.a for fit in fits], level, len(rates)),
        _interval(fitted.b, [fit.b for fit in fits], level, len(rates)),
    )


def beta_intervals(
    c: ArrayLike, n: ArrayLike, level: float = 0.95, draws: int = 200, seed: int = 0
) -> tuple[Interval, Interval]:
    """Intervals of α and β of `fit_beta` from a bootstrap over problems."""
    fitted = fit_beta(c, n)
    problems = len(np.asarray(c))
    fits = [fit_beta(c, n, weights) for weights in _resamples(problems, draws, seed)]
    return (
        _interval(fitted.alpha, [fit.alpha for fit in fits], level, problems),
        _interval(fitted.beta, [fit.beta for fit in fits], level, problems),
    )


def thin(c: ArrayLike, n: ArrayLike, to: int, seed: int) -> NDArray[np.int64]:
    """Correct samples left when each problem's `n`, of which `c` are correct, are cut to `to` at random.

    The hypergeometric draw that an extrapolation must be tested on: counts from all samples already contain the
    answer.

    Raises:
        ValueError: unless 0 ≤ c ≤ n and 1 ≤ to ≤ n.
    """
    c, n = np.broadcast_arrays(integers(c, "c"), integers(n, "n"))
    if np.any((c < 0) | (c > n) | (to > n)) or to < 1:
        raise ValueError("thin needs 0 ≤ c ≤ n and 1 ≤ to ≤ n for every problem.")
    return np.asarray(np.random.default_rng(seed).hypergeometric(c, n - c, to))


def _resamples(problems: int, draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.multinomial(problems, np.full(problems, 1 / problems), size=draws).astype(np.float64)


def _interval(estimate: float, resampled: list[float], level: float, n: int) -> Interval:
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), n)
