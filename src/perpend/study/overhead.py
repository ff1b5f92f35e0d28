"""What engines spend that is no sample's: booked as they spend it, beside the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from perpend.core import Amount, Cause, Charge, ConfigError, Engine, Price, Recorder, Reservation, Scope, Usage
from perpend.store import Store
from perpend.study.ledger import priced
from perpend.study.pricing import refuse_unpriced_caps


class JobPurse:
    """Pays for the probe of one engine out of a job's budget. Implements `Purse`.

    Args:
        engine: its name.
        scope: the job's budget.
        recorder: where calls are stored before they are sent.
        price: by the token, None where it is not known.

    Attributes:
        paid: so far; calls that nobody knows the cost of at what was held for them.
    """

    def __init__(self, engine: str, scope: Scope, recorder: Recorder, price: Price | None) -> None:
        self.paid = Charge()
        self._engine, self._scope, self._recorder, self._price = engine, scope, recorder, price
        self._held: dict[int, tuple[Reservation, Charge]] = {}

    def afford(self, most: Usage) -> None:
        """Raise ConfigError where the budget has no room for calls that may cost so much together."""
        budget, charge = self._scope.budget, self._charge(most)
        refuse_unpriced_caps([budget], [self._engine] if self._price is None else [])
        if self._scope.would_exceed(_amount(charge)) is not None:
            dollars = "" if charge.usd is None else f"${charge.usd:.2g}, "
            raise ConfigError(
                f"What is left of the budget ({budget}) is less than asking what engine {self._engine} can do may cost "
                f"({dollars}{most.tokens:,} tokens).",
                "Raise --budget; once that is known it is remembered, and costs nothing any more.",
            )

    async def reserve(self, most: Usage) -> int:
        """Hold the most that a call can cost, and store that before it is sent. Raises ConfigError as `afford`."""
        self.afford(most)
        charge = self._charge(most)
        held = await self._scope.reserve(_amount(charge))  # it fits, so that this does not wait
        assert isinstance(held, Reservation)
        number = self._recorder.reserve_overhead(self._engine, charge)
        self._held[number] = held, charge
        return number

    def settle(self, reservation: int, used: Usage | None) -> None:
        """Book what the call cost. None: nobody knows, and it stays at what was held, as uncertain."""
        held, most = self._held.pop(reservation)
        cause, charge = (Cause.UNCERTAIN, most) if used is None else (Cause.OVERHEAD, self._charge(used))
        self._recorder.settle(reservation, [], cause, charge)
        held.settle(_amount(charge))
        self.paid += charge

    def _charge(self, usage: Usage) -> Charge:
        """Calls are counted for samples alone; a server tells neither its seconds nor the model's shape."""
        usd = None if self._price is None else self._price.usd(usage)
        return Charge(usage, usd=usd, flops=None, device_seconds=None)


def probing(store: Store, prices: Mapping[str, Price]) -> Amount:
    """What endpoints were paid for being probed, over all runs: what has no seconds was not spent on this machine."""
    charges = [(name, charge) for name, _, charge in store.overhead() if charge.device_seconds is None]
    return sum((_amount(priced(charge, prices.get(name))) for name, charge in charges), Amount())


def _amount(charge: Charge) -> Amount:
    return Amount(charge.usd or 0.0, charge.usage.tokens)


class Overhead:
    """Books the overhead of engines that have started.

    It is booked when its engines have started (what probing took on this machine) and when it ends, also where it is
    interrupted. A run that is killed with `kill -9` leaves out the fillers of its own time. Budgets know nothing of it.
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
