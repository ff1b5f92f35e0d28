"""How many calls a server gets at once: more, until its latency or its refusals say that more is of no use.

By Little's law a server's throughput is calls in flight over seconds a call. The limit grows while throughput grows
with it; where a step of growth brought less than a fifth of its own size, it is taken back (Vegas, Brakmo & Peterson
1995, has the idea). Refusals (429) are judged by their share: a few are noise that their own retries deal with, many
mean that the limit is too high.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST = 32
"""Servers queue what they cannot take yet, and a ramp from less would cost a short study more."""
FAST, CAREFUL = 2.0, 1.25
"""Growth until the first stop, and after it."""
WORTH = 0.2
"""The share of a step's growth that throughput has to gain for the step to stand."""
TOO_MANY_REFUSED = 0.2
BACK_OFF = 0.7
REST_WINDOWS = 8
"""Windows at one limit after a stop, before growth is tried again."""
OVERHEAD_TOKENS = 8
"""What a call costs besides its tokens, in tokens: short and long calls become comparable."""


@dataclass
class Window:
    """Calls that were sent at one level of the limit."""

    answered: int = 0
    refused: int = 0
    seconds: float = 0.0
    work: int = 0
    peak: int = 0

    @property
    def judged(self) -> int:
        """Calls that count."""
        return self.answered + self.refused

    def throughput(self, limit: int) -> float:
        """Tokens a second, with so many calls in flight."""
        return limit * self.work / self.seconds if self.seconds > 0 else float("inf")


@dataclass
class Limiter:
    """The limit of one server.

    Args:
        most: it never exceeds this.
        limit: to begin with.
    """

    most: int
    limit: int = FIRST
    in_flight: int = 0
    level: int = 0
    _factor: float = FAST
    _rest: int = 0
    _before: tuple[int, float] | None = None
    _window: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        self.limit = min(self.limit, self.most)

    @property
    def free(self) -> bool:
        """Whether one more call may be sent."""
        return self.in_flight < self.limit

    def enter(self) -> int:
        """Count a call in; returns the level, which is given back with its outcome."""
        self.in_flight += 1
        self._window.peak = max(self._window.peak, self.in_flight)
        return self.level

    def leave(self) -> None:
        """Count a call out."""
        self.in_flight -= 1

    def answered(self, level: int, seconds: float, tokens: int) -> None:
        """A call sent at that level was answered."""
        if level == self.level:
            self._window.answered += 1
            self._window.seconds += seconds
            self._window.work += tokens + OVERHEAD_TOKENS
            self._judge()

    def refused(self, level: int) -> None:
        """A call sent at that level was too many."""
        if level == self.level:
            self._window.refused += 1
            self._judge()

    def restart(self) -> None:
        """Begin anew with one call: the server was away."""
        self._step(1)
        self._factor = FAST

    def _judge(self) -> None:
        window = self._window
        if window.judged < self.limit:
            return
        throughput = window.throughput(self.limit)
        if window.refused > TOO_MANY_REFUSED * window.judged:
            self._stop(max(1, int(self.limit * BACK_OFF)))
        elif self._before is not None and throughput < self._needed(*self._before):
            self._stop(self._before[0])
        elif self._rest > 0 or window.peak < self.limit or self.limit >= self.most:
            self._rest, self._before, self._window = max(0, self._rest - 1), None, Window()
        else:
            self._step(min(self.most, max(self.limit + 1, int(self.limit * self._factor))), (self.limit, throughput))

    def _needed(self, limit: int, throughput: float) -> float:
        """The throughput at which growth from that limit was worth it."""
        return throughput * (1 + WORTH * (self.limit / limit - 1))

    def _stop(self, limit: int) -> None:
        self._step(limit)
        self._factor, self._rest = CAREFUL, REST_WINDOWS

    def _step(self, limit: int, before: tuple[int, float] | None = None) -> None:
        self.limit, self._before, self._window = limit, before, Window(peak=self.in_flight)
        self.level += 1
