"""Rules that choose by a reward model, on Qwen2.5-Math's own: the figures of the data's README, and beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Floats, Pool, Pools
from perpend.strategies import STRATEGIES
from perpend.study.evaluate import candidates, choose_setting, halves
from perpend.study.offline import average_outcomes
from tests.data import qwen_rm8


@pytest.fixture(scope="module")
def pool(shared_data: Path) -> Pool:
    return qwen_rm8.load(shared_data)


def accuracy(pool: Pool, text: str) -> Floats:
    """Over N, settings that are left open cross-fitted."""
    strategy, pools = STRATEGIES.build(text, n=8), Pools({SAMPLED: pool})
    settings = candidates(strategy, pools)
    chosen = choose_setting(settings, average_outcomes(settings, pools, 0), halves(pool.problems, 0), 8)
    return chosen.outcomes.correct[0].mean(axis=0)


def test_coverage_and_best_of_8(pool: Pool):
    coverage = accuracy(pool, "coverage")
    assert coverage[[0, 7]].round(3).tolist() == [0.925, 0.983]
    assert accuracy(pool, "best_of_n(verifier=rm)")[7].round(3) == 0.967


@pytest.mark.parametrize(
    "text",
    [
        "weighted_vote(verifier=rm)",
        "best_of_majority(verifier=rm)",
        "mbr(verifier=rm)",
        "mbr(verifier=rm, utility=text, beta=1)",
        "soft_best_of_n(verifier=rm)",
        "verifier_threshold(verifier=rm, precision=.97)",
    ],
)
def test_what_else_chooses_by_the_reward_lies_between_one_sample_and_coverage(pool: Pool, text: str):
    found, coverage = accuracy(pool, text), accuracy(pool, "coverage")
    assert (found <= coverage + 0.003).all()
    assert found[0] == pytest.approx(0.925, abs=0.004)
    assert found[7] > 0.94


def test_a_threshold_saves_samples(pool: Pool):
    strategy, pools = STRATEGIES.build("verifier_threshold(verifier=rm, precision=.97)", n=8), Pools({SAMPLED: pool})
    settings = candidates(strategy, pools)
    chosen = choose_setting(settings, average_outcomes(settings, pools, 0), halves(pool.problems, 0), 8).outcomes
    stopped, right = np.asarray(chosen.stopped)[0, :, -1], np.asarray(chosen.stopped_right)[0, :, -1]
    assert right.sum() / stopped.sum() > 0.95
    assert chosen.samples[0, :, -1].mean() < 5
