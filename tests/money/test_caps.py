"""A study on an endpoint: capped in dollars, whatever goes wrong, and small rather than biased."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.core import ConfigError
from perpend.report import formats
from perpend.report.page import render
from perpend.report.terminal import cost_line
from perpend.study import EngineSpec, reevaluate, run_study
from perpend.study.results import Results
from tests.money.conftest import ANSWER, PRICE, Serve, billed_usd, study
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


async def test_what_was_bought_before_a_price_was_known_counts_at_it(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    unpriced = await run_study(study(server, 3, 4, price=()), tmp_path)
    assert {(line.usd, line.unpriced_tokens > 0) for line in unpriced.bought} == {(None, True)}
    before = billed_usd(server)
    cap = f"usd={before * 1.05:.9f}"
    priced = await run_study(study(server, 9, 4, budget=cap), tmp_path)
    assert before <= bought_usd(priced) <= before * 1.05
    assert bought_usd(priced) == pytest.approx(billed_usd(server))
    assert priced.how.stop_reason == "usd"
    assert priced.tasks[0].problems == 3, "what is left of the cap buys no further problem"
    assert all(line.unpriced_tokens == 0 for line in priced.bought)
    more = await run_study(study(server, 4, 4, budget="usd=1"), tmp_path)
    assert bought_usd(more) == pytest.approx(billed_usd(server))


async def test_dollars_that_are_known_are_summed_and_the_rest_is_said_in_tokens(tmp_path: Path, serve: Serve) -> None:
    server, other = serve(text=ANSWER), serve(text=ANSWER)
    engines = tuple(EngineSpec(use=f"openai:{each.url}#m", name=name) for name, each in (("a", server), ("b", other)))
    results = await run_study(study(server, 2, 2, engine=engines, price=(f"a={PRICE}",)), tmp_path)
    assert results.plan is not None
    actual = results.plan.actual
    assert actual.usd == pytest.approx(billed_usd(server))
    assert actual.unpriced_tokens == other.billed()
    assert results.plan.forecast.whole.usd is not None
    assert 0 < results.plan.forecast.whole.unpriced_tokens < results.plan.forecast.whole.tokens
    without = f"for {formats.usd(actual.usd)} and {formats.number(other.billed())} tokens without a price"
    assert without in cost_line(results)
    assert without.removeprefix("for ") in render(results, [])


async def test_prompts_that_a_server_does_not_count_are_not_said_to_be_nothing(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER, features={"chat", "raw", "stream", "models"})
    (task,) = (await run_study(study(server, 2, 2), tmp_path)).tasks
    assert task.counts[0].prompt_tokens is None


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
