"""A rule asked in stages decides what it decides at once, up to where it stops."""

from __future__ import annotations

import numpy as np
import pytest

from perpend.core import SAMPLED
from perpend.stats import running_vote
from perpend.strategies import stopping
from perpend.strategies.adaptive_consistency import AdaptiveConsistency
from perpend.strategies.best_of_infinity import BestOfInfinity
from perpend.strategies.stopping import credit_of, stopped_outcomes
from tests.strategies.tiny import Tiny, orders_of, pool_of, pools_of


@pytest.mark.parametrize("wave", [1, 5])
@pytest.mark.parametrize("kind", [BestOfInfinity, AdaptiveConsistency])
def test_stages_change_nothing(kind: type[BestOfInfinity | AdaptiveConsistency], wave: int, monkeypatch):
    monkeypatch.setattr(stopping, "STATES_AT_ONCE", 40**2 * 3)  # so that the votes are taken in several parts
    rng = np.random.default_rng(3)
    answers = [rng.choice(["1", "2", "3", "4"], p=p, size=50) for p in ([0.4, 0.35, 0.15, 0.1], [0.9, 0.1, 0, 0])]
    rows = [[Tiny(str(answer), 1, 0.0) for answer in row] for row in answers]
    order = np.stack([np.stack([rng.permutation(50) for _ in rows]) for _ in range(20)])
    strategy = kind(n=50, wave=wave) if kind is BestOfInfinity else kind(n=50, wave=wave, rule="dirichlet")
    found = strategy.offline(pools_of(rows), orders_of(order))
    pool = pool_of(rows)
    vote = running_vote(pool.keys[np.arange(2)[:, None], order])
    credit = credit_of(pool, vote.leader)
    whole = stopped_outcomes(pool, SAMPLED, orders_of(order), credit, strategy._content(vote), n=50, wave=wave)
    np.testing.assert_array_equal(found.correct, whole.correct)
    np.testing.assert_array_equal(found.samples, whole.samples)
    assert found.stopped is not None
    assert whole.stopped is not None
    np.testing.assert_array_equal(found.stopped, whole.stopped)
    assert found.stopped[0, 1, 15] == 1
    assert found.stopped[0, 0, 15] < 1


def test_it_draws_on_where_it_is_not_asked_any_more():
    votes = running_vote(np.arange(300) % 3)
    for strategy in (BestOfInfinity(n=300, odds=1e-9), AdaptiveConsistency(n=300, rule="dirichlet", confidence=1e-9)):
        content = strategy._content(votes)
        assert content[3:256].all()
        assert not content[256:].any()
