"""Whatever goes wrong, what is booked covers what the server bills."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from perpend.core import (
    Budget,
    Cause,
    EngineError,
    Finish,
    MemoryRecorder,
    Message,
    Price,
    Problem,
    Prompt,
    RequestFailed,
    Run,
    Sample,
    Scope,
    StopReason,
    Usage,
    World,
)
from perpend.engines.openai import OpenAIEngine
from perpend.engines.openai.replicas import Replicas
from tests.engines.openai.conftest import Start, until
from tests.engines.openai.fault_server import FaultServer
from tests.engines.openai.words import Words

TRIALS = 12
PRICE = Price(input=1e-6, cached=1e-6, output=2e-6)
FAULTS = (
    "429", "429_after", "500", "drop_before", "drop_body", "malformed", "cut", "empty", "null", "duplicate", "fewer",
    "no_usage", "length", "filter", "no_done", "late_429",
)  # fmt: skip


def world(engine: OpenAIEngine) -> tuple[World, MemoryRecorder]:
    recorder = MemoryRecorder()
    return World({"openai": engine}, {}, recorder, prices={"openai": PRICE}), recorder


def run(shared: World, scope: Scope, problem: str = "p", max_tokens: int = 16) -> Run:
    prompt = Prompt(messages=(Message("user", f"Say something about {problem}."),), max_tokens=max_tokens)
    return Run(shared, Words(), Problem(problem, "words", {}), prompt, scope)  # type: ignore[arg-type]


async def draw(shared: World, scope: Scope, n: int, problem: str = "p", at_once: int = 64) -> tuple[Run, list[Sample]]:
    drawing = run(shared, scope, problem)
    try:
        return drawing, [sample async for sample in drawing.sample(n, at_once=at_once)]
    finally:
        await drawing.close()


def billed_usd(server: FaultServer) -> float:
    return sum(entry.prompt * PRICE.input + entry.completion * PRICE.output for entry in server.ledger)


async def test_a_lost_call_is_charged_at_its_reservation_and_made_again(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start())
    server.configure(script=["drop_body", "500", ""])
    drawing, (sample,) = await draw(shared, Scope(), 1)
    assert sample.finish is Finish.STOP
    assert recorder.bought[Cause.GENERATOR].usage == sample.usage
    assert sample.usage.tokens == server.ledger[2].tokens
    assert recorder.bought[Cause.UNCERTAIN].calls == 2
    assert recorder.bought[Cause.UNCERTAIN].usage.tokens >= server.ledger[0].tokens + server.ledger[1].tokens
    assert drawing.charges[Cause.UNCERTAIN].calls == 2


async def test_scores_are_asked_for_again_like_samples_and_booked_as_what_was_billed(
    server: FaultServer, start: Start
) -> None:
    engine = await start()
    shared, recorder = world(engine)
    server.configure(faults={"429": 0.3, "500": 0.2, "drop_body": 0.1})
    scoring = run(shared, Scope())
    scores = [await scoring.loglik(Prompt(text=f"one two {number}"), " three four") for number in range(20)]
    assert scores == [pytest.approx(-(6 + 5) / 7)] * 20
    assert engine.counts.answered == recorder.bought[Cause.GENERATOR].calls == 20
    assert engine.counts.refused["429"] == server.seen["429"] > 0
    assert recorder.bought[Cause.UNCERTAIN].calls == engine.counts.lost.total() == len(server.ledger) - 20 > 0
    assert recorder.bought.total.usage.tokens >= server.billed()
    assert scoring.charges == recorder.bought


async def test_a_score_that_is_refused_for_good_is_free_and_one_that_is_always_lost_is_not(
    server: FaultServer, start: Start
) -> None:
    engine = await start(attempts=2)
    shared, recorder = world(engine)
    scoring = run(shared, Scope())
    await scoring.loglik(Prompt(text="one"), " two")
    server.configure(context=16)
    with pytest.raises(RequestFailed, match=r"maximum context length.*leave this text out") as refused:
        await scoring.loglik(Prompt(text="one"), " two" * 20)
    assert refused.value.usage == Usage()
    assert recorder.bought[Cause.DISCARDED].usage == Usage()
    server.configure(faults={"500": 1.0})
    with pytest.raises(EngineError, match="lost 2 calls and answered none") as lost:
        await scoring.loglik(Prompt(text="one"), " two")
    assert lost.value.remedy
    assert recorder.bought[Cause.UNCERTAIN].calls == len(server.ledger) == 2


async def test_each_attempt_reserves_anew_and_a_budget_that_is_used_up_ends_them(
    server: FaultServer, start: Start
) -> None:
    shared, recorder = world(await start())
    server.configure(faults={"drop_before": 1.0})
    scope = Scope(Budget(tokens=500))
    drawing, samples = await draw(shared, scope, 1)
    assert samples == []
    assert drawing.stop_reason is StopReason.TOKENS
    assert server.billed() <= recorder.bought.total.usage.tokens <= 500


async def test_a_refused_call_is_charged_nothing(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start())
    server.configure(script=["429", "429_after"])
    _, (sample,) = await draw(shared, Scope(), 1)
    assert recorder.bought.total.usage == sample.usage
    assert recorder.bought.total.calls == 1


async def test_a_refusal_that_ends_the_study_cost_nothing(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start(patience_seconds=0.2))
    server.configure(key="sk-another-one")
    with pytest.raises(EngineError, match="does not accept the API key"):
        await draw(shared, Scope(), 3)
    server.configure(key="", faults={"429": 1.0})
    with pytest.raises(EngineError, match="has answered nothing"):
        await draw(shared, Scope(), 1)
    assert server.ledger == []
    assert recorder.bought.total.usage.tokens == 0


async def test_a_lost_call_whose_usage_is_known_is_charged_that(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start())
    server.configure(script=["fewer", ""])
    await draw(shared, Scope(), 1)
    assert recorder.bought[Cause.DISCARDED].usage.tokens == server.ledger[0].tokens
    assert Cause.UNCERTAIN not in recorder.bought


async def test_a_sample_without_usage_is_kept_and_charged_at_its_reservation(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start())
    server.configure(script=["no_usage"])
    drawing, (sample,) = await draw(shared, Scope(), 1)
    assert sample.estimated
    assert sample.usage.completion == server.ledger[0].completion
    assert recorder.bought[Cause.UNCERTAIN].usage.completion == 16
    assert recorder.bought.total.usage.tokens >= server.billed()
    assert drawing.charges[Cause.UNCERTAIN].usage == recorder.bought[Cause.UNCERTAIN].usage
    assert drawing.charges.total.usd == recorder.bought.total.usd


async def test_a_call_that_is_given_up_is_a_failed_sample_and_charged(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start(attempts=2))
    first = await draw(shared, Scope(), 1, "other")
    server.configure(script=["500", "", "500"])
    failing = asyncio.create_task(draw(shared, Scope(), 1))
    await until(lambda: bool(server.ledger))
    await draw(shared, Scope(), 1, "third")
    _, (sample,) = await failing
    assert first[1][0].finish is Finish.STOP
    assert sample.finish is Finish.FAILED
    assert "2 calls" in (sample.error or "")
    assert recorder.bought[Cause.UNCERTAIN].calls == 2


async def test_a_context_overflow_is_a_failed_sample_that_cost_nothing(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start())
    _, (sample,) = await draw(shared, Scope(), 1, "long " * 4096)
    assert sample.finish is Finish.FAILED
    assert "maximum context" in (sample.error or "")
    assert recorder.bought.total.usage.tokens == 0


async def test_cancelled_calls_are_charged_at_their_reservation(server: FaultServer, start: Start) -> None:
    shared, recorder = world(await start(stream=True))
    server.configure(gap=0.05)
    drawing = run(shared, Scope())
    stream = drawing.sample(4, at_once=4, order="finish")
    await anext(stream)
    await stream.aclose()
    await drawing.close()
    assert recorder.bought.total.usage.tokens >= server.billed()
    assert len(server.ledger) == recorder.bought.total.calls == 4


async def test_an_answer_is_looked_for_after_the_thinking(start: Start, server: FaultServer) -> None:
    shared, _ = world(await start())
    answers = []
    for text in ("<think>no", "<think>no</think> yes", "no</think>yes", "yes"):
        server.configure(text=text)
        answers += [s.answer for s in (await draw(shared, Scope(), 1, text))[1]]
    assert answers == [None, "yes", "yes", "yes"]


async def overshoot(engine: OpenAIEngine, server: FaultServer, trial: int) -> dict[str, Any]:
    """One trial: 64 calls in flight under every fault and a cap of one cent."""
    rng = random.Random(trial)
    shares = {fault: rng.choice((0.0, 0.01, 0.03, 0.06)) for fault in FAULTS}
    fewest = rng.choice((3, 15, 40))
    server.configure(faults=shares, seed=trial, fewest=fewest, tokens=max(15, fewest), seconds=0.004)
    engine._stream = rng.random() < 0.5
    assert engine._caller is not None
    engine._caller._replicas = Replicas([server.url], 64, first=64)  # however slow this server may be
    shared, recorder = world(engine)
    cap = 0.01
    price = Price(rng.choice((5e-7, 1e-6)), 0.0, rng.choice((4e-6, 8e-6)))
    shared.prices = {"openai": price}
    scope = Scope(Budget(usd=cap))
    drawn = await asyncio.gather(*(draw(shared, scope, 200, f"{trial} {p}", at_once=16) for p in range(4)))
    samples = [sample for _, samples in drawn for sample in samples]
    billed = sum(entry.prompt * price.input + entry.completion * price.output for entry in server.ledger)
    booked = recorder.bought.total.usd or 0.0
    assert billed <= booked + 1e-12, (trial, billed, booked)
    assert booked <= cap * (1 + 1e-9), (trial, booked)
    assert len(samples) == len(recorder.samples)
    return {"usd": booked, "samples": len(samples), "at_once": server.most_at_once}


async def test_a_cap_is_never_overshot_by_the_servers_ledger(server: FaultServer, start: Start) -> None:
    engine = await start(max_connections=64)
    trials = [await overshoot(engine, server, trial) for trial in range(TRIALS)]
    assert min(trial["usd"] for trial in trials) > 0.009
    assert sum(trial["samples"] for trial in trials) > TRIALS * 20
    assert max(trial["at_once"] for trial in trials) > 56  # of 64; some wait to be sent again


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_cap_is_never_overshot_in_a_thousand_trials(server: FaultServer, start: Start) -> None:
    engine = await start(max_connections=64)
    for trial in range(1000):
        await overshoot(engine, server, TRIALS + trial)
