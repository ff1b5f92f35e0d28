"""One call until it is answered: sent, held to be sound, and what follows from each way to fail."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from perpend.core import CallLost, Completion, Delta, EngineError, Finish, Request, Usage
from perpend.engines.openai.body import CHAT, Call
from perpend.engines.openai.failures import Cut, Lost, NotSent, Refused, final, pause_before_retry
from perpend.engines.openai.leash import Leash
from perpend.engines.openai.replicas import Replicas, Turn
from perpend.engines.openai.replies import Working, cut_prefix, keep_scored, sound_choices, text_of, to_completions
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.stream import Assembly
from perpend.engines.openai.transport import Transport
from perpend.engines.openai.wire import Reply, read_reply

FATAL = (401, 402, 403, 404)
GO_ON = "Start it again, and then the study: what is stored is not bought again."


@dataclass(frozen=True)
class Persistence:
    """How long to go on trying.

    Attributes:
        attempts: at a call that may have cost something.
        patience: seconds without any answer, while calls are refused, or as many are lost as one is tried.
    """

    attempts: int = 8
    patience: float = 300.0


@dataclass
class Counts:
    """What happened so far.

    Attributes:
        sent: calls.
        answered: calls that brought completions.
        refused: calls that cost nothing and were made again, by status, or "not connected".
        lost: calls that may have cost something and brought nothing, by kind.
        queued_seconds: spent waiting for a turn, over all calls.
        paused_seconds: spent between a call that cost nothing and its next try.
    """

    sent: int = 0
    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    queued_seconds: float = 0.0
    paused_seconds: float = 0.0


class Caller:
    """Makes calls to a model.

    Calls that cost nothing (429, no connection) are made again here. One that may have cost something is handed back
    as CallLost, since whoever pays has to reserve anew before it is made again. Until one has been answered, what the
    server objects to in a request is taken to hold for all of them.
    """

    def __init__(
        self,
        transport: Transport,
        replicas: Replicas,
        model: str,
        key: Secret,
        persistence: Persistence,
        counts: Counts,
    ) -> None:
        self.counts = counts
        self._transport = transport
        self._replicas = replicas
        self._model = model
        self._key = key
        self._persistence = persistence
        self._last_answer = 0.0
        self._lost_in_a_row, self._losing_since = 0, 0.0
        self._answered_before: dict[tuple[str, int, int], int] = {}
        self._rng = random.Random(0)

    async def call(self, call: Call, leash: Leash) -> AsyncIterator[Delta | Completion]:
        """Deltas, if streamed, and the completions that came: at least one. Raises CallLost, EngineError."""
        began, failed, excused, request = time.monotonic(), 0, 0.0, call.request
        while True:
            try:
                turn = await self._turn(request, leash, again=failed > 0 or request.attempt > 0)
            except Cut:
                yield Completion(0, "", Finish.CANCELLED, Usage())
                return
            try:
                async for item in self._exchange(turn, call, leash):
                    yield item
                return
            except NotSent as failure:
                turn.replica.fails(unreachable=True)
                asked, reason, kind = None, self._key.scrub(str(failure)), "not connected"
            except Refused as refusal:
                turn.replica.limiter.refused(turn.level)
                if not refusal.passing:
                    yield self._unanswerable(refusal, turn)
                    return
                asked, reason, kind = refusal.retry_after, self._key.scrub(str(refusal)), str(refusal.status)
            except Lost as loss:
                raise self._lost(request, loss, turn) from loss.__cause__
            finally:
                turn.leave()
            failed, excused = failed + 1, excused + (asked or 0.0)
            self.counts.refused[kind] += 1
            self._check_patience(began + excused, turn.replica.url, reason, cost=Usage())
            try:
                await self._pause(pause_before_retry(failed, asked, self._rng), leash)
            except Cut:
                yield Completion(0, "", Finish.CANCELLED, Usage())
                return

    async def _exchange(self, turn: Turn, call: Call, leash: Leash) -> AsyncIterator[Delta | Completion]:
        url, started = f"{turn.replica.url}/{call.path}", time.time()
        assembly = Assembly(call.path == CHAT)
        self.counts.sent += 1
        try:
            if call.streamed:
                async with aclosing(self._transport.stream(url, call.data, leash)) as events:
                    async for event in events:
                        for delta in assembly.read(event):
                            yield delta
                reply = assembly.reply()
            else:
                reply = read_reply(await self._transport.post(url, call.data, leash))
        except Cut:
            yield self._cancelled(assembly.reply(), Working(started, time.time()))
            return
        except Lost:
            reply = assembly.finished()
            if call.request.n == 1 or not reply.choices:
                raise
        choices = sound_choices(reply, call.request.n)
        if call.repeated:
            cut_prefix(choices, call.repeated, reply)
        if call.scored is not None:
            keep_scored(choices, *call.scored, reply)
        completions = to_completions(choices, reply, Working(started, time.time()), self._key)
        self._answered(call.request, turn, completions)
        for completion in completions:
            yield completion

    def _answered(self, request: Request, turn: Turn, completions: list[Completion]) -> None:
        first = completions[0]
        turn.replica.works()
        turn.replica.limiter.answered(
            turn.level, first.ended - first.started, sum(c.usage.completion for c in completions)
        )
        self.counts.answered += 1
        self._last_answer, self._lost_in_a_row = time.monotonic(), 0
        if self._answered_before:
            self._answered_before.pop(_name(request), None)

    def _cancelled(self, reply: Reply, when: Working) -> Completion:
        """What had arrived. What the server had generated beyond that nobody knows, so it is marked estimated."""
        choice = next((choice for choice in reply.choices or [] if choice is not None), None)
        text, tokens = ("", 0) if choice is None else (self._key.scrub(text_of(choice)), choice.pieces)
        usage = Usage(completion=tokens)
        return Completion(0, text, Finish.CANCELLED, usage, started=when.started, ended=when.ended, estimated=True)

    def _unanswerable(self, refusal: Refused, turn: Turn) -> Completion:
        """A refusal that waiting does not help: of this request, or (then it raises EngineError) of any."""
        turn.replica.works()
        refusal.message = self._key.scrub(refusal.message)
        if refusal.filtered:
            return Completion(0, "", Finish.FILTERED, Usage())
        own = refusal.overflow or (self._last_answer > 0 and refusal.status not in FATAL and refusal.status != 429)
        if not own:
            raise final(refusal, turn.replica.url, self._model)
        return Completion(0, "", Finish.FAILED, Usage(), error=refusal.message or str(refusal))

    def _lost(self, request: Request, loss: Lost, turn: Turn) -> EngineError:
        """To be sent again under a new reservation; at last given up: alone, if others were answered meanwhile."""
        turn.replica.fails(unreachable=False)
        self.counts.lost[loss.kind.value] += 1
        tried, reason, url = request.attempt + 1, self._key.scrub(str(loss)), turn.replica.url
        self._losing_since = self._losing_since if self._lost_in_a_row else time.monotonic()
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= self._persistence.attempts:  # a server that rests gets few tries of each
            self._check_patience(self._losing_since, url, reason, cost=loss.usage)
        before = self._answered_before.setdefault(_name(request), self.counts.answered)
        if tried < self._persistence.attempts:
            pause = pause_before_retry(tried, loss.retry_after, self._rng)
            return CallLost(f"A call to {url} was lost ({reason}).", retry_seconds=pause, usage=loss.usage)
        del self._answered_before[_name(request)]
        if self.counts.answered > before:
            return CallLost(
                f"{tried} calls to {url} were lost, the last one: {reason}.", "Look at its log.", usage=loss.usage
            )
        return EngineError(
            f"{url} lost {tried} calls and answered none, the last one: {reason}.", GO_ON, usage=loss.usage
        )

    def _check_patience(self, began: float, url: str, reason: str, cost: Usage | None) -> None:
        silent = time.monotonic() - max(self._last_answer, began)
        if silent > self._persistence.patience:
            raise EngineError(f"{url} has answered nothing for {silent:.0f} seconds ({reason}).", GO_ON, usage=cost)

    async def _turn(self, request: Request, leash: Leash, again: bool) -> Turn:
        asked = time.monotonic()
        turn = await self._replicas.turn(request, leash, again)
        self.counts.queued_seconds += time.monotonic() - asked
        return turn

    async def _pause(self, seconds: float, leash: Leash) -> None:
        self.counts.paused_seconds += seconds
        await leash.sleep(seconds)


def _name(request: Request) -> tuple[str, int, int]:
    return request.problem_id, request.index, request.seed
