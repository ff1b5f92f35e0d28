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
from perpend.strategies.best_of_infinity import leader_is_mode
from perpend.strategies.martingale import log_evidence
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


@pytest.mark.parametrize(
    "written",
    [
        "early_stopping(window=2)",
        "early_stopping(window=3)",
        "best_of_infinity(odds=2)",
        "best_of_infinity(odds=6, wave=2)",
        "martingale(delta=0.4)",
        "martingale(delta=0.6, wave=2)",
        "sprt(p=0.6, alpha=0.2, beta=0.7)",
        "sprt(p=0.7, alpha=0.4, beta=0.5, wave=2)",
    ],
)
@pytest.mark.parametrize("seed", range(2))
async def test_other_rules_agree_order_by_order(written: str, seed: int):
    await check_order_by_order(STRATEGIES.build(written), tiny_rows(seed, samples=4))


def first_stop(written: str, keys: list[int]) -> int | None:
    """After how many of these samples a rule stops, None where it does not."""
    rows = [[Tiny(None if key < 0 else str(key + 1), 1, 0.0) for key in keys]]
    outcomes = STRATEGIES.build(written).offline(pools_of(rows), orders_of(np.arange(len(keys))[None, None]))
    assert outcomes.stopped is not None
    return int(outcomes.samples[0, 0, -1]) if outcomes.stopped[0, 0, -1] else None


@pytest.mark.parametrize(
    ("written", "samples"),
    [
        ("adaptive_consistency", 4),
        ("early_stopping", 5),
        ("early_stopping(window=8)", 8),
        ("martingale", 6),
        ("best_of_infinity", 2),
        ("best_of_infinity(odds=100)", 5),
        ("best_of_infinity(odds=1000)", 7),
        ("sprt", 3),
    ],
)
def test_a_unanimous_question_stops_where_the_method_says(written: str, samples: int):
    assert first_stop(written, [0] * 12) == samples
    assert first_stop(written, [0] * (samples - 1)) is None


def test_early_stopping_returns_the_window_that_agrees_and_else_the_majority():
    rows = [[Tiny(key, 1, 0.0) for key in row] for row in ("2223311111", "1112122222", "1111211112")]
    outcomes = STRATEGIES.build("early_stopping(n=10)").offline(
        pools_of(rows), orders_of(np.arange(10)[None, None].repeat(3, axis=1))
    )
    assert outcomes.correct[0, :, -1].tolist() == [1, 0, 1]
    assert outcomes.stopped is not None
    assert outcomes.stopped[0, :, -1].tolist() == [1, 1, 0]
    assert outcomes.correct[0, :, 4].tolist() == [0, 1, 1]


def test_a_window_with_a_sample_that_has_no_answer_does_not_agree():
    assert first_stop("early_stopping", [0, 0, -1, 0, 0, 0, 0, 0, 0, 0]) == 10


def test_the_published_ratio_test_is_a_race_to_a_lead_of_three():
    assert first_stop("sprt", [0, 1] * 15 + [0, 0, 0]) == 33
    assert first_stop("sprt", [0, 1] * 20) is None


def test_a_ratio_test_can_find_two_answers_equal():
    assert first_stop("sprt(n=200, p=0.6, beta=0.05)", [0, 1] * 100) == 146  # 73·log(1.2 · .8) ≤ log(.05/.95)


def test_best_of_infinity_weighs_unseen_answers_and_counts_seen_ones():
    vote = running_vote(np.array([0, 0, 1, 0, 2, 0]))
    drawn = np.random.default_rng(0).dirichlet([4, 1, 1, 0.3], size=400_000)
    assert leader_is_mode(vote, 0.3)[-1] == pytest.approx((drawn.argmax(axis=1) == 0).mean(), abs=0.003)
    assert leader_is_mode(running_vote(np.array([-1, 0])), 0.3).tolist() == [0, pytest.approx(0.5**0.3)]


