"""Stopping rules on GPT-3.5's last letters: the figures of the data's own README, and of this project's orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Orders, Pool, Pools
from perpend.strategies import STRATEGIES
from perpend.study.offline import average_outcomes
from tests.data import esc


@pytest.fixture(scope="module")
def pool(shared_data: Path) -> Pool:
    return esc.load(shared_data)


def stored(pool: Pool) -> Orders:
    return Orders(lambda draw: np.arange(pool.samples)[None, None].repeat(len(pool.problems), axis=1))


@pytest.mark.parametrize(
    ("written", "samples"),
    [
        ("adaptive_consistency(confidence=0.90)", 4.67),
        ("adaptive_consistency(confidence=0.95)", 6.36),
        ("adaptive_consistency(confidence=0.99)", 9.29),
        ("early_stopping(window=4)", 6.74),
        ("early_stopping(window=5)", 8.80),
        ("early_stopping(window=8)", 13.92),
    ],
)
def test_in_stored_order(pool: Pool, written: str, samples: float):
    outcomes = STRATEGIES.build(written).offline(Pools({SAMPLED: pool}), stored(pool))
    assert round(float(outcomes.correct[0, :, -1].mean()), 3) == 0.812
    assert round(float(outcomes.samples[0, :, -1].mean()), 2) == samples


def test_five_samples_are_as_good_as_forty_on_average_over_orders(pool: Pool):
    written = ["majority(n=40)", "adaptive_consistency(confidence=0.9)"]
    forty, few = [
        each.outcomes
        for each in average_outcomes([STRATEGIES.build(w) for w in written], Pools({SAMPLED: pool}), seed=0, orders=200)
    ]
    assert round(float(forty.correct[0, :, -1].mean()), 3) == 0.810
    assert float(few.samples[0, :, -1].mean()) <= 5.0
    assert float((few.correct - forty.correct)[0, :, -1].mean()) == pytest.approx(0, abs=0.004)
