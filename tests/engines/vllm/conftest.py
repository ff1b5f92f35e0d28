"""A machine on which the `vllm` command is a stand-in that calls itself a CPU build."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perpend.engines.vllm import VllmEngine

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of one's own, a stand-in on the PATH, and a user's key that is none of the server's business."""
    command = tmp_path / "bin" / "vllm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.engines.vllm.stand_in "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user-0123456789")


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Starts engines, and closes them in the end."""
    engines: list[VllmEngine] = []

    async def begin(model: str = "m", **options: Any) -> VllmEngine:
        engines.append(VllmEngine(model, **options))
        await engines[-1].start()
        return engines[-1]

    yield begin
    for engine in engines:
        await engine.close()


def members(group: int) -> dict[int, str]:
    """The living processes of a group, with their names."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = stat.read_text().rpartition(")")
        except OSError:  # it ended meanwhile
            continue
        state, _, its_group = after.split()[:3]
        if int(its_group) == group and state != "Z":
            found[int(stat.parent.name)] = before.partition("(")[2]
    return found


def environment_of(pid: int) -> dict[str, str]:
    """What a process was given."""
    pairs = (each.partition("=") for each in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return {name: value for name, _, value in pairs}


def command_line_of(pid: int) -> str:
    """What anyone may read of how a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_text()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something has happened to other processes."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 (what it waits for has no event)
            await asyncio.sleep(0.02)
