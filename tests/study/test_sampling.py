"""Sampling parameters that not every engine has: asked for by name, kept apart in the pool, and refused by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from perpend.core import ConfigError, EngineError
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
    server: FaultServer, tmp_path: Path, engine: str
) -> None:
    server.configure(server="other")
    asked = spec(thinking_tokens=64) if engine == "simulated" else study(server, thinking_tokens=64)
    with pytest.raises(EngineError, match="cannot bound the thinking of a chat prompt"):
        await run_study(asked, tmp_path / "s")
    assert rows(tmp_path / "s", "SELECT COUNT(*) FROM pools") == [(0,)]


async def test_a_question_is_asked_with_the_same_settings(server: FaultServer) -> None:
    sampling = Sampling(thinking_tokens=48)
    await solve("What is 3 + 4?", engine=f"openai:{server.url}#m", strategy="majority(n=2)", sampling=sampling)
    assert [body["thinking_token_budget"] for body in server.requests[-2:]] == [48, 48]
