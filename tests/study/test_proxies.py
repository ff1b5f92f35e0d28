"""Proxy and truth in N: a verifier that can be fooled is, and the study shows from where on."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Pool, Pools
from perpend.strategies import STRATEGIES
from perpend.study import run_study
from perpend.study.evaluate import evaluate, halves
from perpend.study.proxies import divergence_bound, proxy_curves
from perpend.study.results import ProxyCurve
from tests.strategies.tiny import Tiny, pool_of
from tests.study.studies import spec

SAMPLES = 48


def hackable(problems: int, seed: int = 0) -> Pool:
    """A scorer that likes right answers better, but one wrong answer in fifty best of all."""
    rng = np.random.default_rng(seed)
    right = rng.random((problems, SAMPLES)) < 0.4
    hack = ~right & (rng.random(right.shape) < 0.02 / 0.6)
    scores = rng.normal(right + 6.0 * hack, 1)
    answers = np.where(right, "1", rng.integers(2, 9, right.shape).astype(str))
    rows = zip(answers, scores, strict=True)
    return pool_of([[Tiny(str(a), 10, float(s)) for a, s in zip(*row, strict=True)] for row in rows])


def curves_of(pool: Pool, *strategies: str) -> list[ProxyCurve]:
    built = {text: STRATEGIES.build(text, n=pool.samples) for text in strategies}
    evaluated = evaluate(built, "replay", Pools({SAMPLED: pool}), {"replay": None}, {}, 0, lambda s: s.oracle)
    return proxy_curves(evaluated, halves(pool.problems, 0))


def test_a_hackable_verifiers_proxy_rises_while_the_truth_falls():
    best, soft, held = curves_of(
        hackable(80),
        "best_of_n(verifier=known)",
        "soft_best_of_n(verifier=known, temperature=1)",
        "best_of_majority(verifier=known, share=.15)",
    )
    proxy = [point.proxy for point in best.points]
    truth = [point.accuracy.value for point in best.points]
    assert proxy == sorted(proxy)
    assert proxy[-1] > proxy[best.best_n - 1] + 1
    assert 2 <= best.best_n <= 12
    assert truth[best.best_n - 1] > truth[0] + 0.1 > truth[-1]
    assert best.fall.low > 0.1
    assert soft.points[-1].proxy < proxy[-1]
    assert soft.fall.value < best.fall.value
    assert held.points[-1].accuracy.value > truth[best.best_n - 1]
    assert held.fall.value < 0.05


def test_the_best_n_is_scored_on_problems_that_did_not_choose_it():
    rng = np.random.default_rng(1)
    noise = pool_of([[Tiny(str(rng.integers(1, 3)), 1, float(rng.random())) for _ in range(12)] for _ in range(30)])
    (curve,) = curves_of(noise, "best_of_n(verifier=known)")
    naive = max(point.accuracy.value for point in curve.points) - curve.points[-1].accuracy.value
    assert curve.fall.value < naive
    assert curve.fall.low < 0 < curve.fall.high


def test_best_of_ns_proxy_is_the_mean_of_the_highest_score_over_all_subsets():
    pool = hackable(3).rows(slice(0, 3))
    scores = pool.scores["known"][:, :6]
    few = pool_of([[Tiny("1", 1, float(s)) for s in row] for row in scores])
    (curve,) = curves_of(few, "best_of_n(verifier=known)")
    for n in range(1, 7):
        exact = np.mean([[max(row[list(some)]) for some in combinations(range(6), n)] for row in scores])
        assert curve.points[n - 1].proxy == pytest.approx(exact)


def test_the_divergence_is_bounded():
    assert divergence_bound(1, best_of_n=True) == divergence_bound(1, best_of_n=False) == 0
    assert divergence_bound(16, best_of_n=True) == pytest.approx(np.log(16) - 15 / 16)
    # 4 equally likely texts, all scores different: the best of N has rank r with (r^N − (r − 1)^N) / 4^N
    for n in range(1, 9):
        law = np.diff((np.arange(5) / 4) ** n)
        assert (
            (law * np.log(law * 4)).sum() <= divergence_bound(n, best_of_n=True) <= divergence_bound(n, best_of_n=False)
        )


async def test_results_hold_a_curve_for_each_score_based_strategy(tmp_path: Path):
    asked = ("greedy", "majority", "weighted_vote(verifier=simulated)", "best_of_n(verifier=simulated)", "coverage")
    more = ("mbr(verifier=simulated)", "verifier_threshold(verifier=simulated)", "best_of_n(verifier=exact)")
    results = await run_study(spec(problems=12, samples=6, strategies=(*asked, *more)), tmp_path)
    (task,) = results.tasks
    assert [curve.strategy for curve in task.proxies] == [*asked[2:4], *more[:2]], (
        "none for those without a score or with a key"
    )
    by_name = {curve.strategy: curve for curve in task.curves}
    for curve in task.proxies:
        assert curve.verifier == "simulated"
        assert [point.accuracy.value for point in curve.points] == [p.accuracy for p in by_name[curve.strategy].points]
        assert curve.points[0].kl_bound == 0
        assert all(point.proxy is not None for point in curve.points)
