"""The order in which a strategy is given samples that are drawn side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from perpend.core.flight import Flight
from perpend.core.sample import Finish

Order = Literal["index", "finish"]


class Arrivals:
    """Flights that have ended, handed on in the order that the strategy asked for."""

    def __init__(self, order: Order, first: int) -> None:
        self._in_order = order == "index"
        self._next = first
        self._ended: dict[int, Flight] = {}

    def add(self, flight: Flight) -> None:
        """One more has ended."""
        self._ended[flight.key.index] = flight

    def take(self) -> Iterator[Flight]:
        """Those whose turn it is."""
        if not self._in_order:
            yield from self.rest()
        while self._next in self._ended:
            flight = self._ended.pop(self._next)
            self._next += 1
            if _is_whole(flight):
                yield flight

    def rest(self) -> Iterator[Flight]:
        """All that have ended, whatever is missing between them."""
        for index in sorted(self._ended):
            flight = self._ended.pop(index)
            if _is_whole(flight):
                yield flight


def _is_whole(flight: Flight) -> bool:
    return flight.sample is not None and flight.sample.finish is not Finish.CANCELLED
