"""Calls before the study begins: few, small, and tried again a few times where they fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from perpend.core import EngineError, Prompt, Purse, Usage
from perpend.engines.openai.body import CHAT, Body, encode
from perpend.engines.openai.failures import Loss, Lost, NotSent, Refused, final, pause_before_retry
from perpend.engines.openai.leash import Leash
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.stream import Assembly
from perpend.engines.openai.transport import Transport
from perpend.engines.openai.wire import Reply, ServedModel, known_usage, read_models, read_reply

T = TypeVar("T")
TRIES = 6
KEY_OR_QUOTA = (401, 402, 403, 429)


class Bottomless:
    """The purse of an engine that nobody keeps account of."""

    def afford(self, most: Usage) -> None:
        """Everything."""

    async def reserve(self, most: Usage) -> int:  # noqa: ARG002 (the signature is the protocol's)
        """Nothing is held."""
        return 0

    def settle(self, reservation: int, used: Usage | None) -> None:
        """Nothing is booked."""


@dataclass
class Asker:
    """Asks one server.

    Attributes:
        purse: pays for every try.
        doubtful: whether some answer was a failure of the server, so that what was found may not last.
        objections: what the server said last where it would not answer, by path, without the key.
    """

    transport: Transport
    url: str
    key: Secret
    purse: Purse
    doubtful: bool = False
    objections: dict[str, str] = field(default_factory=dict)
    _asking: set[asyncio.Task[Any]] = field(default_factory=set)
    _rng: random.Random = field(default_factory=lambda: random.Random(0))

    async def models(self) -> list[ServedModel] | None:
        """What the server lists; None where it keeps no list. Raises EngineError: no server, no API, or a bad key."""
        try:
            return read_models(await self._patiently(lambda: self.transport.get(f"{self.url}/models")))
        except Refused as refusal:
            if refusal.status in (404, 405):
                return None
            raise self._final(refusal, "its list of models") from None
        except Lost as loss:
            raise self._useless(loss) from None

    async def ask(self, path: str, body: Body) -> Reply | None:
        """The reply, None where the server will not give one. Raises EngineError as `models` does."""

        async def once() -> Reply:
            return read_reply(await self.transport.post(f"{self.url}/{path}", encode(body), Leash()))

        return await self._answer(once, path, body)

    async def stream(self, path: str, body: Body) -> Reply | None:
        """The same for a reply that is streamed."""

        async def once() -> Reply:
            assembly = Assembly(path == CHAT)
            async for event in self.transport.stream(f"{self.url}/{path}", encode(body), Leash()):
                for _ in assembly.read(event):
                    pass
            return assembly.reply()

        return await self._answer(once, path, body)

    async def properties(self) -> dict[str, Any]:
        """What llama-server tells about itself outside the protocol; empty where it does not."""
        try:
            found = msgspec.json.decode(await self.transport.get(f"{self.url.rpartition('/')[0]}/props"))
        except (NotSent, Refused, Lost, msgspec.DecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    async def end(self) -> None:
        """Cut the calls that are under way, and wait until they are settled."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _answer(self, once: Callable[[], Awaitable[Reply]], path: str, body: Body) -> Reply | None:
        task = asyncio.current_task()
        assert task is not None
        self._asking.add(task)
        try:
            return await self._patiently(lambda: self._paid(once, most_usage(body)))
        except Refused as refusal:
            if refusal.status in KEY_OR_QUOTA:
                raise self._final(refusal, body.model) from None
            self.objections[path] = self.key.scrub(str(refusal))
            return None
        except Lost as loss:
            if loss.kind is not Loss.STATUS:
                raise self._useless(loss) from None
            self.doubtful = True  # some servers answer 500 to what they do not know
            self.objections[path] = self.key.scrub(str(loss))
            return None
        finally:
            self._asking.discard(task)

    async def _paid(self, once: Callable[[], Awaitable[Reply]], most: Usage) -> Reply:
        """One try: held at the most that it can cost, and settled with what the server says it did."""
        number = await self.purse.reserve(most)
        used: Usage | None = None
        try:
            reply = await once()
            used = known_usage(reply.usage)
            return reply
        except (Refused, NotSent):
            used = Usage()
            raise
        except Lost as loss:
            used = loss.usage
            raise
        finally:
            self.purse.settle(number, used)

    async def _patiently(self, once: Callable[[], Awaitable[T]]) -> T:
        """The outcome of the last of some tries. Raises Refused, Lost, and EngineError where there is no server."""
        for failed in range(1, TRIES):
            try:
                return await once()
            except Refused as refusal:
                if not refusal.passing:
                    raise
                asked = refusal.retry_after
            except Lost as loss:
                asked = loss.retry_after
            except NotSent:
                asked = None
            await asyncio.sleep(pause_before_retry(failed, asked, self._rng))
        try:
            return await once()
        except NotSent as failure:
            raise EngineError(
                f"Nothing answers at {self.url} ({failure}).", "Start the server, or correct the address."
            ) from None

    def _final(self, refusal: Refused, model: str) -> EngineError:
        refusal.message = self.key.scrub(refusal.message)
        return final(refusal, self.url, model)

    def _useless(self, loss: Lost) -> EngineError:
        return EngineError(
            f"{self.url} gives no usable answer ({self.key.scrub(str(loss))}).",
            "Wait until it has loaded its model, or look at its log.",
        )


@dataclass
class Rehearsal:
    """Takes a server's place, so that a probe adds up what it may cost at most before it asks for anything.

    It answers, with nothing, so that every way to ask is tried; only the first way to ask for a chat is refused, since
    the others ask for more tokens.
    """

    url: str
    key: Secret
    most: Usage = field(default_factory=Usage)
    objections: dict[str, str] = field(default_factory=dict)

    async def ask(self, path: str, body: Body) -> Reply | None:
        """A reply with nothing in it."""
        self.most += most_usage(body)
        return None if path == CHAT and body.max_tokens is not None else Reply()

    stream = ask

    async def properties(self) -> dict[str, Any]:
        """They cost nothing."""
        return {}


def most_usage(body: Body) -> Usage:
    """The most tokens that a call can cost: its prompt by its bytes, nothing of it cached, and whole completions."""
    prompt = Prompt(text=body.prompt, messages=body.messages).upper_bound_tokens()
    return Usage(prompt=prompt, completion=body.n * (body.max_tokens or body.max_completion_tokens or 0))
