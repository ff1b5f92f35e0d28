"""Pandora's rule: the gain that it expects, against simulation; live as offline, in every order."""

from __future__ import annotations

import numpy as np
import pytest

from perpend.core import ConfigError
from perpend.strategies import STRATEGIES
from perpend.strategies.pandora import Pandora, expected_gain
from tests.strategies.test_offline import check_order_by_order
from tests.strategies.tiny import Tiny, live, orders_of, pools_of, tiny_rows


@pytest.mark.parametrize("wave", [1, 2])
@pytest.mark.parametrize("cost", [0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
async def test_it_agrees_order_by_order(seed: int, cost: float, wave: int):
    strategy = STRATEGIES.build(f"pandora(verifier=known, cost={cost}, least=1, delta=0.9, wave={wave})")
    await check_order_by_order(strategy, tiny_rows(seed, samples=4))


@pytest.mark.parametrize("delta", [0.05, 0.5])
def test_the_expected_gain_is_that_of_its_law(delta: float):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=25)
    rewards = np.exp(np.sort(scores)[::-1])
    upper = rewards[:13]
    median, scale = upper.min(), upper.mean() - upper.min()
    kappa = median + scale * np.log(50)

    def utility(reward: np.ndarray) -> np.ndarray:
        return np.minimum(1, 2 * reward / (reward + kappa))

    wider = scale * (1 + np.sqrt(np.log(25) * np.log(1 / delta) / 25))
    drawn = median + rng.exponential(wider, size=2_000_000)
    gain = 0.5 * np.maximum(utility(drawn) - utility(rewards[:1]), 0).mean()
    assert expected_gain(scores, delta)[-1] == pytest.approx(gain, rel=0.02)


def test_a_constant_added_to_all_scores_does_not_matter_and_equal_ones_promise_nothing():
    scores = np.random.default_rng(1).normal(size=(30, 4))
    gains = expected_gain(scores, 0.05)
    np.testing.assert_allclose(expected_gain(scores - 800, 0.05), gains, rtol=1e-6)
    assert gains.max() > 0
    np.testing.assert_array_equal(expected_gain(np.zeros((5, 1)), 0.05), 0)


def test_what_comes_later_does_not_matter():
    scores = np.random.default_rng(2).normal(size=(30, 4)) * 300
    scores[:3] = -np.inf
    scores[5] = np.nan
    for turn in range(1, 31):
        np.testing.assert_array_equal(expected_gain(scores[:turn], 0.05)[-1], expected_gain(scores, 0.05)[turn - 1])


def test_a_dearer_sample_is_drawn_less_often():
    rng = np.random.default_rng(3)
    rows = [[Tiny("1", 1, value) for value in rng.normal(size=60)] for _ in range(20)]
    orders = orders_of(np.arange(60)[None, None].repeat(20, axis=1))
    drawn = [
        Pandora(verifier="known", cost=cost).offline(pools_of(rows), orders).samples[0, :, -1].mean()
        for cost in (0.0001, 0.002, 0.02)
    ]
    assert 60 >= drawn[0] > drawn[1] > drawn[2] >= 20


async def test_it_returns_the_best_scored_and_says_why_it_stopped():
    rows = [[Tiny(key, 1, value) for key, value in [("2", 0.1), ("1", 0.9), ("2", 0.2), ("2", 0.3)]]]
    result = await live(STRATEGIES.build("pandora(verifier=known, least=3, cost=0.5)"), rows, 0, range(4))
    assert (result.answer, len(result.candidates), result.stop_reason) == ("1", 3, "accepted")
    assert result.certificate is not None
    assert result.certificate.limits.startswith("heuristic")
    assert result.certificate.confidence is None


def test_samples_without_an_answer_never_stop_it():
    rows = [[Tiny(None, 1, 5.0)] * 4]
    outcomes = Pandora(verifier="known", least=1, cost=0.5).offline(pools_of(rows), orders_of(np.arange(4)[None, None]))
    assert outcomes.samples[0, 0, -1] == 4


@pytest.mark.parametrize("written", ["pandora(cost=0)", "pandora(delta=1)", "pandora(least=0)", "pandora(wave=0)"])
def test_settings_that_mean_nothing_are_refused(written: str):
    with pytest.raises(ConfigError):
        STRATEGIES.build(written)
