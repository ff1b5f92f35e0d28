"""How far a study is: a listener that counts, and knows nothing of screens."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perpend.core import Delta, Request, Sample
    from perpend.study.meter import Meter

WINDOW_SECONDS = 15.0
"""The speed shown is that of the last so many seconds."""


@dataclass
class Tally:
    """Implements `StudyListener` by counting; `changed` is called when a line of a log would be due."""

    clock: Callable[[], float] = time.monotonic
    changed: Callable[[Tally], None] = lambda _: None
    doing: str = "starting"
    samples_planned: int = 0
    samples_stored: int = 0
    samples_now: int = 0
    bought: int = 0
    problems_done: int = 0
    problems_total: int = 0
    tokens: int = 0
    meter: Meter | None = None
    began: float = field(init=False)
    heard: float = field(init=False)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _streams: bool = False
    _drawing_since: float | None = None

    def __post_init__(self) -> None:
        self.began = self.heard = self.clock()

    def phase(self, text: str) -> None:
        """Something else begins."""
        self.doing, self.heard = text, self.clock()
        self.changed(self)

    def planned(self, samples: int, stored: int, problems: int) -> None:
        """What the study draws in all, and how much of it is in the store."""
        self.samples_planned, self.samples_stored, self.problems_total = samples, stored, problems
        self.changed(self)

    def metered(self, meter: Meter) -> None:
        """Where money and retries are read."""
        self.meter = meter

    def block(self, done: int, total: int) -> None:
        """Problems are complete."""
        self.problems_done, self.problems_total = done, total
        self.changed(self)

    def delta(self, request: Request, delta: Delta) -> None:  # noqa: ARG002 (any request's)
        """Tokens arrived."""
        self._heard(delta.tokens)
        self._streams = True

    def sample(self, sample: Sample, bought: bool) -> None:
        """A sample is complete."""
        self.samples_now += 1
        self.heard = self.clock()
        if bought:
            self.bought += 1
            self._drawing_since = self._drawing_since or self.clock()
            if not self._streams:
                self._heard(sample.usage.completion)
        self.changed(self)

    @property
    def samples_done(self) -> int:
        """Stored before and drawn now."""
        return min(self.samples_stored + self.samples_now, self.samples_planned)

    @property
    def usd(self) -> float | None:
        """Spent so far, earlier runs included; None where a price is unknown."""
        return None if self.meter is None else self.meter.usd

    @property
    def projected_usd(self) -> float | None:
        """What the whole study comes to, if the rest costs what the samples so far did."""
        if self.usd is None or not self.samples_done:
            return None
        return self.usd / self.samples_done * self.samples_planned

    @property
    def again(self) -> Counter[str]:
        """Calls of this run that were made again, by what had become of them."""
        return Counter() if self.meter is None else self.meter.again

    @property
    def silence(self) -> float:
        """Seconds since anything arrived or began."""
        return self.clock() - self.heard

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.began

    @property
    def tokens_per_second(self) -> float | None:
        """Over the last seconds; None before there is anything to count."""
        now = self.clock()
        with self._lock:  # a display reads in a thread of its own
            while self._recent and self._recent[0][0] < now - WINDOW_SECONDS:
                self._recent.popleft()
            if not self._recent:
                return None
            return sum(tokens for _, tokens in self._recent) / max(now - self._recent[0][0], 1.0)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of the samples bought so far; None before enough of them."""
        if self._drawing_since is None or self.bought < 8:
            return None
        pace = (self.clock() - self._drawing_since) / self.bought
        return pace * (self.samples_planned - self.samples_done)

    def _heard(self, tokens: int) -> None:
        self.tokens += tokens
        self.heard = self.clock()
        with self._lock:
            self._recent.append((self.heard, tokens))
        self._drawing_since = self._drawing_since or self.heard


def clock_text(seconds: float | None) -> str:
    """Seconds as 0:07, 3:15 or 1:02:03; a dash where unknown."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
