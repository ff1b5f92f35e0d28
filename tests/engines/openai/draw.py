"""Draws samples into a store, in a process that a test may kill: `python -m tests.engines.openai.draw URL FOLDER N`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from perpend.core import Message, Problem, Prompt, Run, Scope, World
from perpend.engines.openai import OpenAIEngine
from perpend.store import Store
from tests.engines.openai.words import Words

PROBLEMS = 4


async def main(url: str, folder: Path, samples: int) -> None:
    store = Store(folder)
    store.begin_run("test", {}, {})
    store.close_reservations([])
    engine = OpenAIEngine(f"{url}#m", name="openai")
    await engine.start()
    world = World({"openai": engine}, {}, store)

    async def draw(problem: str) -> None:
        prompt = Prompt(messages=(Message("user", f"Say something about {problem}."),), max_tokens=16)
        run = Run(world, Words(), Problem(problem, "words", {}), prompt, Scope())  # type: ignore[arg-type]
        async for _ in run.sample(samples, at_once=16):
            pass
        await run.close()

    await asyncio.gather(*(draw(str(number)) for number in range(PROBLEMS)))
    await engine.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
