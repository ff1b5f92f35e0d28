"""A clock that counts tokens: what runs side by side advances together, and it stands still while others think."""

from __future__ import annotations

import asyncio
import heapq

SETTLE_TURNS = 16
"""Turns of the event loop in which nothing may happen before the clock moves on: enough for a finished sample to reach
its strategy, and for the strategy to ask for the next or to cut the rest."""


class Wait:
    """For a number of tokens to pass, or for being cut."""

    def __init__(self) -> None:
        self.is_cut = False
        self.over = asyncio.Event()

    def cut(self) -> None:
        """End it now, if it has not ended yet."""
        if not self.over.is_set():
            self.is_cut = True
            self.over.set()


class VirtualClock:
    """Discrete-event time, in tokens."""

    def __init__(self) -> None:
        self.now = 0
        self._queue: list[tuple[int, int, int, Wait]] = []
        self._entries = 0
        self._driver: asyncio.Task[None] | None = None

    async def spend(self, tokens: int, index: int, wait: Wait) -> int:
        """Wait for so many tokens; returns those that have passed when it was cut. Ties go to the lower index."""
        began = self.now
        self._entries += 1
        heapq.heappush(self._queue, (began + tokens, index, self._entries, wait))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        await wait.over.wait()
        return min(tokens, self.now - began) if wait.is_cut else tokens

    async def _drive(self) -> None:
        while self._queue:
            entries = self._entries
            for _ in range(SETTLE_TURNS):
                await asyncio.sleep(0)
            if entries == self._entries:
                due, _, _, wait = heapq.heappop(self._queue)
                if not wait.is_cut:
                    self.now = due
                    wait.over.set()
