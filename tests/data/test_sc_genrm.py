"""Samples against checks on GPQA Diamond: the figures of the data's own README, and what a fooled verifier shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Floats, Pools
from perpend.stats import best_of_n_curve
from perpend.strategies import STRATEGIES
from perpend.study.evaluate import evaluate, halves
from perpend.study.offline import average_outcomes
from perpend.study.proxies import proxy_curves
from tests.data import sc_genrm
from tests.data.sc_genrm import Checked

K = np.array([1, 2, 4, 8, 16, 32, 64]) - 1
PUBLISHED = [0.4619, 0.4790, 0.4881, 0.4950, 0.5000, 0.5045, 0.5128]


@pytest.fixture(scope="module")
def checked(shared_data: Path) -> Checked:
    return sc_genrm.load(shared_data)


def accuracy(checked: Checked, verdicts: int, text: str, orders: int = 64) -> Floats:
    pools = Pools({SAMPLED: checked.by(np.arange(verdicts))})
    (averaged,) = average_outcomes([STRATEGIES.build(text, n=64)], pools, seed=0, orders=orders)
    return averaged.outcomes.correct[0].mean(axis=0)


@pytest.mark.parametrize(("verdicts", "figures"), [(32, PUBLISHED), (4, [0.4790]), (1, [0.4747])])
def test_best_of_k_by_the_mean_verdict(checked: Checked, verdicts: int, figures: list[float]):
    pool = checked.by(np.arange(verdicts))
    plainly = best_of_n_curve(pool.scores["genrm"], pool.correct).mean(axis=0)[K[-len(figures) :]]
    assert plainly.round(4).tolist() == figures
    ours = accuracy(checked, verdicts, "best_of_n(verifier=genrm)")[K[-len(figures) :]]
    assert (ours >= plainly - 1e-9).all(), "an answer scored 0 is still better than no answer"
    assert np.abs(ours - plainly)[-4:].max() < 5e-5
    assert ours[-1].round(4) == figures[-1]


def test_majority(checked: Checked):
    assert accuracy(checked, 1, "majority")[-1].round(4) == 0.5


def test_a_weighted_vote_needs_few_samples_and_is_then_misled(checked: Checked):
    """Its weights are the verdicts' mean, which one third of the wrong answers have at its highest."""
    weighted = accuracy(checked, 32, "weighted_vote(verifier=genrm)", orders=400)
    plain = accuracy(checked, 32, "majority")
    assert weighted[K[2]] > plain[K[2]] + 0.003
    assert weighted[-1].round(4) == 0.4688
    assert plain[-1].round(4) == 0.5


def test_more_samples_please_one_verdict_more_and_are_no_righter(checked: Checked):
    pool = checked.by(np.arange(1))
    strategies = {"best_of_n": STRATEGIES.build("best_of_n(verifier=genrm)", n=64)}
    evaluated = evaluate(strategies, pool.engine, Pools({SAMPLED: pool}), {pool.engine: None}, {}, 0, lambda _: False)
    (curve,) = proxy_curves(evaluated, halves(pool.problems, 0))
    proxy = [curve.points[k].proxy for k in K]
    assert proxy == sorted(proxy)
    assert proxy[-1] > 0.98
    assert curve.best_n < 8
    assert curve.points[-1].accuracy.value < curve.points[curve.best_n - 1].accuracy.value


def test_every_verdict_is_asked_for_where_it_is_named(checked: Checked):
    rng = np.random.default_rng(0)
    some = rng.integers(0, 32, (*checked.verdicts.shape[:2], 3))
    pool = checked.by(some)
    for p, s in ((0, 0), (7, 30), (63, 63)):
        read = checked.verdicts[p, s, some[p, s]]
        if pool.keys[p, s] >= 0:
            assert pool.scores["genrm"][p, s] == pytest.approx(np.nanmean(read) if not np.isnan(read).all() else 0)
