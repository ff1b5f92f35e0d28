"""Workers that die: what happens to the requests they had. The workers here are scripted; a real one is killed in
test_embedded_engine.py."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from perpend.core import Charge, Completion, Delta, EngineError, Finish, Usage
from perpend.engines.embedded import desk as desk_module
from perpend.engines.embedded.desk import Desk
from perpend.engines.embedded.process import UnusableModel
from perpend.engines.embedded.protocol import (
    Admitted,
    Cancel,
    Done,
    Load,
    Metrics,
    Piece,
    Probed,
    Progress,
    Ready,
    Submit,
)
from perpend.engines.embedded.ticket import Ticket

LOAD = Load("m", 100, 100, 8, 1, True)
Script = Callable[["FakeWorker", int], None]


class FakeWorker:
    """Answers or dies as its script says, when it is told of a request."""

    def __init__(self, script: Script) -> None:
        self.script, self.pid, self.told = script, 1, []
        self.says: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, message: Any) -> None:
        self.told.append(message)
        if isinstance(message, Submit):
            self.script(self, message.id)

    def admit(self, *ids: int) -> None:
        self.says.put_nowait(Admitted(list(ids)))

    def write(self, id: int, text: str, tokens: int) -> None:
        self.says.put_nowait(Progress([Piece(id, text, tokens)], [], Metrics()))

    def answer(self, id: int, text: str) -> None:
        done = Done(id, "stop", text, prompt=1, tokens=[(1, -1.0)] * len(text))
        self.says.put_nowait(Progress([], [done], Metrics()))

    def die(self) -> None:
        self.says.put_nowait(None)

    async def receive(self) -> AsyncIterator[Any]:
        while (message := await self.says.get()) is not None:
            yield message

    async def end(self) -> None: ...


class Workers:
    """The workers that a desk starts, one after the other; an error stands for one that does not get to load."""

    def __init__(self, *scripts: Script | EngineError) -> None:
        self.scripts, self.started, self.tries = list(scripts), list[FakeWorker](), 0

    async def start(self, load: Load) -> tuple[FakeWorker, Ready]:
        self.tries += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, EngineError):
            raise script
        self.started.append(FakeWorker(script))
        return self.started[-1], Ready(4, 100, True, 1000, 1000, Probed(30, 20, 0.5) if load.rows is None else Probed())


def submit(id: int) -> Ticket:
    return Ticket(Submit(id, "p", [], "", [], 10, 1.0, 1.0, 0))


async def outcome(ticket: Ticket) -> tuple[str, Completion]:
    """What a consumer sees: the deltas' text, and the completion."""
    text = ""
    async with asyncio.timeout(5):
        while not isinstance(event := await ticket.events.get(), Completion):
            assert isinstance(event, Delta), event
            text += event.text
    return text, event


async def opened(monkeypatch: pytest.MonkeyPatch, *scripts: Script | EngineError) -> tuple[Desk, Workers]:
    workers = Workers(*scripts)
    monkeypatch.setattr(desk_module, "start_worker", workers.start)
    desk = Desk(LOAD)
    await desk.open()
    return desk, workers


def answers(worker: FakeWorker, id: int) -> None:
    worker.admit(id)
    worker.write(id, "ab", 2)
    worker.answer(id, "abcd")


def dies_half_way(worker: FakeWorker, id: int) -> None:
    worker.admit(id)
    worker.write(id, "abc", 3)
    worker.die()


def dies_at_seven(worker: FakeWorker, id: int) -> None:
    worker.admit(id)
    if id == 7:
        worker.die()


async def test_a_request_is_answered_by_the_next_worker_and_nothing_is_said_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, workers = await opened(monkeypatch, dies_half_way, answers)
    ticket = submit(0)
    desk.take(ticket)
    text, completion = await outcome(ticket)
    assert text == completion.text == "abcd"
    assert completion.usage.completion == 4
    assert len(workers.started) == 2
    await desk.close()


async def test_a_request_that_kills_its_workers_costs_nobody_else_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(worker: FakeWorker, id: int) -> None:
        worker.admit(id)
        if id == 7:
            worker.die()
        elif len(worker.told) == 1 or not any(m.id == 7 for m in worker.told):
            worker.answer(id, "ok")

    desk, workers = await opened(monkeypatch, script)
    tickets = [submit(id) for id in (7, 1, 2)]
    for ticket in tickets:
        desk.take(ticket)
    outcomes = [(await outcome(ticket))[1] for ticket in tickets]
    assert [c.finish for c in outcomes] == [Finish.FAILED, Finish.STOP, Finish.STOP]
    assert outcomes[0].error is not None
    assert "died three times" in outcomes[0].error
    alone = workers.started[2]
    assert [m.id for m in alone.told] == [7], "the third time, the suspect runs alone"
    await desk.close()


