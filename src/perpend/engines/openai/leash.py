"""What bounds every wait of one request: seconds, and its caller, who may cancel at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from perpend.engines.openai.failures import Cut

P = ParamSpec("P")
T = TypeVar("T")


class Leash:
    """Hold on one request. It interrupts by the means of `asyncio.timeout`, so that no extra task is needed."""

    def __init__(self) -> None:
        self.cancelled = False
        self._waits: set[asyncio.Timeout] = set()
        self._futures: set[asyncio.Future[bool]] = set()

    def cancel(self) -> None:
        """End whatever the request waits for, now; each wait raises Cut."""
        self.cancelled = True
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(0.0)
        for future in self._futures:
            if not future.done():
                future.set_exception(Cut())

    async def wait(self, seconds: float | None, start: Callable[P, Awaitable[T]], *args: P.args, **kw: P.kwargs) -> T:
        """Await `start(…)` for so long. Raises Cut, and TimeoutError."""
        if self.cancelled:
            raise Cut
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                self._waits.add(scope)
                return await start(*args, **kw)
        except TimeoutError:
            if self.cancelled:
                raise Cut from None
            raise
        finally:
            self._waits.discard(scope)

    async def told(self, future: asyncio.Future[bool]) -> bool:
        """The future's result. Raises Cut."""
        if self.cancelled:
            raise Cut
        self._futures.add(future)
        try:
            return await future
        finally:
            self._futures.discard(future)

    async def sleep(self, seconds: float) -> None:
        """Raises Cut."""
        await self.wait(None, asyncio.sleep, seconds)
