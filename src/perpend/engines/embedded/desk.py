"""Requests in flight, over the lives of the workers that answer them: none is lost, none is answered twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from perpend.core import Charge, Completion, EngineError, Finish, Usage
from perpend.engines.embedded.process import UnusableModel, WorkerProcess, start_worker
from perpend.engines.embedded.protocol import (
    Admitted,
    AnyFromWorker,
    Cancel,
    Done,
    Load,
    Metrics,
    Piece,
    Progress,
    Ready,
    Score,
    Scored,
)
from perpend.engines.embedded.ticket import Ticket, completion_of

FRUITLESS_STARTS = 5
"""Workers that may die one after the other without finishing anything, while they load or afterwards."""


class Desk:
    """Hands tickets to a worker, passes on what it says, and gets another worker when it dies.

    Requests that ran at two deaths are suspects: they are tried alone, and only one whose worker dies then is given
    up. So a request that crashes the native code costs nobody else an answer.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._tickets: dict[int, Ticket] = {}
        self._worker: WorkerProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._lost: EngineError | None = None
        self._fruitless = 0
        self._earlier = Charge()
        self.metrics = Metrics()
        self.peak_cache_bytes = 0
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The living worker's process."""
        return self._worker.pid if self._worker else None

    @property
    def overhead(self) -> Charge:
        """What fillers and the probe have taken, over the lives of all workers."""
        fillers = Usage(completion=self.metrics.filler_tokens)
        return self._earlier + Charge(fillers, device_seconds=self.metrics.filler_seconds)

    async def open(self) -> Ready:
        """Start the first worker. Raises EngineError."""
        self._worker, ready = await start_worker(self._load)
        self._load = replace_rows(self._load, ready.rows)
        probed = ready.probed
        self._earlier = Charge(Usage(probed.prompt, completion=probed.completion), device_seconds=probed.seconds)
        self._watch = asyncio.create_task(self._serve())
        self._watch.add_done_callback(self._stopped)
        return ready

    async def close(self) -> None:
        """End the worker, and what it was doing."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._give_up(EngineError("The embedded engine was closed.", "Start it again."))
        if self._worker is not None:
            await self._worker.end()
            self._worker = None

    def take(self, ticket: Ticket) -> None:
        """Have a request answered."""
        if self._lost is not None:
            ticket.fail(self._lost)
            return
        self._tickets[ticket.message.id] = ticket
        self._dispatch()

    def drop(self, ticket: Ticket, tell: bool) -> None:
        """Nobody waits for the rest; `tell` asks for a last completion with what there is."""
        if ticket.message.id not in self._tickets:
            return
        ticket.cancelled = True
        if ticket.sent and self._worker is not None:
            self._worker.send(Cancel(ticket.message.id))
        if not ticket.sent and tell:
            ticket.finish_cancelled()
        if not ticket.sent or not tell:
            del self._tickets[ticket.message.id]
            self._dispatch()

    def _dispatch(self) -> None:
        """Send what may be sent: everything, or one suspect at a time."""
        if self._worker is None:
            return
        for ticket in self._allowed():
            if not ticket.sent:
                ticket.sent = True
                self._worker.send(ticket.message)

    def _allowed(self) -> Iterator[Ticket]:
        suspects = [ticket for ticket in self._tickets.values() if ticket.suspect]
        return iter(suspects[:1] or list(self._tickets.values()))

    async def _serve(self) -> None:
        """Listen to a worker until it dies; then get the next one."""
        while self._worker is not None:
            try:
                async for message in self._worker.receive():
                    self._hear(message)
            except msgspec.MsgspecError:  # what it says makes no sense any more
                self._worker.kill()
            await self._restart()

    def _stopped(self, watch: asyncio.Task[None]) -> None:
        """Nobody listens any more: whoever waits must not wait for ever."""
        error = None if watch.cancelled() else watch.exception()
        if error is not None:
            self._give_up(EngineError(f"The embedded engine failed: {error!r}.", "Report this as a bug."))

    def _hear(self, message: AnyFromWorker) -> None:
        match message:
            case Admitted(ids=ids):
                for ticket in filter(None, map(self._tickets.get, ids)):
                    ticket.running = True
            case Progress(pieces=pieces, done=done, metrics=metrics):
                self.metrics = metrics
                self.peak_cache_bytes = max(self.peak_cache_bytes, round(metrics.cache_use * metrics.cache_bytes))
                self._pass_on(pieces, done)
            case Scored(id=id, logprob=logprob, error=error):
                self._score(id, logprob, error)

    def _pass_on(self, pieces: list[Piece], done: list[Done]) -> None:
        for piece in pieces:
            if ticket := self._tickets.get(piece.id):
                ticket.piece(piece.text, piece.tokens)
        for end in done:
            if ticket := self._tickets.pop(end.id, None):
                ticket.finish(completion_of(end))
        if done:
            self._fruitless = 0
            self._dispatch()

    def _score(self, id: int, logprob: float | None, error: str | None) -> None:
        ticket = self._tickets.pop(id, None)
        if ticket is None or ticket.answer is None or ticket.answer.done():
            return
        if logprob is None:
            ticket.fail(EngineError(f"The text cannot be scored: {error}"))
        else:
            ticket.answer.set_result(logprob)
        self._fruitless = 0
        self._dispatch()

    async def _restart(self) -> None:
        assert self._worker is not None
        worker, self._worker = self._worker, None
        await worker.end()
        self._earlier, self.metrics = self.overhead, Metrics()
        self._count_death()
        try:
            self._worker = await self._start_again()
        except EngineError as error:
            self._give_up(error)
        self._dispatch()

    async def _start_again(self) -> WorkerProcess:
        """A worker that has loaded the model, after as many tries as are due. Raises EngineError."""
        why = ""
        while self._fruitless < FRUITLESS_STARTS:
            self._fruitless += 1
            self.restarts += 1
            try:
                return (await start_worker(self._load))[0]
            except UnusableModel:
                raise
            except EngineError as error:
                why = f" {error.message}"
        raise EngineError(f"The embedded engine's worker keeps dying.{why}", "Try a smaller model or cache_gb.")

    def _count_death(self) -> None:
        for ticket in list(self._tickets.values()):
            alone = ticket.suspect and (ticket.running or isinstance(ticket.message, Score)) and ticket.sent
            ticket.worker_died()
            if ticket.cancelled:
                del self._tickets[ticket.message.id]
                ticket.finish_cancelled()
            elif alone:
                self._fruitless = 0
                del self._tickets[ticket.message.id]
                self._convict(ticket)

    def _convict(self, ticket: Ticket) -> None:
        reason = "The engine's worker died three times while it ran this request, the last time with nothing else."
        if ticket.answer is not None:
            ticket.fail(EngineError(reason))
        else:
            ticket.finish(Completion(0, "", Finish.FAILED, Usage(), error=reason))

    def _give_up(self, error: EngineError) -> None:
        self._lost = error
        for ticket in self._tickets.values():
            ticket.fail(error)
        self._tickets.clear()


def replace_rows(load: Load, rows: int | None) -> Load:
    """The same, with what the first worker's probe found, so that the next need not probe."""
    return Load(load.path, load.context, load.vocabulary, load.max_seqs, load.cache_gb, load.reproducible, rows)
