"""What a study is spending, to be read while it draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from perpend.core import Engine, Scope


@dataclass(frozen=True)
class Meter:
    """Reads what has been spent so far, earlier runs included.

    Attributes:
        scope: the job's budget, in which everything is booked.
        engines: by name.
        priced: whether all of them have a price.
    """

    scope: Scope
    engines: Mapping[str, Engine]
    priced: bool

    @property
    def usd(self) -> float | None:
        """Dollars, None where a price is unknown."""
        return self.scope.spent.usd if self.priced else None

    @property
    def retries(self) -> int:
        """Calls of this run that brought nothing and were made again."""
        return sum(sum(failed.values()) for engine in self.engines.values() for failed in _failed(engine))


def refused_calls(engine: Engine) -> Counter[str]:
    """Calls of this run that cost nothing and were made again, by status; nothing where an engine makes no calls."""
    return _failed(engine)[0]


def _failed(engine: Engine) -> tuple[Counter[str], Counter[str]]:
    """Refused and lost calls, of an engine that counts them."""
    counts = getattr(engine, "counts", None)
    return Counter(getattr(counts, "refused", {})), Counter(getattr(counts, "lost", {}))
