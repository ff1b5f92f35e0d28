"""What an engine spends on no sample: a line of its own in what was bought, and in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.core import Charge, EngineError, Request, Usage
from perpend.engines.simulated import SimulatedEngine
from perpend.report import render
from perpend.store import Store
from perpend.study import load_results, reevaluate, run_study
from perpend.study.admission import histories
from perpend.study.results import LedgerLine, Results
from tests.study.studies import rows, spec

PRICE = ("1,1,4",)
PROBED = Charge(Usage(prompt=10, completion=5), device_seconds=1.0)


@pytest.fixture
def spending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated engines that probe, and fill their batch up with three tokens a request."""
    asked: dict[int, int] = {}
    generate = SimulatedEngine.generate

    def overhead(self: SimulatedEngine) -> Charge:
        fillers = asked.get(id(self), 0)
        return PROBED + Charge(Usage(completion=3 * fillers), device_seconds=0.5 * fillers)

    def counting(self: SimulatedEngine, request: Request) -> object:
        asked[id(self)] = asked.get(id(self), 0) + 1
        return generate(self, request)

    monkeypatch.setattr(SimulatedEngine, "overhead", property(overhead))
    monkeypatch.setattr(SimulatedEngine, "generate", counting)
    monkeypatch.setattr(SimulatedEngine, "peak_cache_bytes", 2_000_000, raising=False)


def overhead(results: Results) -> LedgerLine:
    (line,) = [line for line in results.bought if line.cause == "overhead"]
    return line


def samples_only(results: Results) -> list[LedgerLine]:
    return [line for line in results.bought if line.cause != "overhead"]


async def test_it_is_a_line_with_tokens_seconds_flops_and_dollars(tmp_path: Path, spending: None) -> None:
    results = await run_study(spec(2, 3, price=PRICE), tmp_path)
    line, calls = overhead(results), 2 * 4
    assert (line.calls, line.prompt_tokens, line.completion_tokens) == (0, 10, 5 + 3 * calls)
    assert line.device_seconds == 1.0 + 0.5 * calls
    assert line.usd == pytest.approx((10 * 1 + (5 + 3 * calls) * 4) / 1e6)
    assert line.flops == pytest.approx(2 * 135e6 * (15 + 3 * calls), rel=0.01)
    assert overhead(await reevaluate(tmp_path)) == line
    assert overhead(load_results(tmp_path)) == line
    assert results.engines[0].peak_cache_bytes == 2_000_000


async def test_it_adds_up_over_runs_and_each_is_booked_once(tmp_path: Path, spending: None) -> None:
    await run_study(spec(2, 3), tmp_path)
    again = overhead(await run_study(spec(2, 5), tmp_path))
    assert (again.prompt_tokens, again.completion_tokens) == (20, 10 + 3 * 2 * 6)


async def test_it_is_in_no_budget_no_history_and_no_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capped = spec(budget="tokens=6000")
    plain = await run_study(capped, tmp_path / "plain")
    monkeypatch.setattr(SimulatedEngine, "overhead", Charge(Usage(completion=100_000), device_seconds=1.0))
    results = await run_study(capped, tmp_path / "spending")
    assert overhead(results).completion_tokens == 100_000
    assert (results.tasks, samples_only(results)) == (plain.tasks, samples_only(plain))
    again = await run_study(capped, tmp_path / "spending")
    assert (again.tasks, samples_only(again)) == (plain.tasks, samples_only(plain))
    store = Store(tmp_path / "spending")
    assert {task for task, _ in histories(store, {})} == {"simulated"}
    assert sum(each.spent.tokens for each in histories(store, {}).values()) <= 6000
    assert store.close_reservations(["simulated"]) == 0
    store.close()


async def test_it_is_booked_where_a_run_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: SimulatedEngine, request: Request) -> object:
        monkeypatch.setattr(SimulatedEngine, "overhead", PROBED + PROBED)
        raise EngineError("The engine is lost.")

    monkeypatch.setattr(SimulatedEngine, "overhead", PROBED)
    monkeypatch.setattr(SimulatedEngine, "generate", lost)
    with pytest.raises(EngineError):
        await run_study(spec(2, 3), tmp_path)
    booked = rows(tmp_path, "SELECT pool, cause FROM reservations JOIN settlements ON reservation = id WHERE pool = ''")
    assert booked == [(b"", b"overhead")] * 2, "when it began, and when it ended"


async def test_the_report_has_it_and_the_memory(tmp_path: Path, spending: None) -> None:
    results = await run_study(spec(2, 3), tmp_path)
    (engine,) = results.engines
    held = engine.model_copy(update={"cache_bytes": 2_147_212_800, "cache_tokens": 31_392})
    page = render(results.model_copy(update={"engines": [held]}), [])
    assert "<td>overhead</td>" in page
    assert "<em>overhead</em> is no sample's" in page
    assert "2\u202fMB at the peak" in page
    assert "at most 2.15\u202fGB (31,392 tokens)" in page
