"""Several samples in one call: where nothing is lost by it, with one reservation, and a prompt that is billed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from perpend.core import (
    Caps,
    Cause,
    Completion,
    Delta,
    Finish,
    Generation,
    MemoryRecorder,
    Price,
    Request,
    Run,
    Sample,
    StopReason,
    Usage,
    World,
)
from tests.core.worlds import PROMPT, Scripted, make_run, make_world

PROMPT_TOKENS, COMPLETION = 50, 10
ALL = 1000
PRICE = Price(input=1.0, cached=0.5, output=4.0)


@dataclass
class Choosy(Scripted):
    """Gives as many choices as `gives` says of each call in turn; 0: it refuses them, -1: it hangs.

    Where it does not count, it guesses the completions and knows nothing of prompts.
    """

    caps: Caps = field(default_factory=lambda: Caps(choices=True))
    gives: list[int] = field(default_factory=list)
    counts: bool = True

    def generate(self, request: Request) -> Generation:
        self.asked.append(request)
        cancelled = asyncio.Event()
        give = self.gives.pop(0) if self.gives else ALL
        return Generation(self._choices(request, give, cancelled), cancelled.set)

    async def _choices(
        self, request: Request, give: int, cancelled: asyncio.Event
    ) -> AsyncIterator[Delta | Completion]:
        await asyncio.sleep(0)
        if give < 0:
            await cancelled.wait()
            yield Completion(0, "", Finish.CANCELLED, Usage(), estimated=True)
        if give == 0:
            yield Completion(0, "", Finish.FAILED, Usage(), error="no choices here")
        for choice in range(min(give, request.n)):
            usage = Usage(PROMPT_TOKENS if choice == 0 and self.counts else 0, 0, COMPLETION)
            text = f"It is {request.index + choice}."
            yield Completion(choice, text, Finish.STOP, usage, estimated=not self.counts)


def asked(engine: Scripted) -> list[tuple[int, int]]:
    """First index and choices of each call."""
    return [(request.index, request.n) for request in engine.asked]


def bought(run: Run) -> MemoryRecorder:
    recorder = run._world.recorder
    assert isinstance(recorder, MemoryRecorder)
    return recorder


async def draw(run: Run, n: int = 16, at_once: int = 16, together: bool = True) -> list[Sample]:
    return [sample async for sample in run.sample(n, at_once=at_once, together=together)]


async def test_sixteen_samples_are_one_call_that_bills_one_prompt():
    engine = Choosy([])
    run = make_run(make_world(engine, price=PRICE))
    samples = await draw(run)
    assert asked(engine) == [(0, 16)]
    assert [(s.index, s.choice, s.answer) for s in samples] == [(i, i, f"{i}") for i in range(16)]
    assert bought(run).bought == {Cause.GENERATOR: bought(run).bought.total}
    assert bought(run).bought.total.usage == Usage(PROMPT_TOKENS, 0, 16 * COMPLETION)
    assert bought(run).bought.total.calls == 1


async def test_the_canonical_charge_has_every_prompt_and_dollars_have_the_one_that_was_billed():
    run = make_run(make_world(Choosy([]), price=PRICE))
    await draw(run, 4)
    charge = run.charges.total
    assert charge.usage == Usage(4 * PROMPT_TOKENS, 3 * PROMPT_TOKENS, 4 * COMPLETION)
    assert charge.usd == bought(run).bought.total.usd == PROMPT_TOKENS + 4 * COMPLETION * 4


@pytest.mark.parametrize(("together", "prompts"), [(True, 1), (False, 4)])
async def test_samples_that_nobody_counted_are_charged_at_their_reservation(together: bool, prompts: int):
    run = make_run(make_world(Choosy([], counts=False), price=PRICE))
    samples = await draw(run, 4, together=together)
    assert [sample.estimated for sample in samples] == [True] * 4
    most = Usage(prompts * PROMPT.upper_bound_tokens(), 0, 4 * PROMPT.max_tokens)
    assert bought(run).bought[Cause.UNCERTAIN].usage == run.charges[Cause.UNCERTAIN].usage == most
    assert bought(run).bought.total.usd == run.charges.total.usd == PRICE.usd(most)
    assert list(run.charges) == [Cause.UNCERTAIN]


@pytest.mark.parametrize(
    ("caps", "changes", "together", "temperature"),
    [
        (Caps(choices=True), {}, False, 0.7),
        (Caps(choices=False), {}, True, 0.7),
        (Caps(choices=True, seeds=True), {}, True, 0.7),
        (Caps(choices=False), {"reproducible": False}, True, 0.7),
        (Caps(choices=True), {"reproducible": False}, True, 0.0),
    ],
)
async def test_samples_come_alone_where_something_would_be_lost(
    caps: Caps, changes: dict[str, object], together: bool, temperature: float
):
    engine = Choosy([], caps=caps)
    run = make_run(make_world(engine, **changes))
    run.prompt = replace(PROMPT, temperature=temperature)
    samples = await draw(run, 3, together=together)
    assert asked(engine) == [(0, 1), (1, 1), (2, 1)]
    assert {s.choice for s in samples} == {None}


async def test_seeds_do_not_matter_where_no_replay_is_wanted():
    engine = Choosy([], caps=Caps(choices=True, seeds=True))
    await draw(make_run(make_world(engine, reproducible=False)), 3)
    assert asked(engine) == [(0, 3)]


@pytest.mark.parametrize(
    ("n", "at_once", "calls"),
    [
        (40, 40, [(0, 13), (13, 13), (26, 13), (39, 1)]),
        (20, 8, [(0, 8), (8, 8), (16, 4)]),
        (16, 64, [(0, 16)]),
        (3, 1, [(0, 1), (1, 1), (2, 1)]),
    ],
)
async def test_no_more_than_sixteen_nor_than_are_wanted_at_once(n: int, at_once: int, calls: list[tuple[int, int]]):
    engine = Choosy([])
    assert len(await draw(make_run(make_world(engine)), n, at_once)) == n
    assert asked(engine) == calls


async def test_choices_that_are_missing_are_asked_for_again_under_a_reservation_of_their_own():
    engine = Choosy([], gives=[10, 4])
    run = make_run(make_world(engine))
    samples = await draw(run)
    assert asked(engine) == [(0, 16), (10, 6), (14, 2)]
    assert [s.index for s in samples] == list(range(16))
    assert [s.choice for s in samples[8:]] == [8, 9, 0, 1, 2, 3, 0, 1]
    assert bought(run).bought.total.usage == Usage(3 * PROMPT_TOKENS, 0, 16 * COMPLETION)
    assert bought(run).bought.total.calls == 3


async def test_what_is_refused_together_is_asked_for_alone():
    engine = Choosy([], gives=[0])
    run = make_run(make_world(engine))
    samples = await draw(run, 3)
    assert asked(engine) == [(0, 3), (0, 1), (1, 1), (2, 1)]
    assert {(s.finish, s.choice) for s in samples} == {(Finish.STOP, None)}


async def test_a_sample_that_is_refused_alone_too_has_failed():
    engine = Choosy([], gives=[0, 0, 0])
    samples = await draw(make_run(make_world(engine)), 2)
    assert [(s.finish, s.error) for s in samples] == [(Finish.FAILED, "no choices here")] * 2


async def test_as_many_are_asked_for_as_the_budget_has_room_for():
    most = PROMPT.upper_bound_tokens() + 5 * PROMPT.max_tokens
    engine = Choosy([])
    run = make_run(make_world(engine), budget=f"tokens={most}")
    samples = await draw(run)
    assert asked(engine)[0] == (0, 5)
    assert len(samples) == 16, "the calls settle for less than they hold"
    assert bought(run).bought.total.usage.tokens <= most
    few = Choosy([])
    assert len(await draw(make_run(make_world(few), budget="samples=7"))) == 7
    assert asked(few) == [(0, 7)]


async def test_what_is_stored_is_not_asked_for():
    world = make_world(Choosy([]))
    assert len(await draw(make_run(world), 5)) == 5
    engine = Choosy([])
    samples = await draw(make_run(replace(world, engines={"scripted": engine})), 12)
    assert asked(engine) == [(5, 7)]
    assert [s.index for s in samples] == list(range(12))


async def test_two_runs_never_buy_the_same_sample():
    engine = Choosy([])
    world: World = make_world(engine)
    first, second = await asyncio.gather(draw(make_run(world), 8, 8), draw(make_run(world), 12, 12))
    assert [s.text for s in second[:8]] == [s.text for s in first]
    assert asked(engine) == [(0, 8), (8, 4)]


async def test_what_had_come_when_the_time_was_up_is_handed_over():
    engine = Choosy([], gives=[10, -1])
    run = make_run(make_world(engine), budget="seconds=0.1")
    samples: Sequence[Sample] = await draw(run)
    assert [s.index for s in samples] == list(range(10))
    assert run.stop_reason is StopReason.SECONDS
    await run.close()
    assert bought(run).bought[Cause.UNCERTAIN].calls == 1
    assert asked(engine) == [(0, 16), (10, 6)], "nothing is asked for after it was cut"


async def test_what_the_strategy_never_saw_is_charged_as_discarded():
    run = make_run(make_world(Choosy([])))
    stream = run.sample(4, at_once=4, together=True)
    await anext(stream)
    await stream.aclose()
    await run.close()
    assert run.charges[Cause.GENERATOR].usage.completion == COMPLETION
    assert run.charges[Cause.DISCARDED].usage == Usage(3 * PROMPT_TOKENS, 3 * PROMPT_TOKENS, 3 * COMPLETION)
