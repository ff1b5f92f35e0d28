"""The probability that an answer leads, against integrals in closed form, by adaptive quadrature and by simulation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betainc
from scipy.stats import gamma

from perpend.stats import first_is_largest, running_vote, vote_states


def of_one(parameters: list[float]) -> float:
    """Pr[the first is the largest] of one law."""
    shapes = np.unique(parameters)
    at = np.searchsorted(shapes, parameters)
    return float(first_is_largest(shapes, at[:1], np.bincount(at[1:], minlength=len(shapes))[None])[0])


@pytest.mark.parametrize("parameters", [(1, 0.3), (2, 0.3), (7, 0.3), (5, 4), (60, 52), (2000, 1900)])
def test_of_two_it_is_the_beta_distribution(parameters: tuple[float, float]):
    assert of_one(list(parameters)) == pytest.approx(1 - betainc(*parameters, 0.5), abs=1e-11)


@pytest.mark.parametrize("parameters", [(3, 2, 0.3), (4, 4, 4, 2), (40, 38, 2, 2, 1, 0.3), (9, 1, 1, 1, 1, 1)])
def test_of_more_it_is_the_integral_over_gammas(parameters: tuple[float, ...]):
    def integrand(x: float) -> float:
        return float(gamma.pdf(x, parameters[0]) * np.prod([gamma.cdf(x, shape) for shape in parameters[1:]]))

    parts = [quad(integrand, low, low + 5, epsabs=1e-13)[0] for low in range(0, 120, 5)]
    assert of_one(list(parameters)) == pytest.approx(sum(parts), abs=1e-9)
    drawn = np.random.default_rng(0).dirichlet(parameters, size=200_000)
    assert of_one(list(parameters)) == pytest.approx((drawn.argmax(axis=1) == 0).mean(), abs=0.005)


def test_equals_share_what_there_is():
    assert of_one([4.0] * 5) == pytest.approx(1 / 5, abs=1e-12)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=12))
def test_a_state_is_the_counts_of_the_answers(keys: list[int]):
    vote = running_vote(np.array([keys, keys[::-1]]))
    reached, which = vote_states(vote)
    assert len(np.unique(reached, axis=0)) == len(reached)
    for row, drawn in enumerate((keys, keys[::-1])):
        for t in range(len(keys)):
            counts = Counter(key for key in drawn[: t + 1] if key >= 0)
            expected = [sum(count >= c for count in counts.values()) for c in range(1, len(keys) + 1)]
            assert reached[which[t, row]].tolist() == expected
