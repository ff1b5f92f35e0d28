"""Every engine keeps the contract of `tests/engines/contract.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from perpend.core import Engine, Prompt, Request
from perpend.engines import ENGINES
from perpend.engines.replay import ReplayEngine
from perpend.engines.simulated import SimulatedEngine
from tests.engines.contract import CONTRACT, Case
from tests.engines.recordings import recording, request

QUESTION = Prompt(text="Q: What is 2 + 3?\nA:", max_tokens=24, temperature=0.8, stop=("\nQ:",))


async def simulated() -> Case:
    return Case(SimulatedEngine(), request())


async def paced() -> Case:
    return Case(SimulatedEngine(tokens_per_second=1000, pace=0.01), request())


async def replay() -> Case:
    engine: Engine = ReplayEngine(source=await recording())  # type: ignore[assignment]
    return Case(engine, request())


async def embedded() -> Case:
    return Case(ENGINES.build("embedded"), Request("arithmetic", "p-1", 0, QUESTION, seed=7))


@pytest.fixture(params=[simulated, paced, replay])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    made: Case = await request.param()
    await made.engine.start()
    yield made
    await made.engine.close()


@pytest.mark.parametrize("promise", CONTRACT, ids=lambda promise: promise.__name__)
async def test_an_engine(promise: Callable[[Case], Awaitable[None]], case: Case):
    await promise(case)


@pytest.mark.slow
async def test_the_embedded_engine():
    """All promises in one test, since it takes seconds to start."""
    case = await embedded()
    await case.engine.start()
    for promise in CONTRACT:
        await promise(case)
    await case.engine.close()
