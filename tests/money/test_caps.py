"""A study on an endpoint: capped in dollars, whatever goes wrong, and small rather than biased."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.core import ConfigError
from perpend.study import EngineSpec, reevaluate, run_study
from perpend.study.results import Results
from tests.money.conftest import ANSWER, Serve, billed_usd, study
from tests.study.studies import curve, rows

FAULTS = {"429": 0.05, "429_after": 0.03, "500": 0.05, "drop_before": 0.02, "drop_body": 0.03, "no_usage": 0.03}


def bought_usd(results: Results) -> float:
    return sum(line.usd or 0.0 for line in results.bought)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))])
async def test_a_cent_is_never_overshot_by_the_servers_ledger(tmp_path: Path, serve: Serve, seed: int) -> None:
    server = serve(faults=FAULTS, seed=seed, seconds=0.002, fewest=12)
    results = await run_study(study(server, 60, 8, budget="usd=0.01", max_connections=64), tmp_path)
    assert results.how.stop_reason == "usd"
    assert billed_usd(server) <= bought_usd(results) + 1e-12
    assert bought_usd(results) <= 0.01
    again = await run_study(study(server, 60, 8, budget="usd=0.01", max_connections=64), tmp_path)
    assert billed_usd(server) <= bought_usd(again) + 1e-12 <= 0.01 + 1e-11


async def test_only_whole_blocks_enter_the_figures(tmp_path: Path, serve: Serve) -> None:
    server = serve(fewest=12)
    results = await run_study(study(server, 60, 8, budget="usd=0.01"), tmp_path)
    (task,) = results.tasks
    assert 0 < task.problems < 60
    assert task.counts[0].samples == task.problems * 9
    assert {curve.points[-1].n for curve in task.curves if curve.family != "greedy"} == {8}


async def test_probing_is_in_the_ledger_and_under_the_cap(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    results = await run_study(study(server, 2, 2), tmp_path)
    (probe,) = [line for line in results.bought if line.cause == "overhead"]
    assert probe.usd
    assert bought_usd(results) == pytest.approx(billed_usd(server))
    assert (await reevaluate(tmp_path)).bought == results.bought


async def test_a_strategy_costs_what_a_server_without_a_cache_bills_for_it(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    results = await run_study(study(server, 3, 4, price=("1,0.1,4",)), tmp_path)
    billed = sum(entry.prompt * 1e-6 + entry.completion * 4e-6 for entry in server.ledger[-15:])  # 5 a problem, alike
    for point in curve(results, "majority").points:
        assert point.usd == pytest.approx(point.n / 5 * billed / 3)
    assert results.plan is not None
    for each, calls in zip(results.plan.strategies, (3, 12, 12), strict=True):
        assert each is not None
        assert (each.calls, each.usd) == (calls, pytest.approx(calls / 15 * billed))


async def test_queueing_and_retries_are_kept_beside_working_time(tmp_path: Path, serve: Serve) -> None:
    plain = serve(text=ANSWER, seconds=0.05)
    results = await run_study(study(plain, 2, 2), tmp_path / "plain")
    assert (results.waiting[0].retries, results.waiting[0].refused) == (0, {})
    server = serve(text=ANSWER, seconds=0.05)
    server.config.features -= {"models"}
    script = ["500", "429", "drop_body"]
    await run_study(study(server, 1, 2), tmp_path / "faults")
    server.configure(script=script)
    results = await run_study(study(server, 2, 2), tmp_path / "faults")
    (line,) = results.waiting
    assert (line.samples, line.retries, line.refused) == (6, 2, {"429": 1})
    assert line.queued_seconds > 0.1
    for seconds, retries in rows(tmp_path / "faults", "SELECT ended - started, retries FROM samples"):
        assert 0.05 <= seconds < 0.2, retries


async def test_prices_and_where_they_come_from_are_in_the_results(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    engine = EngineSpec(use=f"openai:{server.url}#m", price="1,1,4")
    results = await run_study(study(server, 2, 2, engine=(engine,), price=()), tmp_path)
    assert results.engines[0].price == "$1 in, $1 cached, $4 out per million tokens (as given)"
    unsaid = EngineSpec(use=engine.use)
    extended = await run_study(study(server, 3, 2, engine=(unsaid,), price=()), tmp_path)
    assert extended.engines[0].price == results.engines[0].price
    assert extended.tasks[0].curves[0].points[-1].usd


async def test_without_a_price_there_are_no_dollars_and_no_cap_on_them(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    results = await run_study(study(server, 2, 2, price=()), tmp_path / "unpriced")
    assert results.engines[0].price is None
    assert {line.usd for line in results.bought} == {None}
    server.configure()
    for cap in ({"budget": "usd=1"}, {"per_problem": "usd=1"}):
        with pytest.raises(ConfigError, match=r"no price of engine openai is known. Give one with --price"):
            await run_study(study(server, 2, 2, price=(), **cap), tmp_path / "capped")
    assert server.paths == []
