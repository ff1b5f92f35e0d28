"""Width and depth: rules that look into traces, live and over every order of tiny pools; and on recorded thinking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perpend.core import SAMPLED, Budget, Cause, Charge, ConfigError, Pools, Scope, StopReason, Strategy
from perpend.strategies import STRATEGIES
from perpend.strategies.capped_vote import CappedVote, capped
from perpend.strategies.confidence_momentum import ConfidenceMomentum
from perpend.strategies.depth import Seen, plurality
from perpend.strategies.majority import Majority
from perpend.strategies.parallel_probing import ParallelProbing
from perpend.strategies.timely_vote import TimelyVote
from tests.strategies import tiny
from tests.strategies.tiny import RIGHT, all_orders, orders_of
from tests.strategies.traced import EVERY, PROBE_TOKENS, Trace, live, traced_pool, traced_rows

TRACES, PROBLEMS = 4, 4
ORDERS = all_orders(TRACES, PROBLEMS)
IN_STEP = [
    ParallelProbing(warm=2, patience=2, stand=2, every=EVERY),
    ParallelProbing(warm=1, patience=1, stand=2, every=EVERY),
    ConfidenceMomentum(begin_with=2, more=1, least=2, warm=2, patience=2, confidence=0.7, every=EVERY),
    ConfidenceMomentum(begin_with=1, more=3, least=1, warm=1, patience=1, confidence=0.6, smoothing=1, every=EVERY),
]
NOTHING = Charge()
TIMELY = [
    TimelyVote(at_once=2, depth=9, confidence=0.7),
    TimelyVote(at_once=1, depth=8, confidence=0.6),
    TimelyVote(at_once=9, depth=7, confidence=0.6),
]


@pytest.mark.parametrize("strategy", IN_STEP + TIMELY)
async def test_what_it_is_evaluated_to_is_what_it_does_order_by_order(strategy: Strategy):
    rows = [row for seed in range(4) for row in traced_rows(seed, problems=1)]
    pool, stopped, cut = traced_pool(rows), 0, 0
    for p in range(0, len(ORDERS), 3):
        outcomes = strategy.offline(Pools({SAMPLED: pool}), orders_of(ORDERS[p : p + 1]))
        spend = outcomes.spend["replay"]
        for i, k in np.ndindex(PROBLEMS, TRACES):
            result = await live(replace(strategy, n=k + 1), rows[i], ORDERS[p, i])  # type: ignore[type-var]
            usage = result.charge.total.usage
            assert outcomes.correct[0, i, k] == (result.answer == RIGHT)
            assert outcomes.samples[0, i, k] == len(result.candidates)
            assert spend.tokens[0, i, k] == usage.tokens
            assert spend.verifier[0, i, k] == result.charge.get(Cause.VERIFIER, NOTHING).usage.completion
            assert outcomes.stopped is not None
            assert outcomes.stopped[0, i, k] == (result.certificate is not None)
            stopped += result.certificate is not None
            cut += spend.discarded[0, i, k] > 0
    assert stopped
    assert cut or "at_once=1," in str(strategy)


@pytest.mark.parametrize("late", ["asked", "dropped"])
@pytest.mark.parametrize("depth", [1, 4, 6])
async def test_a_capped_vote_over_all_orders_is_its_closed_form(late: str, depth: int):
    rows = traced_rows(3, PROBLEMS)
    strategy = CappedVote(depth=depth, late=late)  # type: ignore[arg-type]
    outcomes = strategy.offline(Pools({SAMPLED: traced_pool(rows)}), orders_of(ORDERS))
    for i, k in np.ndindex(PROBLEMS, TRACES):
        results = [await live(replace(strategy, n=k + 1), rows[i], order) for order in ORDERS[:, i]]
        assert outcomes.correct[0, i, k] == pytest.approx(np.mean([r.answer == RIGHT for r in results]))
        tokens = np.mean([r.charge.total.usage.tokens for r in results])
        if late == "dropped" or depth % EVERY == 0:
            assert outcomes.spend["replay"].tokens[0, i, k] == pytest.approx(tokens)


def test_a_cap_that_nothing_reaches_changes_nothing():
    pool = traced_pool(traced_rows(4, PROBLEMS))
    for forced in (True, False):
        np.testing.assert_array_equal(capped(pool, 11, forced=forced).keys, pool.keys)
    orders = orders_of(ORDERS)
    plain = Majority().offline(Pools({SAMPLED: pool}), orders)
    np.testing.assert_array_equal(CappedVote(depth=11).offline(Pools({SAMPLED: pool}), orders).correct, plain.correct)


def test_a_capped_trace_has_the_answer_it_gave_last_and_pays_for_one_probe():
    pool = traced_pool([[Trace("1", 9, ("2", "3", "1", "3", "1"))]])
    cut = capped(pool, 5, forced=True)
    assert cut.completion_tokens.tolist() == [[5 + PROBE_TOKENS]]
    assert not cut.correct[0, 0]
    assert capped(pool, 6, forced=True).correct[0, 0]
    dropped = capped(pool, 6, forced=False)
    assert (dropped.keys[0, 0], dropped.completion_tokens[0, 0]) == (-1, 6)
    assert dropped.seconds[0, 0] == pytest.approx(pool.seconds[0, 0] * 6 / 9)


async def test_a_trace_that_dissents_is_cut_and_costs_nothing_more():
    agree, other = Trace("1", 11, ("1",) * 5), Trace("2", 11, ("2",) * 5)
    strategy = ParallelProbing(n=3, warm=1, patience=2, stand=9, every=EVERY)
    result = await live(strategy, [agree, other, agree], [0, 1, 2])
    assert result.answer == "1"
    assert [s.usage.completion for s in result.candidates] == [11, 4, 11]
    probes = result.charge[Cause.VERIFIER]
    assert (probes.calls, probes.usage.completion) == (5 + 2 + 5, 12 * PROBE_TOKENS)


async def test_a_majority_that_stands_ends_it():
    row = [Trace("2", 11, ("1",) * 5)] * 3
    result = await live(ParallelProbing(n=3, stand=2, every=EVERY), row, [0, 1, 2])
    assert (result.answer, result.stop_reason) == ("1", StopReason.ACCEPTED)
    assert result.certificate is not None
    assert "heuristic" in result.certificate.limits
    assert [s.usage.completion for s in result.candidates] == [4, 4, 4]


async def test_momentum_widens_where_confidence_stalls():
    row = [Trace("1", 11, ("1",) * 5)] * 6
    result = await live(ConfidenceMomentum(n=6, begin_with=1, more=2, warm=1, every=EVERY), row, range(6))
    assert len(result.candidates) == 6
    narrow = await live(ConfidenceMomentum(n=6, begin_with=1, more=2, warm=9, every=EVERY), row, range(6))
    assert len(narrow.candidates) == 1


@pytest.mark.parametrize("strategy", [*IN_STEP[:1], IN_STEP[2], CappedVote(n=4, depth=4)])
async def test_a_budget_of_tokens_holds_probes_and_pieces_together(strategy: Strategy):
    for tokens in range(0, 260, 20):
        job = Scope(Budget(tokens=tokens))
        result = await live(replace(strategy, n=4), traced_rows(1)[0], range(4), job)  # type: ignore[type-var]
        assert job.spent.tokens <= tokens
        assert result.charge.total.usage.completion <= tokens


async def test_a_trace_that_grows_is_one_sample_to_the_budget():
    job = Scope(Budget(samples=2))
    row = [Trace("1", 9, ("1",) * 5)] * 3
    result = await live(ParallelProbing(n=3, every=EVERY), row, range(3), job)
    assert job.spent.samples == 2
    assert (result.answer, result.stop_reason) == ("1", StopReason.SAMPLES)


@pytest.mark.parametrize("name", ["parallel_probing", "confidence_momentum"])
async def test_an_engine_that_cannot_continue_is_refused_by_name(name: str):
    with pytest.raises(ConfigError, match="continue"):
        await tiny.live(STRATEGIES.build(f"{name}(n=1)"), [[tiny.Tiny("1", 50, 0.0)]], 0, [0])


def test_a_study_tries_no_cap_and_multiples_of_the_mean_length():
    pools = Pools({SAMPLED: traced_pool([[Trace("1", tokens, ("1",) * 5) for tokens in (2, 4, 6, 28)]])})
    assert [setting.depth for setting in TimelyVote().candidates(pools)] == [28, 20, 17, 13]
    assert TimelyVote(depth=9).candidates(pools) == (TimelyVote(depth=9),)
    orders = orders_of(np.arange(4)[None, None])
    widest, free = (rule.offline(pools, orders) for rule in (TimelyVote(depth=28), TimelyVote()))
    np.testing.assert_array_equal(widest.correct, free.correct)


def test_the_plurality_is_the_first_trace_s_among_equals():
    answers = np.array([[3, 1, 1, 3], [-1, -1, -1, -1], [2, 2, 5, 5]])
    voting = np.array([[True] * 4, [True] * 4, [True, False, True, True]])
    leader, votes = plurality(answers, voting)
    assert leader.tolist() == [3, -1, 5]
    assert votes.tolist() == [2, 0, 2]


def test_rules_are_the_same_for_one_row_as_for_many():
    rng = np.random.default_rng(0)
    for rule in (ParallelProbing(warm=1, patience=2), ConfidenceMomentum(warm=1, patience=2)):
        many, alone = rule.begin(20, 6), [rule.begin(1, 6) for _ in range(20)]
        ended = np.zeros((20, 6), bool)
        for step in range(1, 8):
            ended |= rng.random((20, 6)) < 0.1
            running = ~ended & ~many.cut & (np.arange(6) < many.started[:, None])
            seen = Seen(step, rng.integers(-1, 3, (20, 6)), ended.copy(), running)
            one = [
                Seen(step, *(part[r : r + 1] for part in (seen.answers, seen.ended, seen.running))) for r in range(20)
            ]
            many = rule.decide(many, seen)  # type: ignore[arg-type]
            alone = [rule.decide(each, saw) for each, saw in zip(alone, one, strict=True)]  # type: ignore[arg-type]
            for name in vars(many):
                expected = np.concatenate([getattr(each, name) for each in alone])
                np.testing.assert_array_equal(getattr(many, name), expected, err_msg=name)
