"""A fault server on loopback, and engines that talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from perpend.core import Completion, Delta, Message, Prompt, Request
from perpend.engines.openai import OpenAIEngine
from tests.engines.openai.fault_server import FaultServer, running

KEY = "sk-very-secret-0123456789"
Start = Callable[..., Awaitable[OpenAIEngine]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of one's own, and a key."""
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("PERPEND_API_KEY", raising=False)


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with running() as fault_server:
        yield fault_server


@pytest.fixture
async def start(server: FaultServer) -> AsyncIterator[Start]:
    """Starts engines for the server, probes them without faults, and closes them in the end."""
    engines: list[OpenAIEngine] = []

    async def begin(target: str = "", **options: Any) -> OpenAIEngine:
        engine = OpenAIEngine(target or f"{server.url}#m", **options)
        engines.append(engine)
        await engine.start()
        server.configure()
        return engine

    yield begin
    for engine in engines:
        await engine.close()


def chat(text: str = "what is one and one", **sampling: Any) -> Prompt:
    return Prompt(messages=(Message("user", text),), **sampling)


def request(prompt: Prompt | None = None, **fields: Any) -> Request:
    return Request(**{"task": "t", "problem_id": "p", "index": 0, "seed": 7, "prompt": prompt or chat()} | fields)


async def ask(engine: OpenAIEngine, wanted: Request | None = None) -> list[Completion]:
    """The completions, sorted by choice."""
    items = [item async for item in engine.generate(wanted or request())]
    return sorted((item for item in items if isinstance(item, Completion)), key=lambda c: c.choice)


async def only(engine: OpenAIEngine, wanted: Request | None = None) -> Completion:
    (completion,) = await ask(engine, wanted)
    return completion


async def deltas(engine: OpenAIEngine, wanted: Request | None = None) -> list[Delta]:
    return [item async for item in engine.generate(wanted or request()) if isinstance(item, Delta)]


async def until(true: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 (what it waits for has no event)
            await asyncio.sleep(0.002)
