"""Stopping rules on recorded thinking: the figures of the data's own README, within what orders differ by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Orders, Outcomes, Pool, PoolField, Pools
from perpend.strategies import STRATEGIES
from perpend.study.offline import average_outcomes
from tests.data import qwen3_probes

MODELS = ["Qwen3-0.6B", "Qwen3-1.7B", "Qwen3-4B", "Qwen3-8B"]
ORDERS = 2000


@pytest.fixture(scope="module")
def pools(shared_data: Path) -> dict[str, Pool]:
    return qwen3_probes.load(shared_data)


def averaged(written: str, pools: dict[str, Pool]) -> tuple[list[float], list[float], list[float]]:
    """Accuracy, samples and thousand tokens of each model at the strategy's own n, means over orders."""
    strategy = STRATEGIES.build(written)
    found = [
        (model, average_outcomes([strategy], Pools({SAMPLED: pools[model]}), 0, ORDERS)[0].outcomes) for model in MODELS
    ]
    return (
        [last(outcomes.correct) for _, outcomes in found],
        [last(outcomes.samples) for _, outcomes in found],
        [last(outcomes.spend[model].tokens) / 1000 for model, outcomes in found],
    )


def last(values: np.ndarray) -> float:
    return float(values[0, :, -1].mean())


def test_adaptive_consistency_in_stored_order(pools: dict[str, Pool]):
    def run(pool: Pool) -> Outcomes:
        order = np.arange(pool.samples)[None, None].repeat(len(pool.problems), axis=1)
        return STRATEGIES.build("adaptive_consistency(n=64)").offline(
            Pools({SAMPLED: pool}), Orders(lambda draw: order)
        )

    found = [run(pools[model]) for model in MODELS]
    assert [round(last(each.correct), 4) for each in found] == [0.2333, 0.7333, 0.8, 0.8]
    assert [round(last(each.samples), 2) for each in found] == [48.10, 28.87, 9.13, 11.67]


@pytest.mark.slow
def test_adaptive_consistency_over_orders(pools: dict[str, Pool]):
    accuracy, samples, tokens = averaged("adaptive_consistency(n=64)", pools)
    assert accuracy == pytest.approx([0.216, 0.721, 0.800, 0.804], abs=0.005)
    assert samples == pytest.approx([47.2, 25.4, 11.5, 10.9], rel=0.02)
    assert tokens == pytest.approx([803, 483, 216, 227], rel=0.02)


@pytest.mark.slow
def test_the_first_three_of_eight(pools: dict[str, Pool]):
    accuracy, samples, tokens = averaged("short_m_at_k(n=8, m=3)", pools)
    assert accuracy == pytest.approx([0.158, 0.656, 0.797, 0.825], abs=0.005)
    assert samples == [3, 3, 3, 3]
    assert tokens == pytest.approx([96, 100, 87, 91], rel=0.02)


@pytest.mark.slow
def test_adaptive_consistency_in_the_order_of_finish(pools: dict[str, Pool]):
    accuracy, _, tokens = averaged("adaptive_consistency(n=16, order=finish)", pools)
    assert accuracy == pytest.approx([0.193, 0.683, 0.799, 0.816], abs=0.005)
    assert tokens == pytest.approx([244, 216, 171, 180], rel=0.02)


@pytest.mark.parametrize(
    ("model", "right"),
    [("Qwen3-4B", [0.0318, 0.2836, 0.5107, 0.6599]), ("Qwen3-8B", [0.0349, 0.2906, 0.5167, 0.6836])],
)
def test_the_forced_answers(shared_data: Path, model: str, right: list[float]):
    pool = qwen3_probes.load_probed(shared_data)[model]
    assert pool.probes is not None
    assert PoolField.PROBES in pool.fields
    depth = np.array([1000, 4000, 8000, 16_000]) // pool.probes.every - 1
    assert pool.probes.correct[..., depth].mean(axis=(0, 1)).round(4).tolist() == right
    np.testing.assert_array_equal(pool.probes.keys[..., -1], pool.keys)  # past its end, a trace's own answer
