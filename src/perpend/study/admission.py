"""Which blocks may begin: a study that ends early is small, not biased, so blocks that begin must be able to finish."""

from __future__ import annotations

from dataclasses import dataclass

from perpend.core import Amount, Scope, StopReason


@dataclass
class Admission:
    """Admits a block only if what is left covers the blocks in flight and one more, at the largest seen so far.

    Stopping at whichever blocks happened to fit would favour the short ones. Until a block has finished nothing is
    known of their size, so under a cap the first runs alone.
    """

    scope: Scope
    largest: Amount | None = None
    longest_seconds: float = 0.0
    in_flight: int = 0

    def may_begin(self) -> bool:
        """Whether one more block can be afforded now."""
        if not self._capped:
            return True
        if self.largest is None:
            return self.in_flight == 0
        return self.shortage() is None

    def shortage(self) -> StopReason | None:
        """The cap that one more block would not fit into, None where it fits."""
        if self.largest is None:
            return None
        for scope in self.scope.chain():
            for cap in ("usd", "tokens", "samples"):
                limit = getattr(scope.budget, cap)
                needed = getattr(self.largest, cap) * (self.in_flight + 1)
                if limit is not None and getattr(scope.spent, cap) + needed > limit:
                    return StopReason(cap)
        left = self.scope.seconds_left()
        return StopReason.SECONDS if left is not None and left < self.longest_seconds else None

    def begun(self) -> None:
        """A block has begun."""
        self.in_flight += 1

    def finished(self, spent: Amount, seconds: float) -> None:
        """A block has finished, and cost this much."""
        self.in_flight -= 1
        known = self.largest or Amount()
        self.largest = Amount(*(max(getattr(known, cap), getattr(spent, cap)) for cap in ("usd", "tokens", "samples")))
        self.longest_seconds = max(self.longest_seconds, seconds)

    @property
    def _capped(self) -> bool:
        caps = ("usd", "tokens", "samples", "seconds")
        return any(getattr(scope.budget, cap) is not None for scope in self.scope.chain() for cap in caps)
