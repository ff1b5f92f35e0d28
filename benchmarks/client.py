"""What the HTTP engine costs: 64 problems × 16 samples from a server that takes 50 ms, without faults and with them.

Run `python benchmarks/client.py`. Goals: at most 0.3 ms of CPU a request (a bare aiohttp loop: 0.19), and a wall time
of at most 1.25 times the ideal over 64 connections, 1.6 times with 10 % of 429 and 500 and 5 % of dropped connections;
nothing lost, nothing doubled. The server runs in a process of its own. Ends with one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from perpend.core import (
    CallLost,
    MemoryRecorder,
    Message,
    Problem,
    Prompt,
    Request,
    Run,
    Sample,
    Scope,
    World,
)
from perpend.engines.openai import OpenAIEngine

ROOT = Path(__file__).parents[1]
PROBLEMS, SAMPLES, SECONDS, CONNECTIONS, REPEATS = 64, 16, 0.05, 64, 5
REQUESTS = PROBLEMS * SAMPLES
IDEAL = REQUESTS / CONNECTIONS * SECONDS
PLAIN: dict[str, Any] = {"faults": {}, "seconds": SECONDS, "numbered": True}
FAULTY = PLAIN | {"faults": {"429": 0.05, "500": 0.05, "drop_before": 0.025, "drop_body": 0.025}}


@dataclass
class Cost:
    """Of all requests: milliseconds of this process's CPU each, and wall time over the ideal."""

    cpu_ms: float
    wall_ratio: float


def main() -> None:
    with server() as url, tempfile.TemporaryDirectory() as cache:
        os.environ["PERPEND_CACHE"], os.environ["OPENAI_API_KEY"] = cache, "sk-benchmark-0123456789"
        asyncio.run(measure(url))


async def measure(url: str) -> None:
    bare = await repeated("bare aiohttp", url, lambda: bare_loop(url))
    official = await repeated("openai client", url, lambda: official_client(url))
    async with started(url) as engine:
        ours = await repeated("perpend's engine", url, lambda: drawn(engine))
    async with started(url) as engine:
        faults = await repeated("the same with faults", url, lambda: drawn(engine), FAULTY)
    checks = [await accounted(url, seed) for seed in range(REPEATS)]
    figures: dict[str, Any] = {
        "cpu_ms": round(ours.cpu_ms, 3),
        "bare_cpu_ms": round(bare.cpu_ms, 3),
        "openai_cpu_ms": round(official.cpu_ms, 3),
        "bare_wall_ratio": round(bare.wall_ratio, 2),
        "wall_ratio": round(ours.wall_ratio, 2),
        "wall_ratio_faults": round(faults.wall_ratio, 2),
        "lost": sum(one["lost"] for one in checks),
        "doubled": sum(one["doubled"] for one in checks),
        "usage_equal": all(one["usage_equal"] and one["charged"] for one in checks),
    }
    print(json.dumps(figures))


async def repeated(name: str, url: str, work: Callable[[], Awaitable[None]], config: Mapping[str, Any] = PLAIN) -> Cost:
    """The best of some runs: what else goes on here only adds."""
    costs = []
    for seed in range(REPEATS):
        await configure(url, {**config, "seed": seed})
        cpu, wall = time.process_time(), time.perf_counter()
        await work()
        seconds = time.perf_counter() - wall
        costs.append(Cost((time.process_time() - cpu) * 1000 / REQUESTS, seconds / IDEAL))
    cost = Cost(*(min(getattr(c, field) for c in costs) for field in ("cpu_ms", "wall_ratio")))
    print(f"{name:<24}{cost.cpu_ms:9.3f} ms   wall {cost.wall_ratio:5.2f} × ideal", flush=True)
    return cost


async def bare_loop(url: str) -> None:
    """The least that any client could do."""
    todo = iter(range(REQUESTS))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def work() -> None:
            for index in todo:
                body = {"model": "m", "messages": [{"role": "user", "content": question(index)}], "max_tokens": 64}
                async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                    reply = await response.json()
                    assert reply["choices"][0]["message"]["content"]

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def official_client(url: str) -> None:
    from openai import AsyncOpenAI

    todo = iter(range(REQUESTS))
    async with AsyncOpenAI(base_url=f"{url}/v1") as client:

        async def work() -> None:
            for index in todo:
                reply = await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": question(index)}], max_tokens=64
                )
                assert reply.choices[0].message.content

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


