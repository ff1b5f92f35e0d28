"""`kill -9` under faults: what is stored or reserved covers what the server bills, and nothing is bought twice."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from perpend.core import Cause
from perpend.engines.openai import OpenAIEngine
from perpend.store import Store
from tests.engines.openai.draw import PROBLEMS
from tests.engines.openai.fault_server import FaultServer

FAULTS = ("429", "500", "drop_before", "drop_body", "malformed", "cut", "empty", "null", "fewer", "no_usage", "length")
SAMPLES = 40


async def draw(server: FaultServer, folder: Path) -> asyncio.subprocess.Process:
    """The process that draws, when it has begun."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.engines.openai.draw", server.url, str(folder), str(SAMPLES)
    )
    while not server.ledger and process.returncode is None:  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.01)
    return process


def booked(folder: Path) -> int:
    store = Store(folder, read_only=True)
    try:
        return sum(charges.total.usage.tokens for charges in store.ledger().values())
    finally:
        store.close()


async def survives(server: FaultServer, folder: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    faults = {fault: rng.choice((0.0, 0.02, 0.05)) for fault in FAULTS}
    folder.mkdir()  # noqa: ASYNC240 (nothing else runs yet)
    server.configure(faults={}, seconds=0.0)
    engine = OpenAIEngine(f"{server.url}#m")
    await engine.start()  # probes the server, which no budget pays for
    await engine.close()
    server.configure(faults=faults, seed=seed, seconds=0.03)
    for _ in range(kills):
        process = await draw(server, folder)
        await asyncio.sleep(rng.uniform(0.0, 0.25))
        process.kill()
        await process.wait()
        await asyncio.sleep(0.05)
        assert booked(folder) >= server.billed()
    process = await draw(server, folder)
    assert await process.wait() == 0
    store = Store(folder, read_only=True)
    samples, bought = list(store.samples()), list(store.bought())
    store.close()
    assert Counter(s.problem for s in samples) == {str(number): SAMPLES for number in range(PROBLEMS)}
    assert len({(s.pool, s.index) for s in samples}) == len(samples)
    known = [b for b in bought if b.cause is Cause.GENERATOR]
    assert len(known) <= len(samples)
    assert sum(b.charge.usage.tokens for b in bought) >= server.billed()
    delivered = Counter(entry.tokens for entry in server.ledger if entry.delivered)
    assert not Counter(b.charge.usage.tokens for b in known) - delivered  # each at what the server billed


async def test_a_kill_loses_nothing_and_buys_nothing_twice(server: FaultServer, tmp_path: Path) -> None:
    await survives(server, tmp_path / "study", kills=1, seed=1)


@pytest.mark.slow
async def test_many_kills_lose_nothing_and_buy_nothing_twice(server: FaultServer, tmp_path: Path) -> None:
    for seed in range(5):
        await survives(server, tmp_path / str(seed), kills=3, seed=seed)
