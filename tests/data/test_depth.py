"""Rules over width and depth on recorded thinking, beside what their authors published on the same traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Orders, Pool, PoolField, Pools
from perpend.stats import permutations
from perpend.strategies import STRATEGIES
from perpend.strategies.capped_vote import CappedVote
from perpend.strategies.confidence_momentum import ConfidenceMomentum
from perpend.strategies.depth import Traces, _with_forced, walk
from perpend.strategies.majority import Majority
from perpend.strategies.parallel_probing import ParallelProbing
from perpend.strategies.stopping import credit_of
from perpend.study.offline import average_outcomes
from tests.data import qwen3_probes

ORDERS = 100
SHARES = [0.384, 0.171, 0.111, 0.121]
"""Of a vote over 64 whole traces, as docs/guide.md has it, and the points that it gains or loses against that."""
GAINS = [-0.011, -0.037, -0.003, 0.005]


@pytest.fixture(scope="module")
def pools(shared_data: Path) -> dict[str, Pool]:
    return qwen3_probes.load_probed(shared_data)


def walked(rule: ParallelProbing | ConfidenceMomentum, pool: Pool) -> tuple[float, float]:
    """Accuracy, and thousand tokens without those of probes, which the authors do not count."""
    order = permutations(0, ORDERS, pool.samples, len(pool.problems)).astype(np.int64)
    found = walk(Traces.of(pool, order[..., : rule.n]), rule)  # type: ignore[arg-type]
    right = credit_of(_with_forced(pool), found.leader.reshape(order.shape[:2]))
    return float(right.mean()), float(found.given.sum(axis=1).mean()) / 1000


def test_parallel_probing_takes_the_tokens_that_are_published(pools: dict[str, Pool]):
    accuracy, tokens = zip(*(walked(ParallelProbing(), pool) for pool in pools.values()), strict=True)
    assert accuracy == pytest.approx([0.218, 0.681, 0.797, 0.815], abs=0.03)
    assert tokens == pytest.approx([774, 749, 689, 731], rel=0.04)


def test_confidence_momentum_is_near_what_is_published_at_half(pools: dict[str, Pool]):
    accuracy, tokens = zip(*(walked(ConfidenceMomentum(), pool) for pool in pools.values()), strict=True)
    assert accuracy == pytest.approx([0.192, 0.685, 0.820, 0.843], abs=0.02)
    assert tokens == pytest.approx([284, 276, 237, 255], rel=0.05)


def test_a_walk_is_the_last_of_all_numbers_of_traces(pools: dict[str, Pool]):
    pool = pools["Qwen3-4B"].rows(slice(0, 6))
    order = permutations(0, 5, pool.samples, 6).astype(np.int64)
    rule = ConfidenceMomentum(n=8)
    outcomes = rule.offline(Pools({SAMPLED: pool}), Orders(lambda draw: order))
    found = walk(Traces.of(pool, order[..., :8]), rule)
    spend = outcomes.spend[pool.engine]
    spent = spend.completion[0, :, -1].sum() + spend.discarded[0, :, -1].sum()
    assert spent == pytest.approx(found.given.sum() / 5)
    assert spend.verifier[0, :, -1].sum() == pytest.approx(found.probes.sum() * 16 / 5)


def test_a_vote_of_capped_traces_is_exact_and_dropping_late_ones_beats_asking_them(pools: dict[str, Pool]):
    orders = Orders(lambda draw: np.zeros((1, 1, 1), np.int64))
    for pool in pools.values():
        asked, dropped = (
            CappedVote(depth=20_000, late=late).offline(Pools({SAMPLED: pool}), orders).correct[0].mean(axis=0)
            for late in ("asked", "dropped")  # type: ignore[arg-type]
        )
        one = np.where(pool.completion_tokens <= 20_000, pool.correct, pool.probes.correct[..., 39])  # type: ignore[union-attr]
        assert asked[0] == pytest.approx(one.mean())
        assert dropped[31] > asked[31]


@pytest.mark.slow
def test_a_timely_vote_takes_a_fraction_of_the_tokens(pools: dict[str, Pool]):
    found = [
        (
            average_outcomes([STRATEGIES.build("timely_vote")], Pools({SAMPLED: pool}), 0, ORDERS)[0].outcomes,
            Majority().offline(Pools({SAMPLED: pool}), Orders(lambda draw: np.zeros((1, 1, 1), np.int64))),
        )
        for pool in pools.values()
    ]
    shares = [
        t.spend[e].tokens[0, :, -1].mean() / m.spend[e].tokens[0, :, 63].mean() for t, m in found for e in t.spend
    ]
    gains = [t.correct[0, :, -1].mean() - m.correct[0, :, 63].mean() for t, m in found]
    assert shares == pytest.approx(SHARES, rel=0.03)
    assert gains == pytest.approx(GAINS, abs=0.01)


def test_rules_that_read_probes_are_refused_where_there_are_none(shared_data: Path):
    pool = qwen3_probes.load(shared_data)["Qwen3-0.6B"]
    assert PoolField.PROBES in ParallelProbing().needs - pool.fields
    assert PoolField.PROBES not in CappedVote(late="dropped").needs
