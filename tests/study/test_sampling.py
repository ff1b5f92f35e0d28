"""Sampling parameters that not every engine has: asked for by name, kept apart in the pool, and refused by name."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perpend.core import ConfigError, EngineError
from perpend.store import Store
from perpend.study import EngineSpec, StudySpec, TaskSpec, run_study
from perpend.study.solve import solve
from perpend.study.spec import Sampling
from tests.engines.openai.fault_server import FaultServer, running
from tests.study.studies import Watch, rows, spec


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[FaultServer]:
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path / "cache"))
    async with running(text="The answer is 7.") as fault_server:
        yield fault_server


def study(server: FaultServer, **more: Any) -> StudySpec:
    task = TaskSpec(use="arithmetic", limit=2, style="chat")
    engine = EngineSpec(use=f"openai:{server.url}#m")
    return StudySpec(
        **{"task": (task,), "engine": (engine,), "strategies": ("greedy", "majority"), "samples": 2, **more}
    )


async def test_every_call_of_a_study_bounds_thinking(server: FaultServer, tmp_path: Path) -> None:
    await run_study(study(server, thinking_tokens=64), tmp_path / "s")
    sent = [body["thinking_token_budget"] for body in server.requests[-6:]]
    assert sent == [64] * 6


async def test_another_thinking_budget_is_refused_with_the_difference_and_none_is_another_too(
    server: FaultServer, tmp_path: Path
) -> None:
    await run_study(study(server, thinking_tokens=64), tmp_path / "s")
    for now in (65, None):
        with pytest.raises(ConfigError, match=f"thinking_tokens: was 64, is now {now}"):
            await run_study(study(server, thinking_tokens=now), tmp_path / "s")
    watch = Watch()
    await run_study(study(server, thinking_tokens=64), tmp_path / "s", watch)
    assert watch.bought == []


@pytest.mark.parametrize("engine", ["simulated", "server"])
async def test_an_engine_that_cannot_bound_thinking_refuses_by_name_and_nothing_is_bought(
    server: FaultServer, tmp_path: Path, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.configure(server="other")
    asked = spec(thinking_tokens=64) if engine == "simulated" else study(server, thinking_tokens=64)
    with pytest.raises(EngineError, match="cannot bound the thinking of a chat prompt"):
        await run_study(asked, tmp_path / "s")
    assert rows(tmp_path / "s", "SELECT COUNT(*) FROM pools") == [(0,)]
    gc.collect()
    assert "never retrieved" not in caplog.text  # of the blocks that failed side by side


async def test_the_most_likely_tokens_are_kept_with_each_sample(server: FaultServer, tmp_path: Path) -> None:
    await run_study(study(server, logprobs=3), tmp_path / "s")
    store = Store(tmp_path / "s", read_only=True)
    samples = list(store.samples())
    store.close()
    assert len(samples) == 2 * 3
    assert {len(token.top) for sample in samples for token in sample.tokens or ()} == {3}


@pytest.mark.parametrize(("before", "now"), [(None, 3), (3, 5), (3, None)])
async def test_samples_with_other_log_probabilities_do_not_serve(
    server: FaultServer, tmp_path: Path, before: int | None, now: int | None
) -> None:
    await run_study(study(server, logprobs=before), tmp_path / "s")
    with pytest.raises(ConfigError, match=f"logprobs: was {before or 0}, is now {now or 0}"):
        await run_study(study(server, logprobs=now), tmp_path / "s")


async def test_a_folder_of_a_study_remembers_both(server: FaultServer, tmp_path: Path) -> None:
    asked = study(server, logprobs=3, thinking_tokens=64)
    await run_study(asked, tmp_path / "s")
    kept = StudySpec.load(tmp_path / "s" / "study.toml")
    watch = Watch()
    await run_study(kept.model_copy(update={"samples": 3}), tmp_path / "s", watch)
    assert len(watch.bought) == 2
    assert server.requests[-1]["top_logprobs"] == 3
    assert server.requests[-1]["thinking_token_budget"] == 64


async def test_a_question_is_asked_with_the_same_settings(server: FaultServer) -> None:
    sampling = Sampling(thinking_tokens=48, logprobs=2)
    answer = await solve("What is 3 + 4?", engine=f"openai:{server.url}#m", strategy="majority(n=2)", sampling=sampling)
    assert [body["thinking_token_budget"] for body in server.requests[-2:]] == [48, 48]
    assert {len(token.top) for sample in answer.candidates for token in sample.tokens or ()} == {2}
