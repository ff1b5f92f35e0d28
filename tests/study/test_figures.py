"""Figures against plain counting: pools to curves, costs by hand, and what the report is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perpend.core import GREEDY, SAMPLED, ModelShape, Orders, Pools, Sample, pool_key
from perpend.store import Store
from perpend.study import EngineSpec, StudySpec, TaskSpec, problem_views, run_study
from perpend.study.evaluate import per_correct
from perpend.study.offline import make_orders
from perpend.study.plan import Block, Plan
from perpend.study.pools import load_pools
from perpend.study.record import engines_of
from perpend.study.resolve import make_plan, visit_order
from perpend.tasks.simulated import Simulated
from tests.study.studies import curve, rows, spec

SHAPE = ModelShape(parameters=135_000_000, layers=30, width=576)
TINY = 5
"""Samples a problem: few enough for every order to be tried."""


def by_problem(folder: Path, study: StudySpec) -> dict[str, tuple[Sample, list[Sample]]]:
    """The greedy sample and the others of every problem, read from the store without the study's own code."""
    plan, store = make_plan(study), Store(folder, read_only=True)
    engine = engines_of(plan, store)["simulated"]
    samples = list(store.samples())
    store.close()
    found = {}
    for problem in plan.tasks[0].problems:
        greedy, sampled = (
            sorted(
                (
                    s
                    for s in samples
                    if s.pool == pool_key(Block(plan.tasks[0], problem).source(d, "x", engine.fingerprint))
                ),
                key=lambda s: s.index,
            )
            for d in (GREEDY, SAMPLED)
        )
        found[problem.id] = greedy[0], sampled
    return found


def right(sample: Sample) -> bool:
    from perpend.core.simulation import law_of

    return sample.answer == law_of(sample.problem).answer


def vote(samples: tuple[Sample, ...]) -> bool:
    counts = Counter(s.key for s in samples)
    return next(right(s) for s in samples if counts[s.key] == max(counts.values()))


async def test_curves_equal_every_order_of_a_tiny_pool(tmp_path: Path) -> None:
    study = spec(problems=7, samples=TINY)
    results = await run_study(study, tmp_path)
    pool = by_problem(tmp_path, study)
    assert curve(results, "greedy").points[0].accuracy == pytest.approx(np.mean([right(g) for g, _ in pool.values()]))
    for n in range(1, TINY + 1):
        votes = [np.mean([vote(order[:n]) for order in permutations(samples)]) for _, samples in pool.values()]
        assert curve(results, "majority").points[n - 1].accuracy == pytest.approx(np.mean(votes))
        any_right = [
            np.mean([any(map(right, some)) for some in combinations(samples, n)]) for _, samples in pool.values()
        ]
        assert curve(results, "coverage").points[n - 1].accuracy == pytest.approx(np.mean(any_right))


async def test_best_of_n_equals_every_choice_of_samples(tmp_path: Path) -> None:
    study = spec(problems=7, samples=TINY, strategies=("greedy", "best_of_n"))
    results = await run_study(study, tmp_path)
    pool = by_problem(tmp_path, study)

    def best(samples: tuple[Sample, ...]) -> bool:
        return right(max(samples, key=lambda s: (s.logprob or 0.0) / s.usage.completion))

    for n in range(1, TINY + 1):
        each = [np.mean([best(some) for some in combinations(samples, n)]) for _, samples in pool.values()]
        assert curve(results, "best_of_n(verifier=logprob)").points[n - 1].accuracy == pytest.approx(np.mean(each))


