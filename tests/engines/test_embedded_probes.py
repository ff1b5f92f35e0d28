"""Rules that look into traces, live on a real model: pieces, probes, cuts and budgets end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from perpend.core import Budget, Cause, MemoryRecorder, Result, Run, Scope, StopReason, World, perform
from perpend.engines.embedded import EmbeddedEngine
from perpend.strategies import STRATEGIES
from perpend.tasks import TASKS

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine()
    await engine.start()
    yield engine
    await engine.close()


async def answered(engine: EmbeddedEngine, written: str, scope: Scope, number: int = 0) -> Result:
    task = TASKS.build("arithmetic")
    problem = task.problems()[number]
    world = World({"embedded": engine}, {}, MemoryRecorder())
    run = Run(world, task, problem, task.render(problem, "few-shot"), scope)
    return await perform(STRATEGIES.build(written), run)


@pytest.mark.parametrize("written", ["parallel_probing(n=4, every=3, stand=9)", "confidence_momentum(n=4, every=3)"])
async def test_traces_grow_in_pieces_and_are_asked_on_the_way(engine: EmbeddedEngine, written: str):
    job = Scope(Budget(tokens=20_000))
    result = await answered(engine, written, job)
    assert result.answer is not None
    assert len(result.candidates) == job.spent.samples == 4
    assert result.charge[Cause.VERIFIER].usage.completion > 0
    assert job.spent.tokens <= 20_000
    assert all(sample.text.count("\n") == 0 for sample in result.candidates)  # each ends where a whole one would


async def test_a_capped_trace_is_made_to_answer(engine: EmbeddedEngine):
    result = await answered(engine, "capped_vote(n=4, depth=2)", Scope())
    assert all(sample.usage.completion <= 2 for sample in result.candidates)
    assert result.charge[Cause.VERIFIER].calls == 4
    assert result.answer is not None


async def test_a_majority_that_stands_cuts_the_rest(engine: EmbeddedEngine):
    result = await answered(engine, "parallel_probing(n=3, every=2, stand=1)", Scope())
    assert result.stop_reason is StopReason.ACCEPTED
    assert all(sample.usage.completion == 2 for sample in result.candidates)


async def test_a_timely_vote_ends_before_all_are_started(engine: EmbeddedEngine):
    result = await answered(engine, "timely_vote(n=32, confidence=0.6)", Scope())
    assert result.answer is not None
    assert len(result.candidates) < 32


async def test_a_budget_ends_it_with_what_there_is(engine: EmbeddedEngine):
    job = Scope(Budget(tokens=400))
    result = await answered(engine, "parallel_probing(n=4, every=3)", job)
    assert job.spent.tokens <= 400
    assert result.stop_reason is StopReason.TOKENS
