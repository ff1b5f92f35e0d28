"""What finding out about a server costs: held and stored before each call, under the cap, and counted if it breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perpend.core import Cause, Charge, ConfigError, EngineError, Finish
from perpend.engines.openai import asking
from perpend.store import Store
from perpend.study import run_study
from perpend.study.solve import solve
from tests.cli.conftest import Perpend
from tests.engines.openai.fault_server import EVERYTHING, FaultServer
from tests.money.conftest import ANSWER, PRICE, Serve, billed_usd, study
from tests.signals import hear_ctrl_c
from tests.study.test_kill import RUN

FAULTS = {"429": 0.05, "500": 0.06, "drop_before": 0.05, "drop_body": 0.05, "cut": 0.05, "no_usage": 0.05}
CAP = 0.01


def charges(folder: Path) -> dict[Cause, Charge]:
    store = Store(folder, read_only=True)
    try:
        return dict(store.ledger().get("openai", {}))
    finally:
        store.close()


def booked_usd(folder: Path) -> float:
    return sum(charge.usd or 0.0 for charge in charges(folder).values())


def stop_reasons(folder: Path) -> list[str | None]:
    store = Store(folder, read_only=True)
    try:
        return [run.stop_reason for run in store.runs()]
    finally:
        store.close()


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 20))])
async def test_under_faults_the_cap_holds_and_covers_what_is_billed(tmp_path: Path, serve: Serve, seed: int) -> None:
    server = serve(faults=FAULTS, seed=seed)
    await run_study(study(server, 1, 1, strategies=("greedy",), budget=f"usd={CAP}"), tmp_path)
    assert billed_usd(server) <= booked_usd(tmp_path) + 1e-12
    assert booked_usd(tmp_path) <= CAP
    assert charges(tmp_path)[Cause.UNCERTAIN].usage.tokens > 0
    assert len(server.ledger) > 15


@pytest.mark.parametrize("fault", ["drop_before", "drop_body", "malformed"])
async def test_a_probe_that_fails_for_good_is_booked_and_counts_in_the_next_run(
    tmp_path: Path, serve: Serve, fault: str
) -> None:
    server = serve(script=["", "", fault, *[fault] * 400])
    capped = study(server, 1, 1, budget=f"usd={CAP}")
    with pytest.raises(EngineError, match="gives no usable answer"):
        await run_study(capped, tmp_path)
    broken = booked_usd(tmp_path)
    assert 0 < billed_usd(server) <= broken <= CAP
    assert charges(tmp_path)[Cause.UNCERTAIN].usage.tokens > 0
    assert charges(tmp_path)[Cause.OVERHEAD].usage.tokens == server.ledger[0].tokens + server.ledger[1].tokens
    assert "gives no usable answer" in (stop_reasons(tmp_path)[0] or "")
    server.config.script = []
    results = await run_study(capped, tmp_path)
    assert results.how.stop_reason == "complete"
    assert broken < booked_usd(tmp_path) <= CAP
    assert billed_usd(server) <= booked_usd(tmp_path) + 1e-12


async def test_what_broken_probes_cost_is_missing_from_the_cap(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "pause_before_retry", lambda *_: 0.0)
    server = serve(script=["drop_before"] * 10_000)
    capped = study(server, 1, 1, budget=f"usd={CAP}")
    for _ in range(100):
        with pytest.raises((EngineError, ConfigError)) as caught:
            await run_study(capped, tmp_path)
        if isinstance(caught.value, ConfigError):
            break
    assert "less than asking what engine openai can do may cost" in str(caught.value)
    asked = len(server.ledger)
    assert billed_usd(server) <= booked_usd(tmp_path) <= CAP
    with pytest.raises(ConfigError):
        await run_study(capped, tmp_path)
    assert len(server.ledger) == asked


@pytest.mark.parametrize("budget", ["usd=0.0001", "tokens=200"])
async def test_a_cap_below_what_a_probe_may_cost_is_refused_before_a_call(
    tmp_path: Path, serve: Serve, budget: str
) -> None:
    server = serve()
    with pytest.raises(ConfigError, match=rf"left of the budget \({budget}\) is less than .* Raise --budget"):
        await run_study(study(server, 1, 1, budget=budget), tmp_path)
    with pytest.raises(ConfigError, match="Raise --budget"):
        await solve("What is 3 + 4?", engine=f"openai:{server.url}#m", price=[PRICE], budget=budget)
    assert server.requests == []
    with pytest.raises(ConfigError, match="holds no study"):
        charges(tmp_path)


async def test_what_is_remembered_costs_nothing_and_needs_no_room(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    await run_study(study(server, 1, 1), tmp_path / "first")
    server.configure()
    await run_study(study(server, 1, 1, budget="usd=0.0005"), tmp_path / "second")
    assert 0 < len(server.ledger) <= 2
    assert Cause.OVERHEAD not in charges(tmp_path / "second")


def killed_while_probing(server: FaultServer, folder: Path, calls: int) -> None:
    """A study's process, ended once the server has begun so many calls."""
    begun = len(server.ledger)
    command = [sys.executable, "-c", RUN, folder]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
    deadline = time.monotonic() + 30
    while len(server.ledger) < begun + calls and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert len(server.ledger) >= begun + calls