async def test_costs_are_those_of_a_calculation_by_hand(tmp_path: Path) -> None:
    study = spec(problems=6, samples=4, hourly=3.6)
    results = await run_study(study, tmp_path)
    pool = by_problem(tmp_path, study)
    prompt = 3  # "Simulated question sim-….", a word a token
    for n in range(1, 5):
        lengths = [np.mean([s.usage.completion for s in samples]) for _, samples in pool.values()]
        point = curve(results, "majority").points[n - 1]
        assert point.samples == n
        assert point.tokens == pytest.approx(prompt + n * np.mean(lengths))
        assert point.device_seconds == pytest.approx(n * np.mean(lengths) / 50)
        longest = [
            np.mean([max(s.seconds for s in c) for c in combinations(samples, n)]) for _, samples in pool.values()
        ]
        assert point.latency_seconds == pytest.approx(np.mean(longest))
        flops = [SHAPE.flops(prompt, 0, 0) + n * SHAPE.flops(prompt, prompt, length) for length in lengths]
        assert point.flops == pytest.approx(np.mean(flops))
        assert point.usd is None, "a simulated engine costs nothing real"
        if point.accuracy:
            assert point.cost_per_correct.tokens.value == pytest.approx(point.tokens / point.accuracy)
    (line,) = results.bought
    tokens = [s.usage.completion for greedy, samples in pool.values() for s in [greedy, *samples]]
    assert (line.calls, line.prompt_tokens, line.completion_tokens) == (6 * 5, 6 * 5 * prompt, sum(tokens))


async def test_pools_hold_what_was_drawn(tmp_path: Path) -> None:
    study = spec(problems=6, samples=4)
    await run_study(study, tmp_path)
    pool = by_problem(tmp_path, study)
    loaded = loaded_pools(tmp_path, study)
    arrays = loaded.pools[SAMPLED]
    assert arrays.problems == tuple(p.id for p in visit_order(Simulated(6).problems(), 0)) == tuple(pool)
    for row, (_, samples) in enumerate(pool.values()):
        assert arrays.correct[row].tolist() == [right(s) for s in samples]
        assert arrays.completion_tokens[row].tolist() == [s.usage.completion for s in samples]
        same = arrays.keys[row][:, None] == arrays.keys[row]
        assert same.tolist() == [[a.key == b.key for a in samples] for b in samples]
    assert arrays.mask.all()
    assert np.isfinite(arrays.scores["simulated"]).all()
    assert np.isnan(arrays.probabilities["simulated"]).all()


def loaded_pools(folder: Path, study: StudySpec) -> Any:
    plan: Plan = make_plan(study)
    store = Store(folder, read_only=True)
    pools = load_pools(plan, plan.tasks[0], engines_of(plan, store), store)["simulated"]
    store.close()
    return pools


async def test_ragged_problems_count_with_the_samples_that_they_have(tmp_path: Path) -> None:
    study = spec(problems=15, samples=6, per_problem="tokens=1400")  # each request reserves about 1,100
    results = await run_study(study, tmp_path)
    arrays = loaded_pools(tmp_path, study).pools[SAMPLED]
    widths = arrays.mask.sum(axis=1)
    assert len(set(widths)) > 1, "rows of different length are what this is about"
    points = curve(results, "coverage").points
    each = [
        1 - comb(int(width - hits), min(n, int(width))) / comb(int(width), min(n, int(width))) if width else 0.0
        for n in [6]
        for width, hits in zip(widths, arrays.correct.sum(axis=1), strict=True)
    ]
    assert points[5].accuracy == pytest.approx(np.mean(each))
    assert points[5].samples == pytest.approx(widths.mean())
    gap = results.tasks[0].gaps[-1]
    assert gap.coverage.value == pytest.approx(points[gap.n - 1].accuracy)
    single = curve(results, "weighted_vote(verifier=simulated)").points[0]
    assert single.accuracy == pytest.approx(points[0].accuracy, abs=0.06), "one sample is one that exists"


async def test_orders_take_what_exists_before_what_does_not(tmp_path: Path) -> None:
    study = spec(problems=5, samples=6)
    await run_study(study, tmp_path)
    whole = loaded_pools(tmp_path, study).pools[SAMPLED]
    mask = np.random.default_rng(0).random(whole.mask.shape) < 0.5
    orders = make_orders(Pools({SAMPLED: replace(whole, mask=mask)}), 0).of(SAMPLED)
    assert (np.sort(orders, axis=-1) == np.arange(6)).all()
    for problem in range(5):
        exists = mask[problem][orders[:, problem]]
        assert (exists == np.sort(exists, axis=-1)[:, ::-1]).all()


