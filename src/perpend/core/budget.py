"""Budgets: a cap reserves before a call and settles after it, so that calls in flight cannot overshoot it together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from perpend.core.errors import ConfigError
from perpend.core.result import StopReason

ROUNDING = 1 + 1e-9
"""Sums of dollars may pass their cap by so much: ten times 0.1 is not 1."""


@dataclass(frozen=True)
class Budget:
    """Caps: any subset; the first to run out ends the scope. Seconds are wall-clock time."""

    usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    samples: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "usd=5,tokens=1e6". Raises ConfigError."""
        caps: dict[str, float | int] = {}
        names = [f.name for f in fields(cls)]
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, value = (p.strip() for p in part.partition("="))
            try:
                cap = float(value.replace("_", ""))
            except ValueError:
                cap = math.nan
            whole = name not in ("tokens", "samples") or cap == cap // 1
            if name not in names or not 0 <= cap < math.inf or not whole:
                raise ConfigError(
                    f"Budget {part!r} is not understood.",
                    f"Write NAME=AMOUNT, where NAME is one of {', '.join(names)} (tokens and samples are whole).",
                )
            caps[name] = int(cap) if name in ("tokens", "samples") else cap
        return cls(**caps)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return ",".join(f"{f.name}={v}" for f in fields(self) if (v := getattr(self, f.name)) is not None)


@dataclass(frozen=True)
class Amount:
    """What a budget counts, other than time."""

    usd: float = 0.0
    tokens: int = 0
    samples: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.tokens + other.tokens, self.samples + other.samples)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.usd - other.usd, self.tokens - other.tokens, self.samples - other.samples)


@dataclass
class Reservation:
    """A part of a budget that is held for a call in flight."""

    scope: Scope
    amount: Amount

    def settle(self, actual: Amount) -> None:
        """Give the reservation back and book what the call really cost."""
        for scope in self.scope.chain():
            scope.reserved -= self.amount
            scope.spent += actual
            scope.in_flight -= 1
        self.scope.wake()


class Scope:
    """A budget being spent: a job, a problem, a strategy or a request. What is spent within it counts in its parents.

    Args:
        budget: the caps.
        parent: the scope around it.
        spent: what an earlier run already spent.
        elapsed: seconds that earlier runs took.
        clock: in seconds; another one for tests. None: the parent's.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        parent: Scope | None = None,
        *,
        spent: Amount | None = None,
        elapsed: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.parent = parent
        self.spent = spent or Amount()
        self.reserved = Amount()
        self.in_flight = 0
        self._clock: Callable[[], float] = clock or (parent._clock if parent else time.monotonic)
        self._began = self._clock() - elapsed
        self._refused = False
        self._waiting: dict[asyncio.Future[None], None] = parent._waiting if parent else {}

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    @property
    def elapsed(self) -> float:
        """Seconds since it began, earlier runs included."""
        return self._clock() - self._began

    @property
    def ended(self) -> bool:
        """Whether a cap of this scope itself, not of one around it, has stopped a call or passed its deadline."""
        late = self.budget.seconds is not None and self.elapsed >= self.budget.seconds
        return self._refused or late

    def seconds_left(self) -> float | None:
        """Until the nearest deadline of this scope and those around it; None where there is none."""
        left = [s.budget.seconds - s.elapsed for s in self.chain() if s.budget.seconds is not None]
        return min(left) if left else None

    @property
    def left(self) -> Budget:
        """What may still be reserved here, over this scope and those around it."""
        held = [(s.budget, s.spent + s.reserved) for s in self.chain()]

        def least(cap: str) -> float | None:
            return min(
                (getattr(b, cap) - getattr(a, cap) for b, a in held if getattr(b, cap) is not None), default=None
            )

        tokens, samples = least("tokens"), least("samples")
        return Budget(
            usd=least("usd"),
            tokens=None if tokens is None else int(tokens),
            seconds=self.seconds_left(),
            samples=None if samples is None else int(samples),
        )

    def would_exceed(self, amount: Amount) -> tuple[Scope, StopReason] | None:
        """The scope and cap that the amount does not fit into, None where it fits."""
        for scope in self.chain():
            if scope.budget.seconds is not None and scope.elapsed >= scope.budget.seconds:
                return scope, StopReason.SECONDS
        for scope in self.chain():
            wanted = scope.spent + scope.reserved + amount
            for cap in ("usd", "tokens", "samples"):
                limit = getattr(scope.budget, cap)
                if limit is not None and getattr(wanted, cap) > limit * (ROUNDING if cap == "usd" else 1):
                    return scope, StopReason(cap)
        return None

    async def reserve(self, amount: Amount) -> Reservation | StopReason:
        """Hold an amount for a call, or say why not.

        A request that does not fit waits while calls are in flight in the scope that it does not fit into, since
        they may settle for less than they hold; with nothing in flight there, the budget has ended.
        """
        while True:
            blocked = self.would_exceed(amount)
            if blocked is None:
                return self._hold(amount)
            scope, reason = blocked
            if reason is StopReason.SECONDS or scope.in_flight == 0:
                scope._refused = True
                return reason
            await self._change()

    def wake(self) -> None:
        """Let those who wait for room look again, the longest waiting first."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def _hold(self, amount: Amount) -> Reservation:
        for scope in self.chain():
            scope.reserved += amount
            scope.in_flight += 1
        return Reservation(self, amount)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await asyncio.wait_for(future, self.seconds_left())
        except TimeoutError:
            return
        finally:
            self._waiting.pop(future, None)
