"""A study that asks for several samples in one call pays for a prompt once a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.study import run_study
from perpend.study.dry_run import forecast_study
from perpend.study.results import Results
from tests.engines.openai.fault_server import EVERYTHING, FaultServer
from tests.money.conftest import Serve, billed_usd, study
from tests.study.studies import bought_tokens, curve, rows

UNSEEDED = EVERYTHING - {"seeds"}
PRICE = ("4,1,8",)
FAULTS = {"429": 0.05, "500": 0.05, "drop_before": 0.03, "drop_body": 0.05, "fewer": 0.1, "no_usage": 0.03, "cut": 0.05}


def billed_samples(server: FaultServer, calls: int) -> tuple[int, int]:
    """Prompt and completion tokens of the last calls: probing comes before them."""
    entries = server.ledger[-calls:]
    return sum(entry.prompt for entry in entries), sum(entry.completion for entry in entries)


def bought_usd(results: Results) -> float:
    return sum(line.usd or 0.0 for line in results.bought)


async def test_sixteen_samples_cost_one_prompt_and_sixteen_completions(tmp_path: Path, serve: Serve) -> None:
    server = serve(features=UNSEEDED)
    results = await run_study(study(server, 4, 16, price=PRICE), tmp_path)
    assert [body.get("n", 1) for body in server.requests[-8:]].count(16) == 4
    (line,) = (line for line in results.bought if line.cause == "generator")
    assert (line.calls, line.prompt_tokens, line.completion_tokens) == (8, *billed_samples(server, 8))
    assert bought_tokens(results) == server.billed()
    assert bought_usd(results) == pytest.approx(sum(e.prompt * 4e-6 + e.completion * 8e-6 for e in server.ledger))
    usages = rows(tmp_path, "SELECT prompt_tokens, cached_tokens, choice FROM samples WHERE choice IS NOT NULL")
    assert len(usages) == 64
    assert all(cached == (prompt if choice else 0) for prompt, cached, choice in usages)


async def test_a_strategy_is_charged_the_one_prompt_that_was_billed(tmp_path: Path, serve: Serve) -> None:
    server = serve(features=UNSEEDED)
    results = await run_study(study(server, 3, 8, price=PRICE), tmp_path)
    assert results.plan is not None
    majority, plan = curve(results, "majority").points[-1], results.plan.strategies[1]
    assert plan is not None
    assert majority.usd == pytest.approx((plan.usd or 0.0) / 3)
    assert majority.tokens == pytest.approx(plan.tokens / 3)
    assert plan.calls == 3
    afterwards = await forecast_study(study(server, 3, 8, price=PRICE), tmp_path, keep=False)
    assert [line.cost for line in afterwards.strategies] == results.plan.strategies
    assert (afterwards.whole.calls, afterwards.left.calls) == (6, 0)


async def test_the_plan_stays_what_it_was_though_fewer_calls_were_made(tmp_path: Path, serve: Serve) -> None:
    server = serve(features=UNSEEDED)
    await run_study(study(server, 2, 8), tmp_path)
    again = await run_study(study(server, 2, 8), tmp_path)
    assert again.plan is not None
    assert again.plan.forecast.whole.calls == 2 * 9
    assert again.plan.actual.calls == 2 * 2
    assert rows(tmp_path, "SELECT COUNT(*) FROM forecasts") == [(1,)]


async def test_a_server_with_seeds_is_asked_for_choices_where_no_replay_is_wanted(tmp_path: Path, serve: Serve) -> None:
    server = serve()
    await run_study(study(server, 2, 4), tmp_path / "replayed")
    assert {body.get("n", 1) for body in server.requests[-10:]} == {1}
    await run_study(study(server, 2, 4, reproducible=False), tmp_path / "fast")
    assert sorted(body.get("n", 1) for body in server.requests[-4:]) == [1, 1, 4, 4]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
async def test_a_cap_holds_for_the_servers_ledger_under_faults(tmp_path: Path, serve: Serve, seed: int) -> None:
    server = serve(features=UNSEEDED)
    await run_study(study(server, 1, 1), tmp_path / "probed")
    server.configure(faults=FAULTS, seed=seed, fewest=12)
    results = await run_study(study(server, 60, 16, budget="usd=0.01", max_connections=64), tmp_path)
    assert results.how.stop_reason == "usd"
    assert billed_usd(server) <= bought_usd(results) + 1e-12
    assert bought_usd(results) <= 0.01
    assert max(body.get("n", 1) for body in server.requests) == 16
    again = await run_study(study(server, 60, 16, budget="usd=0.01", max_connections=64), tmp_path)
    assert billed_usd(server) <= bought_usd(again) + 1e-12 <= 0.01 + 1e-11
    samples = rows(tmp_path, "SELECT COUNT(*), COUNT(DISTINCT pool || '/' || \"index\") FROM samples")
    assert samples[0][0] == samples[0][1] > 0