async def test_a_strategy_that_selects_by_an_oracle_is_never_advised(tmp_path: Path) -> None:
    study = spec(strategies=("greedy", "majority", "best_of_n(verifier=exact)"))
    results = await run_study(study, tmp_path)
    cheat = curve(results, "best_of_n(verifier=exact)")
    assert cheat.oracle
    assert cheat.points[-1].accuracy > curve(results, "majority").points[-1].accuracy
    task = results.tasks[0]
    advised = {r.strategy for r in task.recommendations} | {c.strategy for c in task.comparisons}
    assert advised <= {"greedy", "majority"}
    assert {strategy for _, strategy, _ in task.frontier} <= {"greedy", "majority"}


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 1},
        {"problems": 1},
        {"problems": 1, "samples": 1},
        {"samples": 2, "strategies": ("coverage",)},
        {"strategies": ("best_of_n",)},
        {"strategies": ("greedy",)},
        {"strategies": ("majority(n=2)", "majority")},
        {"budget": "samples=0"},
        {"limit": 1, "samples": 3},
        {"engine": "simulated(failures=1.0)"},
        {"max_tokens": 1},
        {"temperature": 0.0},
    ],
)
async def test_odd_studies_have_results_too(tmp_path: Path, changes: dict[str, Any]) -> None:
    results = await run_study(spec(**changes), tmp_path)
    shown = list(problem_views(tmp_path))
    task = results.tasks[0]
    assert len(shown) == task.problems
    for each in task.curves:
        assert all(0 <= point.low <= point.accuracy <= point.high <= 1 for point in each.points)
        assert [point.n for point in each.points] == list(range(1, len(each.points) + 1))
    assert results.findings


async def test_the_longest_of_equal_strategies_is_kept(tmp_path: Path) -> None:
    results = await run_study(spec(strategies=("majority", "majority(n=2)")), tmp_path)
    assert [len(each.points) for each in results.tasks[0].curves] == [6]


async def test_strategies_that_no_task_serves_are_named(tmp_path: Path) -> None:
    from perpend.core import ConfigError

    with pytest.raises(ConfigError, match=r"No task can serve 'best_of_n\(verifier=check\)'"):
        await run_study(spec(strategies=("best_of_n(verifier=check)",)), tmp_path / "a")
    by_default = StudySpec(
        task=(TaskSpec(use="simulated(problems=3)"),), engine=(EngineSpec(use="simulated"),), samples=2
    )
    results = await run_study(by_default, tmp_path / "b")
    assert any("best_of_n(verifier=check) was left out on simulated" in f.sentence for f in results.findings)


def test_cost_per_correct_without_any_cost_is_unknown() -> None:
    assert per_correct(np.ones((3, 2)), np.zeros((3, 2))) is None
    some = per_correct(np.array([1.0, 0.0]), np.array([10.0, 0.0]))
    assert some is not None
    assert some.estimate == pytest.approx(10.0)


async def test_a_model_that_writes_halves_of_characters_can_be_studied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perpend.engines import simulated

    monkeypatch.setattr(simulated, "CONCLUSION", "\ud800\0 The answer is {answer}.")
    results = await run_study(spec(problems=3, samples=2), tmp_path)
    assert results.tasks[0].problems == 3
    assert any("\ufffd" in sample.text for view in problem_views(tmp_path) for sample in view.samples)
    assert any(
        "\ud800" in text.decode("utf-8", "surrogatepass") for (text,) in rows(tmp_path, "SELECT text FROM samples")
    )


async def test_all_strategies_see_the_same_orders(tmp_path: Path) -> None:
    study = spec(problems=5, samples=4)
    await run_study(study, tmp_path)
    pools = Pools({SAMPLED: loaded_pools(tmp_path, study).pools[SAMPLED]})
    first, second = (make_orders(pools, 0) for _ in range(2))
    assert isinstance(first, Orders)
    assert (first.of(SAMPLED) == second.of(SAMPLED)).all()
    assert not (first.of(SAMPLED) == make_orders(pools, 1).of(SAMPLED)).all()
