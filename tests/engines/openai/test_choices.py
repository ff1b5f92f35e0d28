"""Several samples in one call to a server, whatever goes wrong: its ledger has a prompt a call, and so has ours."""

from __future__ import annotations

import random

import pytest

from perpend.core import Budget, Cause, Message, Price, Problem, Prompt, Run, Sample, Scope, World
from perpend.core.recorder import MemoryRecorder
from perpend.engines.openai import OpenAIEngine
from tests.engines.openai.conftest import Start
from tests.engines.openai.fault_server import EVERYTHING, FaultServer
from tests.engines.openai.words import Words

UNSEEDED = EVERYTHING - {"seeds"}
FAULTS = (
    "429", "500", "drop_before", "drop_body", "malformed", "cut", "empty", "null", "duplicate", "fewer", "no_usage",
    "length", "filter", "no_done",
)  # fmt: skip
EXAMPLES = " ".join(f"example {number} of many" for number in range(250))
"""A thousand tokens of few-shot prompt, by the fault server's count."""


@pytest.fixture
async def engine(server: FaultServer, start: Start) -> OpenAIEngine:
    server.configure(features=UNSEEDED)
    return await start(attempts=20)


def run(engine: OpenAIEngine, scope: Scope | None = None, problem: str = "p", price: Price | None = None) -> Run:
    prompt = Prompt(messages=(Message("user", f"Say something about {problem}."),), max_tokens=16)
    prices = {} if price is None else {"openai": price}
    world = World({"openai": engine}, {}, MemoryRecorder(), prices=prices)
    return Run(world, Words(), Problem(problem, "words", {}), prompt, scope or Scope())  # type: ignore[arg-type]


async def draw(drawing: Run, n: int) -> list[Sample]:
    try:
        return [sample async for sample in drawing.sample(n, at_once=64, together=True)]
    finally:
        await drawing.close()


def recorder(drawing: Run) -> MemoryRecorder:
    kept = drawing._world.recorder
    assert isinstance(kept, MemoryRecorder)
    return kept


async def test_a_server_probed_with_n_gives_choices(engine: OpenAIEngine, server: FaultServer, start: Start) -> None:
    assert (engine.caps.choices, engine.caps.seeds) == (True, False)
    server.configure(features=UNSEEDED - {"n"}, context=4095)
    assert (await start()).caps.choices is False


async def test_sixteen_samples_bill_one_prompt(engine: OpenAIEngine, server: FaultServer) -> None:
    drawing = run(engine, problem=EXAMPLES)
    samples = await draw(drawing, 16)
    (entry,) = server.ledger
    assert len(samples) == len({s.index for s in samples}) == 16
    usage = recorder(drawing).bought.total.usage
    assert (usage.prompt, usage.completion) == (entry.prompt, entry.completion)
    assert entry.prompt > 1000
    assert usage.tokens == entry.prompt + sum(s.usage.completion for s in samples)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("trial", range(12))
async def test_our_ledger_covers_the_servers_under_faults(
    engine: OpenAIEngine, server: FaultServer, trial: int, streamed: bool
) -> None:
    rng = random.Random(trial)
    server.configure(faults={fault: rng.choice((0.0, 0.02, 0.06)) for fault in FAULTS}, seed=trial)
    engine._stream = streamed
    price = Price(input=1e-6, cached=1e-7, output=4e-6)
    drawing = run(engine, Scope(Budget(usd=0.01)), f"{trial}", price)
    samples = await draw(drawing, 100)
    bought = recorder(drawing).bought.total
    billed = sum(entry.prompt * price.input + entry.completion * price.output for entry in server.ledger)
    assert server.billed() <= bought.usage.tokens
    assert billed <= (bought.usd or 0.0) + 1e-12
    assert (bought.usd or 0.0) <= 0.01
    assert sorted(s.index for s in samples) == list(range(100))
    assert len(server.requests) < 40, "together, also where calls break"
    if all(entry.delivered for entry in server.ledger):
        assert server.billed() == bought.usage.tokens


@pytest.mark.parametrize("fault", ["drop_body", "cut"])
async def test_what_was_complete_when_a_call_broke_is_kept(
    engine: OpenAIEngine, server: FaultServer, fault: str
) -> None:
    server.configure(script=[fault], numbered=True)
    engine._stream = True
    drawing = run(engine)
    samples = await draw(drawing, 16)
    rest = server.requests[1]["n"]
    assert [body["n"] for body in server.requests] == [16, rest]
    assert 0 < rest < 16
    assert [s.text.split()[-1] for s in samples] == ["#0"] * (16 - rest) + ["#1"] * rest
    assert recorder(drawing).bought[Cause.UNCERTAIN].calls == 1
    assert recorder(drawing).bought.total.usage.tokens >= server.billed()


async def test_a_server_that_gives_fewer_is_asked_again(engine: OpenAIEngine, server: FaultServer) -> None:
    server.configure(script=["fewer", "fewer"])
    drawing = run(engine)
    assert len(await draw(drawing, 4)) == 4
    assert [body.get("n", 1) for body in server.requests] == [4, 1, 1]
    assert recorder(drawing).bought.total.usage.tokens == server.billed()


async def test_a_server_that_refuses_so_many_is_asked_for_one_at_a_time(
    engine: OpenAIEngine, server: FaultServer
) -> None:
    server.configure(features=UNSEEDED - {"n"})
    drawing = run(engine)
    samples = await draw(drawing, 3)
    assert [body.get("n", 1) for body in server.requests] == [3, 1, 1, 1]
    assert {s.choice for s in samples} == {None}
    assert recorder(drawing).bought.total.usage.tokens == server.billed()


async def test_choices_that_a_server_has_lost_the_ability_for_are_paid_for_one_by_one(
    engine: OpenAIEngine, server: FaultServer, start: Start
) -> None:
    remembering = await start()
    server.configure(features=UNSEEDED - {"n"}, faults={"drop_body": 0.1}, seed=2)
    drawing = run(remembering, problem=EXAMPLES)
    samples = [sample async for sample in drawing.sample(48, at_once=16, together=True)]
    await drawing.close()
    assert len(samples) == 48
    assert remembering.caps.choices is False
    drawn = [entry for entry in server.ledger if entry.prompt > 1000]
    bought = recorder(drawing).bought.total
    assert bought.calls >= len(drawn) > 48, "a call for each, with a prompt of its own"
    assert bought.usage.prompt >= sum(entry.prompt for entry in drawn)


async def test_a_prompt_that_is_too_long_fails_every_sample_and_costs_nothing(engine: OpenAIEngine) -> None:
    drawing = run(engine, problem="long " * 4096)
    samples = await draw(drawing, 3)
    assert [bool(s.error) for s in samples] == [True] * 3
    assert recorder(drawing).bought.total.usage.tokens == 0