async def test_what_only_waited_when_a_worker_died_is_no_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(worker: FakeWorker, id: int) -> None:
        if id == 7:
            worker.admit(id)
            worker.die()

    desk, _ = await opened(monkeypatch, script)
    poison, other = submit(7), submit(1)
    desk.take(other)
    desk.take(poison)
    assert (await outcome(poison))[1].finish is Finish.FAILED
    assert other.deaths == 0
    await desk.close()


async def test_one_cancelled_as_its_worker_died_ends_with_what_went_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(worker: FakeWorker, id: int) -> None:
        worker.admit(id)
        worker.write(id, "abc", 3)

    desk, workers = await opened(monkeypatch, script)
    ticket = submit(0)
    desk.take(ticket)
    await asyncio.sleep(0.01)
    desk.drop(ticket, tell=True)
    assert isinstance(workers.started[0].told[-1], Cancel)
    workers.started[0].die()
    text, completion = await outcome(ticket)
    assert (text, completion.text, completion.finish) == ("abc", "abc", Finish.CANCELLED)
    await desk.close()


async def test_a_worker_that_keeps_dying_ends_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, workers = await opened(monkeypatch, lambda worker, id: worker.die())
    tickets = [submit(id) for id in range(2)]
    for ticket in tickets:
        desk.take(ticket)
    error = await asyncio.wait_for(tickets[0].events.get(), 5)
    assert isinstance(error, EngineError)
    assert "keeps dying" in str(error)
    assert len(workers.started) == desk_module.FRUITLESS_STARTS + 1
    late = submit(9)
    desk.take(late)
    assert isinstance(late.events.get_nowait(), EngineError)
    await desk.close()


async def test_workers_that_die_while_they_load_are_followed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    died = EngineError("The worker that loads m died: signal 9.")
    desk, workers = await opened(monkeypatch, dies_half_way, died, died, answers)
    ticket = submit(0)
    desk.take(ticket)
    assert (await outcome(ticket))[1].text == "abcd"
    assert (workers.tries, desk.restarts, ticket.deaths) == (4, 3, 1)
    await desk.close()


async def test_workers_that_always_die_while_they_load_end_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, workers = await opened(monkeypatch, dies_half_way, EngineError("The worker died: signal 9."))
    assert isinstance(error := await lost(desk), EngineError)
    assert "keeps dying. The worker died: signal 9." in str(error)
    assert workers.tries == desk_module.FRUITLESS_STARTS + 1
    await desk.close()


async def test_a_model_that_has_become_unusable_ends_the_engine_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, workers = await opened(monkeypatch, dies_half_way, UnusableModel("The model m cannot be loaded: gone."))
    assert "cannot be loaded: gone" in str(await lost(desk))
    assert workers.tries == 2
    await desk.close()


async def test_what_goes_wrong_while_listening_ends_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(worker: FakeWorker, id: int) -> None:
        worker.says.put_nowait(Progress([], [Done(id, "nonsense", "")], Metrics()))

    desk, _ = await opened(monkeypatch, script)
    waiting = submit(1)
    waiting.sent = True  # so that it is not the one that is answered with nonsense
    desk.take(waiting)
    desk.take(submit(0))
    error = await asyncio.wait_for(waiting.events.get(), 5)
    assert isinstance(error, EngineError)
    assert "ValueError(\"'nonsense' is not a valid Finish\")" in str(error)
    assert "nonsense" in str(await lost(desk)), "nobody waits for ever who comes later"
    await desk.close()


async def test_overhead_and_the_peak_of_the_cache_are_those_of_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def spends(worker: FakeWorker, id: int) -> None:
        worker.says.put_nowait(Progress([], [], Metrics(cache_use=0.5, cache_bytes=80, filler_tokens=7)))
        used = Metrics(cache_use=0.25, cache_bytes=80, filler_tokens=10, filler_seconds=2.0)
        worker.says.put_nowait(Progress([], [], used))
        worker.die()

    desk, _ = await opened(monkeypatch, spends, spends, answers)
    ticket = submit(0)
    desk.take(ticket)
    await outcome(ticket)
    assert desk.metrics == Metrics()
    assert desk.overhead == Charge(Usage(prompt=30, completion=20 + 10 + 10), device_seconds=4.5)
    assert desk.peak_cache_bytes == 40
    await desk.close()


async def lost(desk: Desk) -> Any:
    """What a request is told that comes to a desk whose worker dies at it, or that is lost already."""
    ticket = submit(9)
    desk.take(ticket)
    async with asyncio.timeout(5):
        while isinstance(event := await ticket.events.get(), Delta):
            pass
    return event


async def test_closing_ends_what_waits_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = await opened(monkeypatch, lambda worker, id: None)
    ticket = submit(0)
    desk.take(ticket)
    await desk.close()
    with pytest.raises(EngineError, match="closed"):
        raise ticket.events.get_nowait()  # type: ignore[misc]
