"""What engines spend that is no sample's: booked as they spend it, beside the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from perpend.core import Charge, Engine, Price
from perpend.store import Store


class Overhead:
    """Books the overhead of engines that have started.

    It is booked when a run begins (what probing took) and when it ends, also where it is interrupted. A run that is
    killed with `kill -9` leaves out the fillers of its own time. Budgets know nothing of it, but for what an endpoint
    billed for being probed (`record.probes`).
    """

    def __init__(self, engines: Mapping[str, Engine], prices: Mapping[str, Price], store: Store) -> None:
        self._engines, self._prices, self._store = engines, prices, store
        self._booked = {name: Charge() for name in engines}

    def book(self) -> None:
        """Write down what has been spent since the last time. Raises StoreError."""
        for name, engine in self._engines.items():
            spent = engine.overhead
            fresh = _since(spent, self._booked[name])
            if fresh.usage.tokens or fresh.device_seconds:
                self._store.book_overhead(name, self._priced(fresh, engine))
                self._booked[name] = spent

    def _priced(self, spent: Charge, engine: Engine) -> Charge:
        price, tokens = self._prices.get(engine.name), spent.usage.tokens
        return replace(
            spent,
            usd=None if price is None else price.usd(spent.usage, spent.device_seconds or 0.0),
            # Each token as the first of its sequence: fillers are too short for attention to matter.
            flops=None if engine.shape is None else tokens * engine.shape.flops(0.0, 0.0, 1.0),
        )


def _since(spent: Charge, booked: Charge) -> Charge:
    seconds = spent.device_seconds
    fresh = None if seconds is None else seconds - (booked.device_seconds or 0.0)
    return Charge(spent.usage - booked.usage, device_seconds=fresh)
