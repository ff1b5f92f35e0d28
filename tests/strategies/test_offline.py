"""Live equals offline: what the evaluator computes for every N is what the strategy's own code does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from perpend.core import GREEDY, SAMPLED, Pools, Strategy
from perpend.stats import pass_at_k
from perpend.strategies.adaptive_consistency import AdaptiveConsistency
from perpend.strategies.best_of_n import BestOfN
from perpend.strategies.coverage import Coverage
from perpend.strategies.fixed import ragged
from perpend.strategies.greedy import Greedy
from perpend.strategies.majority import Majority
from perpend.strategies.stopping import credit_of, shared_vote
from perpend.strategies.votes import existing_first
from perpend.strategies.weighted_vote import WeightedVote
from tests.strategies.tiny import RIGHT, Tiny, all_orders, live, orders_of, pool_of, pools_of, tiny_rows

SAMPLES, PROBLEMS = 4, 3
ORDERS = all_orders(SAMPLES, PROBLEMS)
SEEDS = range(2)


async def live_correct(strategy: Strategy, rows: list[list[Tiny]]) -> np.ndarray:
    """[permutation, problem, N] by running it, once for each."""
    found = np.zeros(ORDERS.shape)
    for p, i, k in np.ndindex(found.shape):
        of_n = replace(strategy, n=k + 1)  # type: ignore[type-var]
        found[p, i, k] = (await live(of_n, rows, i, ORDERS[p, i])).answer == RIGHT
    return found


def one_by_one(strategy: Strategy, rows: list[list[Tiny]], orders: np.ndarray = ORDERS) -> np.ndarray:
    """[permutation, problem, N] by evaluating it, once for each order."""
    pools = pools_of(rows)
    return np.concatenate([strategy.offline(pools, orders_of(order[None])).correct for order in orders])


@pytest.mark.parametrize("seed", SEEDS)
async def test_majority_over_all_orders_is_its_closed_form_and_its_votes_agree_one_by_one(seed: int):
    rows = tiny_rows(seed)
    found = await live_correct(Majority(), rows)
    offline = Majority().offline(pools_of(rows), orders_of(ORDERS))
    np.testing.assert_allclose(offline.correct[0], found.mean(axis=0))
    leader = shared_vote(pool_of(rows), SAMPLED, orders_of(ORDERS)).leader
    np.testing.assert_array_equal(np.moveaxis(credit_of(pool_of(rows), leader), 0, -1), found)


@pytest.mark.parametrize("probabilities", ["none", "some", "all"])
@pytest.mark.parametrize("temperature", [None, 0.001])
async def test_a_weighted_vote_agrees_order_by_order(probabilities: str, temperature: float | None):
    rows = tiny_rows(0, probabilities=probabilities)
    strategy = WeightedVote(verifier="known", temperature=temperature)
    np.testing.assert_array_equal(one_by_one(strategy, rows), await live_correct(strategy, rows))


@pytest.mark.parametrize("confidence", [0.7, 0.8])
@pytest.mark.parametrize("seed", SEEDS)
async def test_adaptive_consistency_agrees_order_by_order(seed: int, confidence: float):
    rows = tiny_rows(seed, samples=4)
    strategy = AdaptiveConsistency(confidence=confidence)
    await check_order_by_order(strategy, rows)


async def check_order_by_order(strategy: Strategy, rows: list[list[Tiny]]) -> None:
    """Answer, samples, tokens and early stops of the offline evaluation are those of live runs, in every order."""
    ended_early = 0
    for p in range(len(ORDERS)):
        outcomes = strategy.offline(pools_of(rows), orders_of(ORDERS[p : p + 1]))
        for i, k in np.ndindex(PROBLEMS, SAMPLES):
            result = await live(replace(strategy, n=k + 1), rows, i, ORDERS[p, i])  # type: ignore[type-var]
            usage = result.charge.total.usage
            spend = outcomes.spend["replay"]
            assert outcomes.correct[0, i, k] == (result.answer == RIGHT)
            assert outcomes.samples[0, i, k] == len(result.candidates)
            assert spend.completion[0, i, k] + spend.discarded[0, i, k] == usage.completion
            assert (spend.prompt[0, i, k], spend.cached[0, i, k]) == (usage.prompt, usage.cached)
            assert outcomes.stopped is not None
            assert outcomes.stopped[0, i, k] == (result.certificate is not None)
            if outcomes.stopped_right is not None:
                assert outcomes.stopped_right[0, i, k] == (result.certificate is not None and result.answer == RIGHT)
            ended_early += result.certificate is not None and k + 1 > len(result.candidates)
    assert ended_early


@pytest.mark.parametrize("seed", SEEDS)
async def test_best_of_n_over_all_orders_is_its_closed_form(seed: int):
    rows = tiny_rows(seed)
    strategy = BestOfN(verifier="known")
    found = await live_correct(strategy, rows)
    np.testing.assert_allclose(strategy.offline(pools_of(rows), orders_of(ORDERS)).correct[0], found.mean(axis=0))


async def test_greedy_is_right_where_its_sample_is():
    rows = tiny_rows(5, problems=6, samples=1)
    offline = Greedy().offline(pools_of(rows, GREEDY), orders_of(all_orders(1, 6)))
    found = [(await live(Greedy(), rows, i, [0])).answer == RIGHT for i in range(6)]
    assert offline.correct[0, :, 0].tolist() == found
    assert 0 < sum(found) < 6


@pytest.mark.parametrize("strategy", [Majority(), WeightedVote(verifier="known"), BestOfN(verifier="known")])
async def test_the_canonical_charge_is_what_live_runs_cost_on_average(strategy: Strategy):
    rows = tiny_rows(7)
    outcomes = strategy.offline(pools_of(rows), orders_of(ORDERS))
    spend = outcomes.spend["replay"]
    for i, k in np.ndindex(PROBLEMS, SAMPLES):
        of_n = replace(strategy, n=k + 1)  # type: ignore[type-var]
        usages = [(await live(of_n, rows, i, order)).charge.total.usage for order in ORDERS[:, i]]
        assert spend.completion[0, i, k] == pytest.approx(np.mean([u.completion for u in usages]))
        assert {(u.prompt, u.cached) for u in usages} == {(spend.prompt[0, i, k], spend.cached[0, i, k])}
        assert spend.tokens[0, i, k] == pytest.approx(np.mean([u.tokens for u in usages]))


def test_latency_is_the_slowest_of_n_on_average_and_device_seconds_add_up():
    row = [Tiny("1", tokens, 0.0) for tokens in (10, 20, 40)]
    outcomes = Majority().offline(pools_of([row]), orders_of(all_orders(3, 1)))
    np.testing.assert_allclose(outcomes.latency_seconds[0, 0], [7 / 3, (2 + 4 + 4) / 3, 4])
    np.testing.assert_allclose(outcomes.spend["replay"].device_seconds[0, 0], np.array([1, 2, 3]) * 70 / 60)


def test_best_of_n_with_a_perfect_verifier_is_coverage():
    rows = [[replace(t, value=float(t.key == RIGHT)) for t in row] for row in tiny_rows(3, problems=20, samples=9)]
    pools, orders = pools_of(rows), orders_of(np.zeros((1, 1, 1), int))
    perfect = BestOfN(verifier="known").offline(pools, orders).correct
    np.testing.assert_allclose(perfect, Coverage().offline(pools, orders).correct)
    right = pool_of(rows).correct.sum(axis=1)[:, None]
    np.testing.assert_allclose(perfect[0], pass_at_k(9, right, np.arange(1, 10)))


def test_majority_is_the_average_over_all_subsets():
    row = tiny_rows(11, problems=1, samples=6)[0]
    curve = Majority().offline(pools_of([row]), orders_of(all_orders(1, 1))).correct[0, 0]
    for k in range(1, 7):
        shares = [_share_right([row[i].key for i in chosen]) for chosen in itertools.combinations(range(6), k)]
        assert curve[k - 1] == pytest.approx(np.mean(shares))


def test_majority_of_a_large_pool_is_estimated_with_its_error():
    rows = [[Tiny(key, 1, 0.0) for key in (["1"] * 160 + ["2"] * 140)] for _ in range(8)]
    orders = np.stack([np.stack([np.random.default_rng([p, i]).permutation(300) for p in range(8)]) for i in range(50)])
    outcomes = Majority().offline(pools_of(rows), orders_of(orders))
    exact = Majority().offline(pools_of([row[60:] for row in rows]), orders_of(orders))
    assert exact.monte_carlo is None
    assert outcomes.monte_carlo is not None
    assert outcomes.correct[..., 0].mean() == pytest.approx(160 / 300, abs=4 * outcomes.monte_carlo[0])
    assert outcomes.monte_carlo[-1] == 0


@pytest.mark.parametrize("value", [0.3, -50.0])
def test_equal_scores_make_a_weighted_vote_the_plain_one(value: float):
    rows = [[replace(t, value=value) for t in row] for row in tiny_rows(2, samples=5)]
    order = all_orders(5, 3)
    weighted = WeightedVote(verifier="known", temperature=0.001).offline(pools_of(rows), orders_of(order))
    np.testing.assert_allclose(weighted.correct, Majority().offline(pools_of(rows), orders_of(order)).correct)


def test_a_low_temperature_elects_the_best_scored_answer():
    values = np.linspace(-400, -1, 40)
    rows = [[Tiny("1" if i == 39 else "2", 1, value) for i, value in enumerate(values)]]
    order = np.stack([np.random.default_rng(i).permutation(40) for i in range(30)])[:, None]
    outcomes = WeightedVote(verifier="known", temperature=0.001).offline(pools_of(rows), orders_of(order))
    np.testing.assert_array_equal(outcomes.correct[..., -1], 1)
    assert outcomes.correct[..., 19].mean() == pytest.approx(0.5, abs=0.3)


@pytest.mark.parametrize(
    "strategy", [Majority(), WeightedVote(verifier="known"), BestOfN(verifier="known"), Coverage()]
)
def test_a_unanimous_answer_is_never_changed(strategy: Strategy):
    rows = [[Tiny("1", 3, value) for value in (-1.0, 0.2, 5.0)], [Tiny("2", 3, value) for value in (-1.0, 0.2, 5.0)]]
    correct = strategy.offline(pools_of(rows), orders_of(all_orders(3, 2))).correct
    np.testing.assert_array_equal(correct[:, 0], 1)
    np.testing.assert_array_equal(correct[:, 1], 0)


@pytest.mark.parametrize(
    "strategy", [Majority(), WeightedVote(verifier="known"), BestOfN(verifier="known"), Coverage()]
)
def test_a_problem_with_fewer_samples_keeps_what_it_has(strategy: Strategy):
    rows = tiny_rows(4, problems=4)
    short = [rows[0], rows[1][:2], rows[2][:1], []]
    order = orders_of(existing_first(all_orders(4, 4), pool_of(short).mask))
    ragged_, full = strategy.offline(pools_of(short), order), strategy.offline(pools_of(rows), order)
    np.testing.assert_array_equal(ragged_.correct[:, 0], full.correct[:, 0])
    alone = strategy.offline(pools_of([rows[1][:2]]), orders_of(all_orders(2, 1))).correct.mean(axis=0)[0]
    np.testing.assert_allclose(ragged_.correct.mean(axis=0)[1], [alone[0], alone[1], alone[1], alone[1]])
    assert ragged_.samples[0, :, -1].tolist() == [4, 2, 1, 0]
    spend = ragged_.spend["replay"]
    assert spend.cached[0, :, -1].tolist() == [21, 7, 0, 0]
    assert spend.completion[0, 2, -1] == rows[2][0].tokens
    assert ragged_.correct[:, 3].sum() == spend.tokens[0, 3, -1] == ragged_.latency_seconds[0, 3, -1] == 0


def test_samples_need_not_lie_to_the_left():
    mask = np.array([[False, True, False, True]])
    values = np.array([[9.0, 1.0, 9.0, 2.0]])
    np.testing.assert_array_equal(ragged(lambda v: np.cumsum(v, axis=1), mask, values), [[1, 3, 3, 3]])


@pytest.mark.parametrize(
    "strategy", [Majority(), WeightedVote(verifier="known"), BestOfN(verifier="known"), Coverage()]
)
def test_outcomes_have_one_shape(strategy: Strategy):
    outcomes = strategy.offline(pools_of(tiny_rows(1)), orders_of(ORDERS))
    shape = outcomes.correct.shape
    assert shape[1:] == (PROBLEMS, SAMPLES)
    assert outcomes.samples.shape == outcomes.latency_seconds.shape == shape
    assert all(part.shape == shape for part in vars(outcomes.spend["replay"]).values())


def test_a_sample_without_an_answer_is_chosen_only_where_nothing_else_is():
    rows = [[Tiny(None, 1, 9.0), Tiny("1", 1, -9.0)], [Tiny(None, 1, 9.0), Tiny("1", 1, float("nan"))]]
    correct = BestOfN(verifier="known").offline(pools_of(rows), orders_of(all_orders(2, 2))).correct[0]
    np.testing.assert_array_equal(correct, [[0.5, 1], [0, 0]])


def test_chunks_of_problems_give_the_same_as_all_at_once():
    pool = pool_of(tiny_rows(1, problems=6, probabilities="some"))
    strategy = WeightedVote(verifier="known")
    order = all_orders(4, 6)
    whole = strategy.offline(Pools({SAMPLED: pool}), orders_of(order)).correct
    part = strategy.offline(Pools({SAMPLED: pool.rows(slice(2, 5))}), orders_of(order[:, 2:5])).correct
    np.testing.assert_allclose(part, whole[:, 2:5])


def _share_right(keys: list[str | None]) -> float:
    votes = {key: keys.count(key) for key in keys if key is not None}
    leaders = [key for key, count in votes.items() if count == max(votes.values())]
    return leaders.count(RIGHT) / len(leaders) if leaders else 0.0
