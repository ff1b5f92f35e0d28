"""Rules that choose among N samples by a score: their evaluation is what their own code does, in every order."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from perpend.core import ConfigError, PoolField, Strategy, Tunable, VerifierError
from perpend.strategies import STRATEGIES
from perpend.strategies.best_of_majority import BestOfMajority
from perpend.strategies.best_of_n import BestOfN
from perpend.strategies.majority import Majority
from perpend.strategies.mbr import Mbr
from perpend.strategies.pessimism import Pessimism, acceptance, reward_floor
from perpend.strategies.soft_best_of_n import SoftBestOfN
from perpend.strategies.weighted_vote import WeightedVote
from tests.strategies.every_order import check_every_order, evaluated, lived
from tests.strategies.tiny import Tiny, all_orders, live, orders_of, pools_of, tiny_rows

ORDERS = all_orders(4, 3)


def rows_of(seed: int, **options: object) -> list[list[Tiny]]:
    rng = random.Random(seed)
    rows = tiny_rows(seed, **options)  # type: ignore[arg-type]
    return [[replace(tiny, logprob=rng.uniform(-9, -1)) for tiny in row] for row in rows]


@pytest.mark.parametrize(
    "strategy",
    [
        BestOfMajority(verifier="known", share=0.4),
        BestOfMajority(verifier="known"),
        Mbr(verifier="known", beta=0.5),
        Mbr(verifier="known", beta=0.0),
        Mbr(verifier="known", utility="text", beta=2.0),
        Mbr(verifier="known", utility="logprob", beta=0.2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("seed", range(2))
async def test_it_is_what_live_runs_do_on_average(strategy: Strategy, seed: int):
    await check_every_order(strategy, rows_of(seed), ORDERS)


LUCKY: list[Strategy] = [
    SoftBestOfN(verifier="known", temperature=0.5),
    Pessimism(verifier="known", beta=0.05),
    Pessimism(verifier="known", beta=0.4),
]


@pytest.mark.parametrize("strategy", LUCKY, ids=repr)
async def test_what_is_left_to_chance_is_evaluated_by_its_expectation(strategy: Strategy):
    row = rows_of(3, problems=1, samples=7, probabilities="all")[0]
    rows = [row] * 200  # each problem draws lots of its own
    order = np.arange(7)[None, None].repeat(200, axis=1)
    found = evaluated(strategy, rows, order)
    expected = await lived(strategy, rows, order)
    spent = ("completion",) if strategy.name == "pessimism" else ()  # of a fixed n: a mean over all orders
    for name in ("correct", "samples", "prompt", "cached", *spent):
        mean, deviation = getattr(expected, name).mean(axis=0), getattr(expected, name).std(axis=0)
        off = np.abs(getattr(found, name)[0] - mean)
        assert (off <= 4 * deviation / np.sqrt(200) + 1e-6).all(), name
    assert ((found.correct[0] > 0) & (found.correct[0] < 1)).any()


def test_soft_best_of_n_goes_from_one_sample_to_best_of_n():
    rows, orders = rows_of(1, samples=5, problems=4), all_orders(5, 4)
    answered = [[tiny for tiny in row if tiny.key and tiny.value == tiny.value] for row in rows]
    cold = evaluated(SoftBestOfN(verifier="known", temperature=1e-6), rows, orders).correct[:, -1]
    hot = evaluated(SoftBestOfN(verifier="known", temperature=1e9), rows, orders).correct[:, -1]
    np.testing.assert_allclose(cold, evaluated(BestOfN(verifier="known"), rows, orders).correct[:, -1], atol=1e-6)
    np.testing.assert_allclose(hot, [np.mean([t.key == "1" for t in row]) for row in answered], atol=1e-6)


def test_best_of_majority_goes_from_best_of_n_to_majority():
    rng = np.random.default_rng(0)
    rows = [[Tiny(str(rng.integers(1, 4)), 1, float(rng.normal())) for _ in range(5)] for _ in range(4)]
    orders = all_orders(5, 4)
    none, all_ = (evaluated(BestOfMajority(verifier="known", share=s), rows, orders) for s in (0.0, 1.0))
    np.testing.assert_allclose(none.correct, evaluated(BestOfN(verifier="known"), rows, orders).correct, atol=1e-6)
    odd = [["1", "1", "2"], ["2", "2", "1"]]
    clear = [[Tiny(key, 1, float(rng.normal())) for key in row] for row in odd]
    whole = evaluated(BestOfMajority(verifier="known", share=1.0), clear, all_orders(3, 2)).correct[:, -1]
    np.testing.assert_allclose(whole, evaluated(Majority(), clear, all_orders(3, 2)).correct[:, -1])
    assert not np.allclose(none.correct, all_.correct)


def test_mbr_with_a_large_weight_elects_the_majority_and_with_none_the_best_score():
    rng = np.random.default_rng(1)
    rows = [[Tiny(key, 1, float(rng.normal())) for key in "11223"] + [Tiny("1", 1, 0.0)] for _ in range(3)]
    orders = np.stack([np.stack([rng.permutation(6) for _ in range(3)]) for _ in range(20)])
    heavy = evaluated(Mbr(verifier="known", beta=1e6), rows, orders).correct[:, -1]
    np.testing.assert_allclose(heavy, evaluated(Majority(), rows, orders).correct[:, -1])
    none = evaluated(Mbr(verifier="known", beta=0), rows, orders).correct
    np.testing.assert_allclose(none[:, -1], evaluated(BestOfN(verifier="known"), rows, orders).correct[:, -1])


def test_a_rewards_floor_solves_its_equation():
    rng = np.random.default_rng(0)
    for beta in (0.01, 0.3, 2.0):
        rewards = rng.random((9, 5))
        floor = reward_floor(rewards, beta)
        np.testing.assert_allclose(np.maximum((rewards - floor) / beta, 0).mean(axis=0), 1)
        chance = acceptance(rewards, floor)
        assert ((chance >= 0) & (chance <= 1)).all()


async def test_pessimism_charges_both_batches_and_needs_a_highest_reward():
    row = [Tiny("2", 10, 0.0, probability=0.0)] * 4 + [Tiny("1", 10, 0.0, probability=0.0)]
    result = await live(Pessimism(verifier="known", n=5), [row], 0, range(5))
    assert (result.answer, len(result.candidates)) == ("2", 5) or result.answer == "1"
    assert result.charge.total.usage.completion == 10 * len(result.candidates)
    with pytest.raises(VerifierError, match="gives no probability"):
        await live(Pessimism(verifier="known", n=5), [[Tiny("1", 1, 3.0)] * 5], 0, range(5))
    assert PoolField.PROBABILITIES in Pessimism.needs


@pytest.mark.parametrize(
    "strategy",
    [
        *LUCKY,
        BestOfN(verifier="known"),
        WeightedVote(verifier="known"),
        BestOfMajority(verifier="known"),
        Mbr(verifier="known"),
    ],
    ids=lambda strategy: strategy.name,
)
def test_the_verifiers_opinion_of_the_choice_is_evaluated_with_it(strategy: Strategy):
    """Where the verifier's value is the truth itself, its opinion of a choice is how right the choice is."""
    rng = random.Random(0)
    rows = [
        [
            replace(tiny, value=float(tiny.key == "1"), probability=float(tiny.key == "1"), key=tiny.key or "2")
            for tiny in row
        ]
        for row in tiny_rows(rng.randint(0, 9), problems=5, samples=6)
    ]
    orders = np.stack([np.stack([np.random.default_rng([p, i]).permutation(6) for p in range(5)]) for i in range(8)])
    outcomes = strategy.offline(pools_of(rows), orders_of(orders))
    assert outcomes.proxy is not None
    np.testing.assert_allclose(outcomes.proxy, outcomes.correct, atol=1e-6)


def test_choosing_nothing_counts_as_the_mean_opinion():
    rows = [[Tiny("1", 1, float("nan")), Tiny("2", 1, 3.0)], [Tiny("1", 1, float("nan"))] * 2]
    outcomes = BestOfN(verifier="known").offline(pools_of(rows), orders_of(all_orders(2, 2)))
    np.testing.assert_array_equal(np.asarray(outcomes.proxy)[0], [[3, 3], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "settings"),
    [("best_of_majority", 7), ("mbr", 17), ("mbr(utility=logprob)", 18), ("soft_best_of_n", 13), ("pessimism", 7)],
)
def test_what_is_left_open_is_chosen_from_a_grid(text: str, settings: int):
    strategy = STRATEGIES.build(text)
    assert isinstance(strategy, Tunable)
    grid = strategy.grid()
    assert len(set(grid)) == settings
    assert grid[0].grid() == (grid[0],)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "best_of_majority(share=2)",
        "mbr(beta=-1)",
        "mbr(utility=rhyme)",
        "soft_best_of_n(temperature=0)",
        "pessimism(beta=0)",
    ],
)
def test_impossible_settings_are_refused(text: str):
    with pytest.raises(ConfigError):
        STRATEGIES.build(text)
