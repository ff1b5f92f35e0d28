"""Nominal 95 % intervals hold the truth at least 93 % of the time, also for few problems and extreme accuracies.

Each simulated study is a column, so that thousands share one call.
"""

from itertools import product

import numpy as np
import pytest

from perpend.stats import Floats, Interval, mean_interval, mover, paired_interval

PROBLEMS, ACCURACIES, SPREADS, OUTCOMES = (16, 30, 60), (0.05, 0.5, 0.95), ("constant", "spread"), (16, 1)
STUDIES = 2000
AT_LEAST = 0.93 - 2 * np.sqrt(0.93 * 0.07 / STUDIES)  # two standard errors of the simulation


def rates(rng: np.random.Generator, problems: int, accuracy: float, spread: str) -> Floats:
    """Success rates of each problem in each study; spread: Beta of the same mean with α + β = 2."""
    if spread == "constant":
        return np.full((problems, STUDIES), accuracy)
    return rng.beta(2 * accuracy, 2 * (1 - accuracy), (problems, STUDIES))


def share_covered(interval: Interval, truth: float) -> float:
    return float(np.mean((interval.low <= truth + 1e-12) & (truth <= interval.high + 1e-12)))


@pytest.mark.slow
@pytest.mark.parametrize(("accuracy", "outcomes"), list(product(ACCURACIES, OUTCOMES)))
def test_means(accuracy, outcomes):
    rng = np.random.default_rng(0)
    for problems, spread in product(PROBLEMS, SPREADS):
        values = rng.binomial(outcomes, rates(rng, problems, accuracy, spread)) / outcomes
        assert share_covered(mean_interval(values), accuracy) >= AT_LEAST, (problems, spread)


@pytest.mark.slow
@pytest.mark.parametrize(("accuracy", "outcomes", "gain"), list(product(ACCURACIES, OUTCOMES, (0.0, 0.1))))
def test_paired_differences(accuracy, outcomes, gain):
    """The second strategy solves a share `gain` of what the first one misses."""
    rng = np.random.default_rng(1)
    for problems, spread in product(PROBLEMS, SPREADS):
        rate = rates(rng, problems, accuracy, spread)
        better = rng.binomial(outcomes, rate + gain * (1 - rate))
        differences = (better - rng.binomial(outcomes, rate)) / outcomes
        assert share_covered(paired_interval(differences), gain * (1 - accuracy)) >= AT_LEAST, (problems, spread)


@pytest.mark.slow
@pytest.mark.parametrize(("accuracy", "outcomes", "tasks"), list(product(ACCURACIES, OUTCOMES, (5, 10))))
def test_headlines(accuracy, outcomes, tasks):
    rng = np.random.default_rng(2)
    for problems, spread in product(PROBLEMS, SPREADS):
        values = (rng.binomial(outcomes, rates(rng, problems, accuracy, spread)) / outcomes for _ in range(tasks))
        of_tasks = [mean_interval(each) for each in values]
        ends = ([getattr(each, end) for each in of_tasks] for end in ("estimate", "low", "high"))
        assert share_covered(mover(*ends), accuracy) >= AT_LEAST, (problems, spread)


def test_without_the_pseudo_problems_it_would_fail():
    """The reason they are there: the plain bootstrap of 16 single outcomes at .95."""
    rng = np.random.default_rng(3)
    values = rng.binomial(1, 0.95, (16, STUDIES)).astype(float)
    plain = (rng.multinomial(16, np.full(16, 1 / 16), 1000) / 16) @ values
    low, high = np.quantile(plain, [0.025, 0.975], axis=0)
    assert np.mean((low <= 0.95) & (high >= 0.95)) < 0.6
    assert share_covered(mean_interval(values), 0.95) >= AT_LEAST
