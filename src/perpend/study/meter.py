"""What a study is spending, to be read while it draws, and afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from perpend.core import Engine, Scope


@dataclass(frozen=True)
class Meter:
    """Reads what has been spent so far, earlier runs included.

    Attributes:
        scope: the job's budget, in which everything is booked.
        counts: of the engines that count their calls.
        priced: whether every engine has a price.
    """

    scope: Scope
    counts: tuple[object, ...]
    priced: bool

    @classmethod
    def of(cls, scope: Scope, engines: Iterable[Engine], *, priced: bool) -> Meter:
        """Of engines that have started; it may be read when they are closed."""
        return cls(scope, tuple(getattr(engine, "counts", None) for engine in engines), priced)

    @property
    def usd(self) -> float | None:
        """Dollars, None where a price is unknown."""
        return self.scope.spent.usd if self.priced else None

    @property
    def again(self) -> Counter[str]:
        """Calls of this run that brought nothing and were made again, by status or kind of loss."""
        return sum((_counter(each, "refused") + _counter(each, "lost") for each in self.counts), Counter())


def refused_calls(engine: Engine) -> Counter[str]:
    """Calls of this run that cost nothing and were made again, by status; nothing where an engine makes no calls."""
    return _counter(getattr(engine, "counts", None), "refused")


def _counter(counts: object, name: str) -> Counter[str]:
    return Counter(getattr(counts, name, {}))
