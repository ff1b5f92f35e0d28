"""An endpoint on loopback that bills, in a thread of its own, so that commands can be run against it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from perpend.study import EngineSpec, StudySpec, TaskSpec
from tests.cli.conftest import perpend
from tests.engines.openai.fault_server import FaultServer, running

__all__ = ["perpend"]

KEY = "sk-very-secret-0123456789"
PRICE = "0.5,0.5,8"
ANSWER = "The answer is 7."
Serve = Callable[..., FaultServer]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of one's own, a key, and no address."""
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("PERPEND_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that says what its configuration says."""
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(_served(**config))


@contextmanager
def _served(**config: Any) -> Iterator[FaultServer]:
    loop = asyncio.new_event_loop()
    started: Future[FaultServer] = Future()
    ended = asyncio.Event()

    async def main() -> None:
        async with running(**config) as server:
            started.set_result(server)
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    yield started.result(timeout=10)
    loop.call_soon_threadsafe(ended.set)
    thread.join()


def study(server: FaultServer, problems: int = 6, samples: int = 4, **more: Any) -> StudySpec:
    values: dict[str, Any] = {
        "task": (TaskSpec(use="arithmetic", limit=problems, max_tokens=16),),
        "engine": (EngineSpec(use=f"openai:{server.url}#m"),),
        "strategies": ("greedy", "majority", "coverage"),
        "samples": samples,
        "price": (PRICE,),
    }
    return StudySpec(**{**values, **more})


def flags(server: FaultServer, problems: int = 6, samples: int = 4) -> tuple[str, ...]:
    """The same on the command line, without a price."""
    return (
        "--task", "arithmetic", "--limit", str(problems), "--max-tokens", "16", "--samples", str(samples),
        "--strategies", "greedy,majority,coverage", "--engine", f"openai:{server.url}#m",
    )  # fmt: skip


def billed_usd(server: FaultServer) -> float:
    """What the server bills, its probes included."""
    return sum(entry.prompt * 0.5e-6 + entry.completion * 8e-6 for entry in server.ledger)
