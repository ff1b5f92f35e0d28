"""The order in which a strategy is given samples that are drawn side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from perpend.core.flight import Flight
from perpend.core.sample import Finish, Sample

Order = Literal["index", "finish"]


class Arrivals:
    """What flights brought, handed on in the order that the strategy asked for."""

    def __init__(self, order: Order, first: int) -> None:
        self._in_order = order == "index"
        self._next = first
        self._ended: dict[int, Sample | None] = {}

    def add(self, flight: Flight) -> None:
        """One more has ended."""
        self._ended.update({key.index: flight.samples.get(key) for key in flight.keys})

    def take(self) -> Iterator[Sample]:
        """Those whose turn it is."""
        if not self._in_order:
            yield from self.rest()
        while self._next in self._ended:
            sample = self._ended.pop(self._next)
            self._next += 1
            if sample is not None and sample.finish is not Finish.CANCELLED:
                yield sample

    def rest(self) -> Iterator[Sample]:
        """All that there are, whatever is missing between them."""
        for index in sorted(self._ended):
            sample = self._ended.pop(index)
            if sample is not None and sample.finish is not Finish.CANCELLED:
                yield sample
