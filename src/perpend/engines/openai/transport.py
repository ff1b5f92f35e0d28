"""One HTTP exchange: bytes out, bytes in, and every way to fail given its name."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy

from perpend.core import EngineError
from perpend.engines.openai.failures import Loss, Lost, NotSent, of_status
from perpend.engines.openai.leash import Leash
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.sse import Events

KEEP_ALIVE_SECONDS = 3.0
"""Less than the five that uvicorn and llama-server keep an idle connection: one that the server is about to close
would take a request with it, and nobody could say what that cost."""
DRAIN_SECONDS = 1.0
DONE = b"[DONE]"
NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True)
class Timeouts:
    """Seconds until a wait is given up.

    Attributes:
        connect: for a connection, name and handshake included.
        first_token: for the first event of a stream; queueing at the server counts.
        gap: between events.
        whole: for a reply that is not streamed, or all of a stream.
    """

    connect: float = 10.0
    first_token: float = 300.0
    gap: float = 60.0
    whole: float = 1800.0


class Transport:
    """Sends bodies over kept connections. It follows no redirect: the key would go along.

    A server that echoes the key is not heard: it is taken out of replies here, before anything is read, shortened or
    raised. (Texts are scrubbed once more when they are whole: a stream may split the key.)

    Args:
        key: goes with every request.
        timeouts: bound every wait.
    """

    def __init__(self, key: Secret, timeouts: Timeouts) -> None:
        self._key = key
        self._timeouts = timeouts
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(connect=timeouts.connect, sock_connect=timeouts.connect),
            headers={"Content-Type": "application/json", "User-Agent": "perpend", **key.headers()},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, url: str) -> bytes:
        """A resource. Raises NotSent, Refused, Lost."""
        return await self._bounded(Leash(), "GET", url, None)

    async def post(self, url: str, data: bytes, leash: Leash) -> bytes:
        """A whole reply. Raises NotSent, Refused, Lost, Cut."""
        return await self._bounded(leash, "POST", url, data)

    async def stream(self, url: str, data: bytes, leash: Leash) -> AsyncGenerator[bytes, None]:
        """The data of a reply's events, without the mark of their end. Raises NotSent, Refused, Lost, Cut.

        A server that does not stream, though asked to, gives all of its reply as one event.
        """
        ended = False
        try:
            async for event in self._events(url, data, leash):
                ended = ended or event == DONE
                if not ended:
                    yield event
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if not ended:
                raise _named(error) from error

    async def _bounded(self, leash: Leash, method: str, url: str, data: bytes | None) -> bytes:
        try:
            return await leash.wait(self._timeouts.whole, self._whole, method, url, data)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _named(error) from error

    async def _whole(self, method: str, url: str, data: bytes | None) -> bytes:
        async with self._session.request(method, url, data=data, allow_redirects=False) as response:
            body = self._key.scrub_bytes(await response.read())
            if response.status != 200:
                raise of_status(response.status, body, _retry_after(response.headers))
            return body

    async def _events(self, url: str, data: bytes, leash: Leash) -> AsyncGenerator[bytes, None]:
        limits = self._timeouts
        ends = time.monotonic() + limits.whole
        response = await leash.wait(min(limits.first_token, limits.whole), self._open, url, data)
        try:
            if response.status != 200:
                body = self._key.scrub_bytes(await leash.wait(limits.gap, response.read))
                raise of_status(response.status, body, _retry_after(response.headers))
            if response.content_type != "text/event-stream":
                yield self._key.scrub_bytes(await leash.wait(limits.whole, response.read))
                return
            async for event in self._read(response, leash, ends):
                yield self._key.scrub_bytes(event)
        finally:
            response.close()

    async def _open(self, url: str, data: bytes) -> aiohttp.ClientResponse:
        return await self._session.post(url, data=data, allow_redirects=False)

    async def _read(self, response: aiohttp.ClientResponse, leash: Leash, ends: float) -> AsyncGenerator[bytes, None]:
        """Events until the stream ends; after its mark only the end of the body is waited for, and not for long.

        A server may keep a stream alive for ever, a comment at a time: at `ends`, on the monotonic clock, it is left.
        """
        events, wait = Events(), self._timeouts.first_token
        while packet := await leash.wait(min(wait, ends - time.monotonic()), response.content.readany):
            wait = self._timeouts.gap
            for event in events.feed(packet):
                yield event
                wait = DRAIN_SECONDS if event == DONE else wait
        for event in events.end():
            yield event


def _retry_after(headers: CIMultiDictProxy[str]) -> str | None:
    return headers.get("Retry-After")


def _named(error: Exception) -> NotSent | Lost | EngineError:
    """What an error of the connection means for the request."""
    if isinstance(error, aiohttp.InvalidURL):
        return EngineError(f"{error} is not an address.", "Write openai:http://HOST:PORT/v1#MODEL.")
    text = str(error) or type(error).__name__
    if isinstance(error, NEVER_SENT):
        return NotSent(text)
    return Lost(Loss.LATE if isinstance(error, TimeoutError) else Loss.DROPPED, text)
