"""Rules that stop: each at the votes that its definition says, live as offline, in every order."""

from __future__ import annotations

import numpy as np
import pytest

from perpend.core import ConfigError
from perpend.stats import running_vote
from perpend.strategies import STRATEGIES
from perpend.strategies.adaptive_consistency import (
    AdaptiveConsistency,
    concentration,
    leader_is_ahead,
    leader_is_likeliest,
    leader_share,
)
from tests.strategies.test_offline import check_order_by_order
from tests.strategies.tiny import Tiny, all_orders, live, orders_of, pools_of, tiny_rows


def votes_of(*counts: int) -> list[int]:
    """A vote in which answer i has counts[i] votes, the answers in turn."""
    return [key for turn in range(max(counts)) for key, count in enumerate(counts) if turn < count]


@pytest.mark.parametrize("wave", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        "confidence=0.7",
        "confidence=0.8",
        "rule=dirichlet, confidence=0.5",
        "rule=entropy, confidence=0.3",
        "rule=share",
        "rule=share, confidence=0.6",
    ],
)
async def test_adaptive_consistency_agrees_order_by_order(options: str, wave: int):
    strategy = STRATEGIES.build(f"adaptive_consistency({options}, wave={wave})")
    await check_order_by_order(strategy, tiny_rows(1, samples=4))


@pytest.mark.parametrize("strategy", ["short_m_at_k(m=1)", "short_m_at_k(m=2)", "adaptive_consistency(order=finish"])
@pytest.mark.parametrize("seed", range(3))
async def test_rules_in_the_order_of_finish_agree_order_by_order(strategy: str, seed: int):
    if "finish" in strategy:
        strategy += ", confidence=0.6)"
    await check_order_by_order(STRATEGIES.build(strategy), tiny_rows(seed, samples=4))


@pytest.mark.parametrize(("counts", "stops"), [((4,), True), ((3,), False), ((6, 1), True), ((5, 1), False)])
def test_the_beta_rule_stops_at_the_counts_of_its_source(counts: tuple[int, ...], stops: bool):
    assert (leader_is_ahead(running_vote(np.array(votes_of(*counts))))[-1] >= 0.95) == stops


def test_the_dirichlet_rule_looks_at_five_answers_and_is_the_beta_rule_below_three():
    def rule(*counts: int) -> float:
        return float(leader_is_likeliest(running_vote(np.array(votes_of(*counts))))[-1])

    assert rule(4, 2) == leader_is_ahead(running_vote(np.array(votes_of(4, 2))))[-1]
    drawn = np.random.default_rng(0).dirichlet([6, 4, 3, 2, 2], size=400_000)
    assert rule(5, 3, 2, 1, 1) == pytest.approx((drawn.argmax(axis=1) == 0).mean(), abs=0.003)
    assert rule(5, 3, 2, 1, 1, 1, 1) == pytest.approx(rule(5, 3, 2, 1, 1), abs=1e-12)
    assert rule(5, 3, 2) > rule(5, 3, 2, 1)


def test_entropy_and_share_are_those_of_the_votes():
    vote = running_vote(np.array([0, 0, 1, -1, 2]))
    shares = np.array([2, 1, 1]) / 4
    entropy = -(shares * np.log(shares)).sum()
    assert concentration(vote)[-1] == pytest.approx(1 - entropy / np.log(3))
    assert concentration(vote)[:2].tolist() == [1, 1]
    assert leader_share(vote).tolist() == [1, 1, 2 / 3, 2 / 3, 1 / 2]


@pytest.mark.parametrize("rule", ["entropy", "share"])
def test_they_look_from_the_second_vote_on(rule: str):
    strategy = STRATEGIES.build(f"adaptive_consistency(rule={rule})")
    rows = [[Tiny("1", 2, 0.0)] * 4, [Tiny(None, 2, 0.0), *[Tiny("1", 2, 0.0)] * 3]]
    outcomes = strategy.offline(pools_of(rows), orders_of(np.arange(4)[None, None].repeat(2, axis=1)))
    assert outcomes.samples[0, :, -1].tolist() == [2, 3]


