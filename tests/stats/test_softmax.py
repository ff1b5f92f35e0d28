"""Means under a softmax, against its definition."""

import numpy as np
import pytest

from perpend.stats import running_softmax_mean


@pytest.mark.parametrize("temperature", [0.2, 3.0])
def test_it_is_the_weighted_mean_of_the_first_samples(temperature):
    rng = np.random.default_rng(0)
    values, of = rng.normal(size=(7, 3)), rng.random((7, 3))
    values[2, 0] = values[0, 1] = np.nan
    found = running_softmax_mean(values, temperature, of)
    for k, row in np.ndindex(found.shape):
        weights = np.nan_to_num(np.exp(values[: k + 1, row] / temperature))
        expected = (weights * of[: k + 1, row]).sum() / weights.sum() if weights.any() else 0
        assert found[k, row] == pytest.approx(expected)


def test_no_temperature_is_too_low():
    found = running_softmax_mean(np.array([-500.0, -1e9, -499.0, np.inf]), 1e-4, np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.tolist() == [1, 1, 3, 4]
