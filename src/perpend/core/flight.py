"""Samples on their way: looked up, or waited for where another run buys them, or bought call by call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from perpend.core.budget import Scope
from perpend.core.charge import Cause, Charges
from perpend.core.errors import CallLost
from perpend.core.prompt import digest
from perpend.core.protocols import DrawnFrom, SampleKey, Task
from perpend.core.purchase import Purchase
from perpend.core.result import StopReason
from perpend.core.sample import Finish, Sample
from perpend.core.world import World

MOST_CHOICES = 16
"""Samples of one call, at most: the prompt is then 6 % of what it would be alone, so that more would save little, while
a call that breaks loses all of them and holds a reservation as large."""


def most_choices(world: World, source: DrawnFrom) -> int:
    """How many samples one call may have: several where the engine can, and where none could be drawn again alone.

    Greedy ones are all alike, and some servers refuse to give several.
    """
    caps = world.engine(source.engine).caps
    alone = (caps.seeds and world.reproducible) or source.prompt.temperature == 0
    return MOST_CHOICES if caps.choices and not alone else 1


class Flight:
    """Samples of one pool on their way together: several where calls for several are wanted, else one.

    Args:
        world: where they come from.
        task: gives them their answers and keys.
        scope: the budget that they are held against.
        source: what they are drawn from.
        keys: their names.
        cause: what they are for.

    Attributes:
        samples: what arrived, CANCELLED where it was cut.
        lost: what calls cost of which nothing arrived: they broke, or were abandoned.
    """

    def __init__(
        self, world: World, task: Task, scope: Scope, source: DrawnFrom, keys: Sequence[SampleKey], cause: Cause
    ) -> None:
        self.keys = keys
        self.samples: dict[SampleKey, Sample] = {}
        self.lost = Charges()
        self._world = world
        self._task = task
        self._scope = scope
        self.source = source
        self._cause = cause
        self._purchase: Purchase | None = None
        self._most = MOST_CHOICES
        self._wanted = True
        self._flying: asyncio.Task[StopReason | None] | None = None

    def launch(self, landed: Callable[[Flight], None]) -> None:
        """Set off; `landed` is called when it has ended, whichever way."""

        def end(flying: asyncio.Task[StopReason | None]) -> None:
            if not flying.cancelled():
                flying.exception()  # whoever awaits the result raises it; nobody may, after a cancellation
            landed(self)

        self._flying = asyncio.create_task(self._fly())
        self._flying.add_done_callback(end)

    def result(self) -> StopReason | None:
        """Why the budget ended it, None where it did not. Raises what the engine raised."""
        assert self._flying is not None
        return None if self._flying.cancelled() else self._flying.result()

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self._flying is not None and self._flying.done()

    async def wait(self, seconds: float) -> None:
        """Until it has ended, or for so long."""
        if self._flying is not None:
            await asyncio.wait([self._flying], timeout=seconds)

    def cut(self) -> None:
        """Ask the engine to end it; what it generated is handed over. Without a call in flight there is nothing."""
        self._wanted = False
        if self._purchase is None or not self._purchase.cancel():
            self.abandon()

    def abandon(self) -> None:
        """End it without waiting for the engine."""
        if self._flying is not None:
            self._flying.cancel()

    async def _fly(self) -> StopReason | None:
        in_flight = self._world.in_flight
        while (twin := next((in_flight[key] for key in self.keys if key in in_flight), None)) is not None:
            await twin.wait()
        missing = [key for key in self.keys if not self._is_stored(key)]
        landed = asyncio.Event()
        in_flight.update(dict.fromkeys(missing, landed))
        try:
            return await self._buy(missing)
        finally:
            for key in missing:
                del in_flight[key]
            landed.set()

    def _is_stored(self, key: SampleKey) -> bool:
        stored = self._world.recorder.stored_sample(key)
        if stored is not None:
            self._arrive(key, replace(stored, engine=self.source.engine), bought=False)
        return stored is not None

    async def _buy(self, missing: Sequence[SampleKey]) -> StopReason | None:
        """Ask until all have arrived, or the engine says that it will not answer; each call is reserved anew.

        What a call for several brought stands, and the rest is asked for again; alone, where it brought nothing.
        """
        attempt, since = 0, time.time()
        while missing and self._wanted:
            try:
                arrived = await self._ask(missing, attempt, since)
            except CallLost as lost:
                await asyncio.sleep(lost.retry_seconds or 0.0)
                attempt += 1
                continue
            if isinstance(arrived, StopReason):
                return arrived
            for key, sample in zip(missing, arrived, strict=False):
                self._arrive(key, sample, bought=True)
            if not arrived:
                self._most = 1
            missing, attempt = missing[len(arrived) :], 0
        return None

    async def _ask(self, keys: Sequence[SampleKey], attempt: int, since: float) -> list[Sample] | StopReason:
        """One call, for as many as the budget has room for now; for one, which waits for room, where it has none."""
        choices = min(len(keys), self._most)
        while not (purchase := self._prepare(keys[:choices], attempt, since)).fits() and choices > 1:
            choices -= 1
        self._purchase = purchase
        arrived: list[Sample] | StopReason = []
        try:
            arrived = await purchase.make()
        finally:
            self._purchase = None
            if arrived == [] and purchase.spent is not None:
                self.lost.add(*purchase.spent)
        return arrived

    def _prepare(self, keys: Sequence[SampleKey], attempt: int, since: float) -> Purchase:
        return Purchase(self._world, self._task, self._scope, self.source, keys, self._cause, attempt, since)

    def _arrive(self, key: SampleKey, sample: Sample, bought: bool) -> None:
        self.samples[key] = sample
        if sample.usage.prompt > 0:
            self._world.prompt_tokens[key.pool] = sample.usage.prompt
        if sample.finish is not Finish.CANCELLED:
            self._world.listener.sample(sample, bought)


def pool_key(source: DrawnFrom) -> str:
    """A digest of everything that a sample's law depends on, and its problem; never of the strategy."""
    return digest({**asdict(source), "engine": None, "prompt": source.prompt.law()})