async def test_a_kill_in_the_middle_leaves_calls_that_count_as_spent(tmp_path: Path, serve: Serve) -> None:
    folder, server = tmp_path / "s", serve(seconds=0.1, faults={"500": 0.1, "drop_before": 0.1})
    capped = study(server, 1, 1, strategies=("greedy",), budget="usd=0.05")
    folder.with_suffix(".toml").write_text(capped.to_toml())
    for calls in (1, 6, 12):
        killed_while_probing(server, folder, calls)
        assert billed_usd(server) <= booked_usd(folder)
        assert not (folder / "study.toml").exists(), "it was killed while it probed"
    broken = booked_usd(folder)
    server.config.seconds = 0.0
    await run_study(capped, folder)
    assert broken < booked_usd(folder) <= 0.05
    assert billed_usd(server) <= booked_usd(folder)
    assert stop_reasons(folder) == [None, None, None, "complete"]


def test_a_question_says_what_its_probe_cost(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = (
        "solve", "What is 3 + 4?", "--task", "arithmetic", "--engine", f"openai:{server.url}#m", "--price", PRICE,
        "--strategy", "majority(n=2)", "--max-tokens", "16", "--yes",
    )  # fmt: skip
    said = perpend(*ask).stdout
    probing = sum(entry.tokens for entry in server.ledger[:-2])
    again = perpend(*ask).stdout
    alone = json.loads(perpend(*ask, "--json").stdout)["tokens"]
    assert f"finding out what the server can do: {probing:,} tokens, $" in said
    assert f"2 samples, {alone + probing:,} tokens" in said
    assert f"2 samples, {alone:,} tokens" in again
    assert "finding out" not in again


async def test_probing_once_more_is_paid_for_like_the_first_time(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    await run_study(study(server, 1, 1), tmp_path / "first")
    server.configure(features=EVERYTHING - {"logprobs"})
    await run_study(study(server, 4, 4, budget=f"usd={CAP}"), tmp_path / "second")
    assert charges(tmp_path / "second")[Cause.OVERHEAD].usage.tokens > 100
    assert booked_usd(tmp_path / "second") == pytest.approx(billed_usd(server))
    store = Store(tmp_path / "second", read_only=True)
    assert store.count_samples() == 4 * 5
    assert {sample.finish for sample in store.samples()} == {Finish.STOP}
    store.close()


async def test_probing_once_more_needs_room_in_the_budget(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    await run_study(study(server, 1, 1), tmp_path / "first")
    server.configure(features=EVERYTHING - {"logprobs"})
    with pytest.raises(ConfigError, match="less than asking what engine openai can do may cost"):
        await run_study(study(server, 4, 4, budget="usd=0.001"), tmp_path / "second")
    assert server.ledger == []
    assert booked_usd(tmp_path / "second") <= 0.001


async def test_the_studys_connections_bound_the_calls_in_flight(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER)
    await run_study(study(server, 1, 1), tmp_path / "first")
    server.configure(seconds=0.02)
    await run_study(study(server, 3, 8, max_connections=3), tmp_path / "second")
    assert server.most_at_once == 3