def test_in_the_order_of_finish_short_samples_vote_and_the_rest_is_cut():
    row = [Tiny("2", 9, 0.0), *(Tiny("1", tokens, 0.0) for tokens in (3, 4, 1, 2)), Tiny("2", 4, 0.0)]
    strategy = AdaptiveConsistency(n=6, order="finish")
    outcomes = strategy.offline(pools_of([row]), orders_of(np.arange(6)[None, None]))
    spend = outcomes.spend["replay"]
    assert outcomes.samples[0, 0].tolist() == [1, 2, 3, 4, 4, 4]
    assert spend.completion[0, 0, 4:].tolist() == [10, 10]  # 1 + 2 + 3 + 4: four agree
    assert spend.discarded[0, 0, 4:].tolist() == [4, 8]  # the one of 9, then the other one of 4 as well
    assert outcomes.latency_seconds[0, 0].tolist() == [0.9, 0.9, 0.9, 0.9, 0.4, 0.4]
    assert spend.device_seconds[0, 0, 4] == pytest.approx(14 / 20)
    assert (spend.prompt[0, 0, 5], spend.cached[0, 0, 5]) == (42, 35)
    assert outcomes.correct[0, 0].tolist() == [0, 1, 1, 1, 1, 1]


def test_in_the_order_of_finish_three_are_heard_at_least():
    rows = [[Tiny("1", tokens, 0.0) for tokens in (1, 2, 3, 4)]]
    for confidence, heard in ((0.6, 3), (0.95, 4)):
        strategy = AdaptiveConsistency(n=4, order="finish", confidence=confidence)
        outcomes = strategy.offline(pools_of(rows), orders_of(np.arange(4)[None, None]))
        assert outcomes.samples[0, 0, 3] == heard


async def test_a_tie_among_the_first_to_finish_goes_to_the_first():
    row = [Tiny("2", 5, 0.0), Tiny("1", 3, 0.0), Tiny("2", 9, 0.0)]
    result = await live(STRATEGIES.build("short_m_at_k(n=3, m=2)"), [row], 0, [0, 1, 2])
    assert (result.answer, len(result.candidates)) == ("1", 2)
    assert result.charge.total.usage.completion == 5 + 3 + 5
    assert result.certificate is not None
    assert result.certificate.limits.startswith("heuristic")


def test_ragged_problems_race_with_what_they_have():
    rows = [[Tiny("1", 3, 0.0), Tiny("2", 1, 0.0)], [], [Tiny("1", t, 0.0) for t in (5, 4, 3)]]
    order = np.arange(3)[None, None].repeat(3, axis=1)
    outcomes = STRATEGIES.build("short_m_at_k(n=3, m=2)").offline(pools_of(rows), orders_of(order))
    assert outcomes.samples[0, :, -1].tolist() == [2, 0, 2]
    spend = outcomes.spend["replay"]
    assert (spend.completion + spend.discarded)[0, :, -1].tolist() == [4, 0, 3 + 4 + 4]
    assert spend.prompt[0, :, -1].tolist() == [14, 0, 21]
    assert outcomes.correct[0, :, -1].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "written",
    [
        "adaptive_consistency(wave=0)",
        "adaptive_consistency(confidence=1)",
        "adaptive_consistency(rule=guess)",
        "adaptive_consistency(order=finish, wave=4)",
        "short_m_at_k(m=0)",
    ],
)
def test_settings_that_mean_nothing_are_refused(written: str):
    with pytest.raises(ConfigError):
        STRATEGIES.build(written)


def test_a_wave_takes_as_long_as_its_slowest_sample():
    rows = [[Tiny("1", tokens, 0.0) for tokens in (1, 5, 2, 3)]]
    outcomes = AdaptiveConsistency(wave=2).offline(pools_of(rows), orders_of(all_orders(4, 1)[:1]))
    np.testing.assert_allclose(outcomes.latency_seconds[0, 0], [0.1, 0.5, 0.7, 0.8])