def test_e_values_are_those_of_games_that_the_leader_played():
    keys = [0, 1, 0, 2, 0, 0, 0, -1, 1]  # wins at 3, 5, 6, 7; lost to the second at 2 and 9, to the others at 4
    q = np.linspace(0.5001, 0.9999, 41)
    w = 1 / np.sqrt(q * (1 - q))
    found = log_evidence(running_vote(np.array(keys)))

    def e_value(s: int, f: int) -> float:
        return 2 ** (s + f) * (w * q**s * (1 - q) ** f).sum() / w.sum()

    # the second answer is unseen when it first comes: it beats the leader from outside the two
    assert np.exp(found[-1]) == pytest.approx(min(e_value(4, 1), e_value(4, 2)))
    assert np.exp(found[3]) == pytest.approx(min(e_value(1, 0), e_value(1, 2)))


def test_the_certificate_keeps_its_error_over_many_laws():
    rng = np.random.default_rng(0)
    laws = [rng.dirichlet([a] * k) for k in (2, 3, 5, 10, 30) for a in (0.1, 0.3, 1, 3, 10, 100) for _ in range(2)]
    laws += [np.array([p, 1 - p]) for p in (0.5001, 0.51, 0.52, 0.55, 0.6)]
    laws += [np.array([p, (1 - p) / 2, (1 - p) / 2]) for p in (0.334, 0.35, 0.4, 0.5)]
    laws += [np.array([p, *[(1 - p) / m] * m]) for p in (0.1, 0.2, 0.3) for m in (4, 9, 19)]
    wrong = []
    for law in laws:
        vote = running_vote(rng.choice(len(law), size=(1000, 64), p=np.sort(law)[::-1]))
        certified = log_evidence(vote) >= np.log(20)
        leader = vote.leader[certified.argmax(axis=0), np.arange(1000)]
        wrong.append((certified.any(axis=0) & (leader > 0)).mean())
    assert max(wrong) <= 0.05
    assert max(wrong) > 0.005  # some law is close enough to a tie for the test to mean something


async def test_what_is_not_certified_is_marked_as_an_abstention():
    rows = [[Tiny(key, 1, 0.0) for key in "1212111"]]
    certified = await live(STRATEGIES.build("martingale(n=7, delta=0.5)"), rows, 0, [0, 2, 4, 5, 6, 1, 3])
    abstained = await live(STRATEGIES.build("martingale(n=4)"), rows, 0, range(7))
    assert (certified.stop_reason, certified.certificate is None) == ("accepted", False)
    assert (abstained.stop_reason, abstained.certificate, abstained.answer) == ("abstained", None, "1")


@pytest.mark.parametrize("name", ["adaptive_consistency", "early_stopping", "best_of_infinity", "sprt", "short_m_at_k"])
async def test_only_the_martingale_claims_more_than_a_heuristic(name: str):
    rows = [[Tiny("1", tokens, 0.0) for tokens in range(1, 9)]]
    claimed = (await live(STRATEGIES.build("martingale(n=8)"), rows, 0, range(8))).certificate
    other = (await live(STRATEGIES.build(name, n=8), rows, 0, range(8))).certificate
    assert claimed is not None
    assert other is not None
    assert claimed.confidence == 0.95
    assert "heuristic" not in claimed.limits
    assert other.limits.startswith("heuristic")


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
        "early_stopping(window=0)",
        "best_of_infinity(odds=0)",
        "best_of_infinity(wave=0)",
        "martingale(delta=1)",
        "sprt(p=0.5)",
        "sprt(alpha=0.5, beta=0.5)",
    ],
)
def test_settings_that_mean_nothing_are_refused(written: str):
    with pytest.raises(ConfigError):
        STRATEGIES.build(written)


def test_a_wave_takes_as_long_as_its_slowest_sample():
    rows = [[Tiny("1", tokens, 0.0) for tokens in (1, 5, 2, 3)]]
    outcomes = AdaptiveConsistency(wave=2).offline(pools_of(rows), orders_of(all_orders(4, 1)[:1]))
    np.testing.assert_allclose(outcomes.latency_seconds[0, 0], [0.1, 0.5, 0.7, 0.8])
