"""A request to the worker, and how its events reach whoever asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from perpend.core import Completion, Delta, EngineError, Finish, Token, Usage
from perpend.engines.embedded.protocol import Done, Score, Submit

SUSPECT_DEATHS = 2
"""Deaths that a request may have been running at before it is tried alone."""

Event = Delta | Completion | EngineError


@dataclass(eq=False)
class Ticket:
    """A request to the worker, and where its events go.

    Attributes:
        message: what the worker is told.
        events: of a sample: deltas, then a completion or an error.
        answer: of a score.
        sent: the living worker knows of it.
        running: the living worker has it in its batch.
        deaths: how many workers died with it running.
        cancelled: nobody wants the rest.
        heard: characters of text that the living worker has sent.
        given, given_tokens: text and tokens that went out as deltas, over all workers.
    """

    message: Submit | Score
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    answer: asyncio.Future[float] | None = None
    sent: bool = False
    running: bool = False
    deaths: int = 0
    cancelled: bool = False
    heard: int = 0
    given: str = ""
    given_tokens: int = 0

    @property
    def suspect(self) -> bool:
        """It may be what kills workers."""
        return self.deaths >= SUSPECT_DEATHS

    def worker_died(self) -> None:
        """It has to be sent again."""
        # A score is computed at once, so that one which was sent was running.
        self.deaths += self.running or (self.sent and isinstance(self.message, Score))
        self.sent = self.running = False
        self.heard = 0

    def piece(self, text: str, tokens: int) -> None:
        """Pass on new text, but for what an earlier attempt already gave out."""
        self.heard += len(text)
        fresh = text[max(0, len(text) - max(0, self.heard - len(self.given))) :]
        if fresh:
            self._give(fresh, tokens)

    def finish(self, completion: Completion) -> None:
        """Pass on the rest of the text, and the completion."""
        rest, tokens = completion.text[len(self.given) :], completion.usage.completion
        if rest or tokens > self.given_tokens:
            self._give(rest, tokens)
        self.events.put_nowait(completion)

    def finish_cancelled(self) -> None:
        """End it with what went out, where no worker can tell more."""
        self.finish(Completion(0, self.given, Finish.CANCELLED, Usage(completion=self.given_tokens)))

    def fail(self, error: EngineError) -> None:
        """End it with an error."""
        if self.answer is None:
            self.events.put_nowait(error)
        elif not self.answer.done():
            self.answer.set_exception(error)

    def _give(self, text: str, tokens: int) -> None:
        self.events.put_nowait(Delta(0, text, max(tokens - self.given_tokens, 0)))
        self.given += text
        self.given_tokens = max(self.given_tokens, tokens)


def completion_of(end: Done) -> Completion:
    """The worker's account of a sample, in core's words."""
    tokens = tuple(Token(id, logprob) for id, logprob in end.tokens)
    return Completion(
        choice=0,
        text=end.text,
        finish=Finish(end.finish),
        usage=Usage(end.prompt, end.cached, len(tokens)),
        logprob=sum(token.logprob for token in tokens),
        tokens=tokens,
        started=end.started,
        ended=end.ended,
        device_seconds=end.device_seconds,
        error=end.error,
    )
