"""Rules that draw until a verifier accepts: closed forms against every order, and a threshold that keeps its word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perpend.core import SAMPLED, ConfigError, Pool, Pools, StopReason, Strategy
from perpend.strategies import STRATEGIES
from perpend.strategies.accepting import accepted_in_waves
from perpend.strategies.best_of_n import BestOfN
from perpend.strategies.rejection_sampling import RejectionSampling
from perpend.strategies.verifier_threshold import VerifierThreshold
from perpend.study.evaluate import candidates, choose_setting, halves
from perpend.study.offline import average_outcomes
from tests.strategies.every_order import check_every_order, evaluated
from tests.strategies.tiny import Tiny, all_orders, live, orders_of, pool_of, pools_of, tiny_rows

ORDERS = all_orders(4, 3)


@pytest.mark.parametrize("probabilities", ["none", "some"])
@pytest.mark.parametrize(
    "strategy",
    [
        RejectionSampling(verifier="known"),
        RejectionSampling(verifier="known", wave=2),
        RejectionSampling(verifier="known", wave=3),
        VerifierThreshold(verifier="known", threshold=-0.5),
        VerifierThreshold(verifier="known", precision=0.25),
    ],
    ids=repr,
)
async def test_it_is_what_live_runs_do_on_average(strategy: Strategy, probabilities: str):
    for seed in range(2):
        await check_every_order(strategy, tiny_rows(seed, probabilities=probabilities), ORDERS)


def test_one_by_one_over_orders_is_its_closed_form():
    pool = pool_of(tiny_rows(5))
    exact = RejectionSampling(verifier="known").offline(Pools({SAMPLED: pool}), orders_of(ORDERS))
    over_orders = accepted_in_waves(pool, orders_of(ORDERS), "known", 0.5, 4, 1)
    for name in ("correct", "samples", "stopped", "proxy", "latency_seconds"):
        np.testing.assert_allclose(getattr(over_orders, name), getattr(exact, name), atol=1e-6, err_msg=name)


def test_it_takes_one_over_p_samples_where_there_is_no_cap():
    row = [Tiny("1", 10, 1.0)] * 100 + [Tiny("2", 30, 0.0)] * 300
    outcomes = RejectionSampling(verifier="known").offline(pools_of([row]), orders_of(all_orders(1, 1)))
    assert outcomes.samples[0, 0, -1] == pytest.approx(401 / 101)  # without replacement: (S + 1) / (A + 1)
    assert outcomes.correct[0, 0, -1] == 1
    spend = outcomes.spend["replay"]
    assert spend.completion[0, 0, -1] == pytest.approx(10 + 30 * (401 / 101 - 1))
    assert spend.prompt[0, 0, -1] - spend.cached[0, 0, -1] == pytest.approx(7)


def test_where_nothing_is_accepted_it_is_best_of_n():
    rows = tiny_rows(2, problems=5, samples=6)
    never = evaluated(VerifierThreshold(verifier="known", threshold=np.inf), rows, all_orders(1, 1))
    np.testing.assert_allclose(never.correct, evaluated(BestOfN(verifier="known"), rows, all_orders(1, 1)).correct)
    assert never.samples[:, -1].tolist() == [6] * 5
    assert not never.stopped.any()


def test_a_problem_with_fewer_samples_keeps_what_it_has():
    short = [[Tiny("2", 3, 0.0)], [], [Tiny("2", 2, 0.1), Tiny("1", 5, 0.9)]]
    found = evaluated(RejectionSampling(verifier="known"), short, all_orders(2, 3))
    assert found.samples.tolist() == [[1, 1], [0, 0], [1, 1.5]]
    assert found.completion.tolist() == [[3, 3], [0, 0], [3.5, 6]]
    assert found.correct.tolist() == [[0, 0], [0, 0], [0.5, 1]]


async def test_an_early_stop_says_what_it_rests_on():
    result = await live(RejectionSampling(verifier="known"), [[Tiny("2", 1, 0.2), Tiny("1", 1, 0.75)]], 0, [0, 1])
    assert result.stop_reason is StopReason.ACCEPTED
    assert result.certificate is not None
    assert (result.certificate.evidence, result.certificate.confidence) == ("known gives 0.75", 0.75)
    assert "heuristic" in result.certificate.limits


async def test_a_score_that_is_no_probability_gives_no_confidence():
    result = await live(VerifierThreshold(verifier="known", threshold=5.0), [[Tiny("1", 1, 7.0)]], 0, [0])
    assert result.certificate is not None
    assert (result.certificate.evidence, result.certificate.confidence) == ("known gives 7", None)


def calibrated_pool(problems: int, seed: int = 0) -> Pool:
    """A verifier whose score says how likely a sample is right: P(right | s) = s."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 2, (problems, 8))
    right = rng.random(scores.shape) < scores
    rows = [
        [Tiny("1" if r else "2", 10, float(s)) for s, r in zip(*row, strict=True)]
        for row in zip(scores, right, strict=True)
    ]
    return pool_of(rows)


@pytest.mark.parametrize("precision", [0.7, 0.85])
def test_a_study_keeps_the_precision_on_problems_that_it_did_not_calibrate_on(precision: float):
    pools = Pools({SAMPLED: calibrated_pool(600)})
    strategy = VerifierThreshold(n=8, verifier="known", precision=precision)
    settings = candidates(strategy, pools)
    chosen = choose_setting(settings, average_outcomes(settings, pools, 0), halves(pools.only.problems, 0), 8)
    stopped, right = (
        np.asarray(part).mean(axis=(0, 1)) for part in (chosen.outcomes.stopped, chosen.outcomes.stopped_right)
    )
    assert (stopped > 0.1).all()
    np.testing.assert_allclose(right / stopped, np.maximum(precision, pools.only.correct.mean()), atol=0.06)
    assert chosen.outcomes.samples[0, :, -1].mean() < 6
    assert "threshold=" in chosen.best[-1]


def test_a_verifier_that_knows_nothing_is_never_believed():
    pool = calibrated_pool(200)
    noise = replace(pool, scores={"known": np.random.default_rng(1).random(pool.keys.shape)})
    strategy = VerifierThreshold(n=8, verifier="known", precision=0.9)
    settings = candidates(strategy, Pools({SAMPLED: noise}))
    averaged = average_outcomes(settings, Pools({SAMPLED: noise}), 0)
    chosen = choose_setting(settings, averaged, halves(noise.problems, 0), 8)
    assert chosen.best[-1] == "verifier_threshold(verifier=known, threshold=inf)"


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="precision"):
        STRATEGIES.build("verifier_threshold(precision=0)")
    with pytest.raises(ConfigError, match="waves of 0"):
        STRATEGIES.build("rejection_sampling(wave=0)")
    closed = VerifierThreshold(threshold=0.5)
    assert closed.candidates(Pools()) == (closed,)
