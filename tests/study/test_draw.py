"""Drawing under budgets, caps and failures: what is bought, what counts as complete, and what the figures rest on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perpend.core import EngineError, Generation, Request, RequestFailed, StoreError, TaskError, VerifierError
from perpend.engines.simulated import SimulatedEngine
from perpend.store import Store
from perpend.study import TaskSpec, problem_views, run_study
from perpend.study.resolve import visit_order
from perpend.tasks.simulated import Simulated
from perpend.verifiers.simulated import Simulated as SimulatedVerifier
from tests.study.studies import Watch, bought_calls, bought_tokens, curve, rows, spec


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tokens=st.integers(0, 12_000), connections=st.integers(1, 60))
async def test_tokens_are_never_overshot(
    tmp_path_factory: pytest.TempPathFactory, tokens: int, connections: int
) -> None:
    budget = f"tokens={tokens}"
    folder = tmp_path_factory.mktemp("study")
    results = await run_study(spec(budget=budget, max_connections=connections), folder)
    assert bought_tokens(results) <= tokens
    done = results.tasks[0].problems
    order = [problem.id for problem in visit_order(Simulated(12).problems(), 0)]
    assert [view.id for view in problem_views(folder)] == order[:done]
    assert results.how.stop_reason == ("complete" if done == 12 else "tokens")
    again = Watch()
    await run_study(spec(budget=budget, max_connections=connections), folder, again)
    assert bought_tokens(await run_study(spec(budget=budget), folder)) <= tokens


async def test_a_spent_budget_buys_nothing_more_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    first = await run_study(spec(budget="tokens=6000"), tmp_path)
    assert 0 < first.tasks[0].problems < 12
    watch = Watch()
    second = await run_study(spec(budget="tokens=6000"), tmp_path, watch)
    assert (watch.bought, second.tasks) == ([], first.tasks)
    third = await run_study(spec(budget="tokens=1000000"), tmp_path, watch)
    whole = await run_study(spec(), tmp_path / "whole")
    assert third.tasks == whole.tasks
    assert bought_calls(third) == bought_calls(whole) == 12 * 7


async def test_samples_buy_whole_blocks_and_nothing_else(tmp_path: Path) -> None:
    results = await run_study(spec(budget="samples=40"), tmp_path)
    assert rows(tmp_path, "SELECT COUNT(*) FROM samples") == [(35,)]
    assert (results.tasks[0].problems, results.how.stop_reason) == (5, "samples")


async def test_seconds_are_summed_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = spec(problems=40, samples=2, engine="simulated(pace=0.1)", max_connections=3, budget="seconds=1.2")
    results = await run_study(slow, tmp_path)
    assert results.how.stop_reason == "seconds"
    assert results.how.seconds < 1.6
    assert 0 < results.tasks[0].problems < 40
    watch = Watch()
    again = await run_study(slow, tmp_path, watch)
    assert (watch.bought, again.tasks) == ([], results.tasks)


async def test_dollars_are_never_overshot(tmp_path: Path) -> None:
    results = await run_study(spec(budget="usd=0.008", price="1,0,2"), tmp_path)
    (line,) = (line for line in results.bought if line.cause == "generator")
    assert line.usd == pytest.approx(line.prompt_tokens * 1e-6 + line.completion_tokens * 2e-6)
    assert sum(line.usd or 0 for line in results.bought) <= 0.008
    assert results.how.stop_reason == "usd"
    last = curve(results, "majority").points[-1]
    assert last.usd == pytest.approx(6 * 3e-6 + 2e-6 * (last.tokens - 3)), "it caches no prompt"


async def test_a_problem_that_hits_its_own_cap_is_complete_with_what_it_has(tmp_path: Path) -> None:
    results = await run_study(spec(per_problem="samples=4"), tmp_path)
    assert results.tasks[0].problems == 12
    assert results.how.stop_reason == "complete"
    assert {len(view.samples) for view in problem_views(tmp_path)} == {4}
    assert {reason for (reason,) in rows(tmp_path, "SELECT stop_reason FROM blocks")} == {b"samples"}
    points = curve(results, "coverage").points
    assert points[-1].samples <= 4
    assert points[-1].accuracy == points[3].accuracy


@pytest.mark.parametrize("cap", ["tokens=2500", "samples=3"])
async def test_a_cap_of_each_problem_holds_over_restarts(tmp_path: Path, cap: str) -> None:
    capped = spec(problems=6, per_problem=cap, max_connections=2)
    for asked in (2, 5):  # broken off in the middle of a block, twice
        with pytest.MonkeyPatch.context() as patch:
            seen: list[Request] = []
            refusing(
                patch, lambda request, seen=seen, asked=asked: seen.append(request) or len(seen) > asked, EngineError
            )
            with pytest.raises(EngineError):
                await run_study(capped, tmp_path)
    await run_study(capped, tmp_path)
    await run_study(capped.model_copy(update={"samples": 12}), tmp_path)
    store = Store(tmp_path, read_only=True)
    spent = Counter({problem: count for (_, problem), count in store.problem_counts().items()})
    if "tokens" in cap:
        spent = Counter()
        for each in store.bought():
            spent[each.problem] += each.charge.usage.tokens
    store.close()
    assert len(spent) == 6
    assert max(spent.values()) <= int(cap.partition("=")[2])


async def test_a_cap_below_any_sample_leaves_problems_wrong_and_free(tmp_path: Path) -> None:
    results = await run_study(spec(per_problem="tokens=10"), tmp_path)
    assert results.tasks[0].problems == 12
    assert {point.accuracy for c in results.tasks[0].curves for point in c.points} == {0.0}
    assert curve(results, "majority").points[-1].cost_per_correct.tokens.value is None


async def test_a_problem_without_a_single_sample_counts_as_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = visit_order(Simulated(12).problems(), 0)[0].id
    whole = await run_study(spec(), tmp_path / "whole")
    refusing(monkeypatch, lambda request: request.problem_id == lost)
    results = await run_study(spec(), tmp_path / "some")
    task = results.tasks[0]
    assert task.problems == 12
    assert task.counts[0].failed == pytest.approx(1 / 12)
    (failure,) = task.failures
    assert (failure.samples, failure.problems, failure.problems_total) == (7, [lost], 1)
    (named,) = [finding.sentence for finding in results.findings if "failed for good" in finding.sentence]
    assert f"7 samples of simulated failed for good ({failure.error.rstrip('.')}), on problem {lost}" in named
    points = curve(results, "majority").points
    assert points[-1].accuracy <= curve(whole, "majority").points[-1].accuracy
    assert points[-1].device_seconds is not None
    assert points[-1].cost_per_correct.tokens.value is not None


def refusing(monkeypatch: pytest.MonkeyPatch, which: Any, error: type[EngineError] = RequestFailed) -> None:
    plain = SimulatedEngine.generate

    def generate(self: SimulatedEngine, request: Request) -> Generation:
        if not which(request):
            return plain(self, request)

        async def refused() -> Any:
            raise error("The context is too long.")
            yield

        return Generation(refused())

    monkeypatch.setattr(SimulatedEngine, "generate", generate)


async def test_requests_that_fail_by_chance_are_kept_and_counted(tmp_path: Path) -> None:
    results = await run_study(spec(problems=30, engine="simulated(failures=0.2)"), tmp_path)
    assert results.tasks[0].problems == 30
    assert 0.1 < results.tasks[0].counts[0].failed < 0.3
    assert all(point.device_seconds is not None for c in results.tasks[0].curves for point in c.points)


async def test_an_engine_that_is_lost_ends_the_study_and_leaves_it_resumable(tmp_path: Path) -> None:
    whole = await run_study(spec(), tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        seen: list[Request] = []
        refusing(patch, lambda request: seen.append(request) or len(seen) > 30, EngineError)
        with pytest.raises(EngineError, match="context is too long"):
            await run_study(spec(max_connections=7), tmp_path / "s")
    assert rows(tmp_path / "s", "SELECT stop_reason FROM run_ends") == [(b"The context is too long.",)]
    results = await run_study(spec(), tmp_path / "s")
    assert results.tasks == whole.tasks
    assert results.how.stop_reason == "complete"


async def test_a_verifier_that_breaks_ends_the_study_and_costs_no_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        async def broken(self: Any, problem: Any, samples: Any, run: Any) -> Any:
            raise VerifierError("It crashed.", "Mend it.")

        patch.setattr(SimulatedVerifier, "score", broken)
        with pytest.raises(VerifierError, match="It crashed"):
            await run_study(spec(), tmp_path)
    before = rows(tmp_path, "SELECT COUNT(*) FROM samples")[0][0]
    watch = Watch()
    results = await run_study(spec(), tmp_path, watch)
    assert results.tasks[0].problems == 12
    assert len(watch.bought) == 12 * 7 - before


async def test_an_engine_that_cannot_start_is_closed_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    async def start(self: SimulatedEngine, purse: object) -> None:
        raise EngineError("It is not there.")

    async def close(self: SimulatedEngine) -> None:
        closed.append(self.name)

    monkeypatch.setattr(SimulatedEngine, "start", start)
    monkeypatch.setattr(SimulatedEngine, "close", close)
    with pytest.raises(EngineError, match="It is not there"):
        await run_study(spec(), tmp_path)
    assert closed == ["simulated"]
    assert not (tmp_path / "study.toml").exists()


async def test_a_full_disk_ends_it_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perpend.store import store as module

    class Small(module.Database):
        def __init__(self, path: Path, *, read_only: bool = False) -> None:
            super().__init__(path, read_only=read_only)
            self.query("PRAGMA max_page_count = 40")

    with monkeypatch.context() as patch:
        patch.setattr(module, "Database", Small)
        with pytest.raises(StoreError, match="is full"):
            await run_study(spec(), tmp_path)
    results = await run_study(spec(), tmp_path)
    assert bought_calls(results) >= 12 * 7
    assert results.tasks == (await run_study(spec(), tmp_path / "whole")).tasks


async def test_results_that_cannot_be_written_are_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(StoreError, match=r"results\.json cannot be written"):
        await run_study(spec(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        await run_study(spec(), tmp_path / "file")


async def test_problems_that_cannot_be_graded_are_refused_before_anything_is_bought(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "?"}\n')
    with pytest.raises(TaskError, match=r"1 of 1 problems of task jsonl have no answer"):
        await run_study(spec(task=(TaskSpec(use=f"jsonl:{tmp_path}/mine.jsonl"),)), tmp_path / "s")
    assert rows(tmp_path / "s", "SELECT name FROM sqlite_schema") == [] if (tmp_path / "s/traces.db").exists() else True


async def test_connections_bound_what_is_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flying, most = [0], [0]
    plain = SimulatedEngine._choice

    async def choice(self: SimulatedEngine, *args: Any) -> Any:
        flying[0] += 1
        most[0] = max(most[0], flying[0])
        async for item in plain(self, *args):
            yield item
        flying[0] -= 1

    monkeypatch.setattr(SimulatedEngine, "_choice", choice)
    await run_study(spec(problems=2, samples=30, strategies=("majority",), max_connections=4), tmp_path)
    assert most[0] == 4


@pytest.mark.parametrize("strategies", [("greedy", "majority"), ("majority", "greedy")])
async def test_under_a_cap_of_each_problem_the_order_of_strategies_starves_none(
    tmp_path: Path, strategies: tuple[str, ...]
) -> None:
    results = await run_study(spec(strategies=strategies, samples=16, per_problem="samples=8"), tmp_path)
    curves = {curve.strategy: curve.points for curve in results.tasks[0].curves}
    assert curves["greedy"][0].samples == 1
    assert curves["majority"][-1].samples == 7
    assert any("the cap of each problem" in finding.sentence for finding in results.findings)
