"""What a study is forecast to cost, and how the forecast stands beside what came of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from perpend.study import EngineSpec, StudySpec, TaskSpec, load_results, run_study
from perpend.study.dry_run import billed, forecast_study
from perpend.study.meter import Meter
from perpend.study.results import Forecast
from tests.study.studies import Watch, rows, spec

PRICED = {"price": ("1,1,4",)}


async def test_without_samples_it_is_an_upper_bound_that_actual_costs_stay_under(tmp_path: Path) -> None:
    forecast = await forecast_study(spec(**PRICED), tmp_path)
    assert forecast.bound
    assert "upper bound" in forecast.basis
    assert (forecast.whole.calls, forecast.whole) == (12 * 7, forecast.left)
    results = await run_study(spec(**PRICED), tmp_path)
    assert results.plan is not None
    actual, planned = results.plan.actual, results.plan.forecast.whole
    assert actual.calls == planned.calls
    assert actual.tokens < planned.tokens
    assert actual.usd is not None
    assert planned.usd is not None
    assert 0 < actual.usd < planned.usd
    assert (planned.seconds, actual.seconds) == (None, results.how.seconds)


async def test_strategies_are_forecast_alone_and_share_samples_together(tmp_path: Path) -> None:
    forecast = await forecast_study(spec(strategies=("greedy", "majority(n=4)", "coverage")), tmp_path)
    assert [(line.strategy, line.n, line.cost.calls) for line in forecast.strategies] == [
        ("greedy", 1, 12),
        ("majority", 4, 48),
        ("coverage", 6, 72),
    ]
    assert forecast.whole.calls == 12 + 72
    assert forecast.prices == {"simulated": None}
    assert forecast.whole.usd is None


async def test_a_probe_gives_what_the_study_then_finds(tmp_path: Path) -> None:
    watch = Watch()
    study = spec(60, 8, **PRICED)
    forecast = await forecast_study(study, tmp_path, watch, probe=10)
    assert len(watch.bought) == 10 * 9
    assert not forecast.bound
    assert forecast.left.calls == 50 * 9
    results = await run_study(study, tmp_path)
    assert results.how.restarts == 0
    assert results.plan is not None
    assert results.plan.forecast == forecast
    assert results.plan.actual.tokens == pytest.approx(forecast.whole.tokens, rel=0.2)
    assert results.plan.actual.usd == pytest.approx(forecast.whole.usd, rel=0.2)
    for line, actual in zip(forecast.strategies, results.plan.strategies, strict=True):
        assert actual is not None
        assert actual.calls == line.cost.calls
        assert actual.usd == pytest.approx(line.cost.usd, rel=0.2)


async def test_a_strategys_plan_and_what_came_of_it_are_the_same_quantity(tmp_path: Path) -> None:
    study = spec(9, strategies=("greedy", "majority(n=4)", "coverage"), **PRICED)
    results = await run_study(study, tmp_path)
    afterwards = await forecast_study(study, tmp_path, keep=False)
    assert results.plan is not None
    assert results.plan.strategies == [line.cost for line in afterwards.strategies]
    assert [each and each.calls for each in results.plan.strategies] == [9, 36, 54]


@pytest.mark.parametrize("how", ["cached_tokens = prompt_tokens", 'cached_tokens = prompt_tokens, choice = "index"'])
async def test_one_sample_alone_has_a_whole_prompt_and_nothing_cached(tmp_path: Path, how: str) -> None:
    study = spec(9, strategies=("greedy", "weighted_vote(n=1,verifier=simulated)", "majority(n=4)"), **PRICED)
    await run_study(study, tmp_path)
    fresh = await forecast_study(study, tmp_path, keep=False)
    with sqlite3.connect(tmp_path / "traces.db") as database:
        database.execute(f"UPDATE samples SET {how}")
    database.close()
    warm = await forecast_study(study, tmp_path, keep=False)
    assert [line.n for line in warm.strategies] == [1, 1, 4]
    for line, cold in zip(warm.strategies, fresh.strategies, strict=True):
        if line.n == 1:
            assert line.cost.model_dump() == pytest.approx(cold.cost.model_dump())
        else:
            assert line.cost.tokens < cold.cost.tokens
    assert warm.whole.tokens < fresh.whole.tokens


async def test_a_probe_stays_under_the_budget(tmp_path: Path) -> None:
    watch = Watch()
    await forecast_study(spec(60, 8, budget="samples=30"), tmp_path, watch, probe=10)
    assert len(watch.bought) <= 30


async def test_the_plan_stays_what_was_said_before_it_was_drawn(tmp_path: Path) -> None:
    first = await forecast_study(spec(), tmp_path)
    await run_study(spec(), tmp_path)
    afterwards = await forecast_study(spec(), tmp_path)
    assert afterwards.left.calls == 0
    await run_study(spec(), tmp_path)
    plan = load_results(tmp_path).plan
    assert plan is not None
    assert plan.forecast == first
    assert rows(tmp_path, "SELECT COUNT(*) FROM forecasts") == [(1,)]
    await run_study(spec(20), tmp_path)
    extended = load_results(tmp_path).plan
    assert extended is not None
    assert extended.forecast.problems == 20


async def test_a_local_engine_has_no_dollars_before_anything_ran(tmp_path: Path) -> None:
    study = StudySpec(task=(TaskSpec(use="arithmetic", limit=4),), samples=2)
    forecast: Forecast = await forecast_study(study, tmp_path)
    assert forecast.whole.usd is None
    assert forecast.prices == {"embedded": "$0.20 an hour of this machine (assumed)"}


def test_only_endpoints_bill(tmp_path: Path) -> None:
    engines = (EngineSpec(use="simulated"), EngineSpec(use="openai:http://127.0.0.1:1#m", name="mine"))
    assert billed(spec(engine="simulated", **PRICED), tmp_path) == {}
    assert list(billed(StudySpec(task=spec().task, engine=engines, **PRICED), tmp_path)) == ["mine"]
    assert billed(StudySpec(task=spec().task, engine=engines, price="0,0,0"), tmp_path) == {}


async def test_meters_are_handed_out_and_read_what_was_spent(tmp_path: Path) -> None:
    class Metered(Watch):
        meter: Meter

        def metered(self, meter: Meter) -> None:
            self.meter = meter

    watch = Metered()
    results = await run_study(spec(**PRICED), tmp_path, watch)
    assert watch.meter.usd == pytest.approx(sum(line.usd or 0 for line in results.bought))
    assert watch.meter.again == {}