@asynccontextmanager
async def started(url: str) -> AsyncIterator[OpenAIEngine]:
    """The engine, probed without faults."""
    await configure(url, PLAIN)
    engine = OpenAIEngine(f"{url}/v1#m", max_connections=CONNECTIONS)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


async def drawn(engine: OpenAIEngine) -> None:
    """All requests at once; the engine decides how many are in flight. What is lost is asked for again."""

    async def one(index: int) -> str:
        problem, sample = divmod(index, SAMPLES)
        prompt = Prompt(messages=(Message("user", question(index)),), max_tokens=64)
        for attempt in itertools.count():
            request = Request("bench", str(problem), sample, prompt, seed=index, attempt=attempt)
            try:
                return [item.text async for item in engine.generate(request)][-1]
            except CallLost as lost:
                if lost.retry_seconds is None:
                    raise
                await asyncio.sleep(lost.retry_seconds)
        raise AssertionError

    texts = await asyncio.gather(*(one(index) for index in range(REQUESTS)))
    assert len(set(texts)) == REQUESTS  # every text ends with a number of its own


async def accounted(url: str, seed: int) -> dict[str, Any]:
    """The same through Run, which pays for what is lost, held against the server's ledger."""
    recorder = MemoryRecorder()

    async def one(world: World, number: int) -> list[Sample]:
        prompt = Prompt(messages=(Message("user", question(number * SAMPLES)),), max_tokens=64)
        run = Run(world, Bench(), Problem(str(number), "bench", {}), prompt, Scope())
        return [sample async for sample in run.sample(SAMPLES, at_once=SAMPLES)]

    async with started(url) as engine:
        await configure(url, {**FAULTY, "seed": seed})
        world = World({"openai": engine}, {}, recorder)
        lists = await asyncio.gather(*(one(world, number) for number in range(PROBLEMS)))
        return check([sample for samples in lists for sample in samples], recorder, await ledger(url))


class Bench:
    """A task without answers."""

    name = fingerprint = "bench"
    style, grader = "chat", "exact"
    styles: tuple[str, ...] = ("chat",)
    deployable_check = False

    def problems(self) -> list[Problem]:
        return []

    def render(self, problem: Problem, style: str) -> Prompt:
        raise NotImplementedError

    def extract(self, text: str) -> str | None:
        return text[-4:]

    def canonical(self, answer: str) -> str | None:
        return answer

    def check(self, problem: Problem, answer: str) -> bool | None:
        raise NotImplementedError


def check(samples: list[Sample], recorder: MemoryRecorder, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Hold what arrived, and what was booked, against the server's ledger."""
    billed = {entry["number"]: entry for entry in entries}
    numbers = [int(sample.text.rpartition("#")[2]) for sample in samples]
    equal = all(s.usage.tokens == tokens(billed[number]) for s, number in zip(samples, numbers, strict=True))
    delivered = {number for number, entry in billed.items() if entry["delivered"]}
    booked = recorder.bought.total.usage.tokens
    return {
        "lost": REQUESTS - len(samples) + len(delivered - set(numbers)),
        "doubled": len(numbers) - len(set(numbers)),
        "usage_equal": equal,
        "charged": booked >= sum(tokens(entry) for entry in entries),
    }


def tokens(entry: dict[str, Any]) -> int:
    return int(entry["prompt"] + entry["completion"])


def question(index: int) -> str:
    return f"Problem {index // SAMPLES}: " + "what is the sum of the first numbers? " * 20


async def configure(url: str, config: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/configure", json=config) as response:
        await response.read()


async def ledger(url: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/ledger") as response:
        entries: list[dict[str, Any]] = (await response.json())["entries"]
        return entries


@contextmanager
def server() -> Iterator[str]:
    """The fault server, in a process of its own."""
    command = [sys.executable, "-m", "tests.engines.openai.fault_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
