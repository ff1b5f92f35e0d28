"""A study's progress, on stderr: one rich screen on a terminal, a line now and then elsewhere, in words or as JSON."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perpend.cli.output import err
from perpend.cli.tally import Tally, clock_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

JSON_EVERY_SECONDS = 1.0
"""How often a JSON line is due while counts change."""
LINE_EVERY_SECONDS = 9.5
"""How often any line is due, whether or not anything changes."""
QUIET_SECONDS = 5.0
"""Without news for so long, a line says what is waited for."""
BEAT_SECONDS = 0.5
"""How often it is looked at whether one is: no gap is longer than ten seconds."""


@contextmanager
def progress(*, as_json: bool = False) -> Iterator[Tally]:
    """A listener that shows what it hears while the context is open."""
    console = err()
    if as_json or not console.is_terminal:
        lines = json_lines(console) if as_json else plain_lines(console)
        tally = Tally(changed=lines)
        with heartbeat(lambda: lines.beat(tally)):
            yield tally
        if as_json:
            lines.say(tally)
        return
    from rich.live import Live

    screen = Screen(Tally())
    with Live(console=console, get_renderable=screen.draw, refresh_per_second=8, transient=True):
        yield screen.tally


@contextmanager
def heartbeat(beat: Callable[[], None], seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Call `beat` every so many seconds while the context is open, in a thread: the event loop may be busy."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            beat()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Lines:
    """Says a line when the phase changes, and one now and then in between, also where nothing changes.

    Args:
        begin: says that a phase begins.
        say: says the counts.
        every_seconds: how often they are due while they change.
        clock: in seconds.
    """

    def __init__(
        self,
        begin: Callable[[Tally], None],
        say: Callable[[Tally], None],
        every_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.say = say
        self._begin, self._every, self._clock = begin, every_seconds, clock
        self._said, self._phase = 0.0, ""
        self._lock = threading.Lock()

    def __call__(self, tally: Tally) -> None:
        """Something changed."""
        self._say_if_due(tally, self._every)

    def beat(self, tally: Tally) -> None:
        """Nothing may have changed for long."""
        self._say_if_due(tally, LINE_EVERY_SECONDS)

    def _say_if_due(self, tally: Tally, every_seconds: float) -> None:
        with self._lock:
            now = self._clock()
            if tally.doing != self._phase:
                self._begin(tally)
            elif now - self._said >= every_seconds:
                self.say(tally)
            else:
                return
            self._said, self._phase = now, tally.doing


def plain_lines(console: Console, clock: Callable[[], float] = time.monotonic) -> Lines:
    """In words."""

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    return Lines(lambda tally: say(f"{tally.doing} …"), lambda tally: say(line(tally)), LINE_EVERY_SECONDS, clock)


def json_lines(console: Console, clock: Callable[[], float] = time.monotonic) -> Lines:
    """A JSON object a line, every second while counts change."""

    def say(tally: Tally) -> None:
        console.file.write(json.dumps(as_values(tally)) + "\n")
        console.file.flush()

    return Lines(say, say, JSON_EVERY_SECONDS, clock)


def as_values(tally: Tally) -> dict[str, object]:
    """What the screen shows, as JSON values; null is unknown."""
    return {
        "event": "progress",
        "phase": tally.doing,
        "problems": [tally.problems_done, tally.problems_total],
        "samples": [tally.samples_done, tally.samples_planned],
        "tokens": tally.tokens,
        "tokens_per_second": tally.tokens_per_second,
        "usd": tally.usd,
        "projected_usd": tally.projected_usd,
        "retries": tally.again.total(),
        "retried_after": dict(tally.again),
        "silent_seconds": round(tally.silence, 3),
        "elapsed_seconds": round(tally.elapsed, 3),
        "seconds_left": tally.seconds_left,
    }


def line(tally: Tally) -> str:
    """The counts in one line; before there are any, and while nothing arrives, what is waited for."""
    elapsed = f"{clock_text(tally.elapsed)} elapsed"
    if not tally.samples_planned:
        return f"{tally.doing}, {elapsed}"
    waiting = f", {tally.doing}: nothing new for {clock_text(tally.silence)}" * (tally.silence >= QUIET_SECONDS)
    return (
        f"{tally.problems_done}/{tally.problems_total} problems, "
        f"{tally.samples_done}/{tally.samples_planned} samples, {_speed(tally)}, {_money(tally, ', ')}"
        f"{elapsed}, {clock_text(tally.seconds_left)} left{waiting}"
    )


class Screen:
    """The whole picture, drawn anew several times a second."""

    def __init__(self, tally: Tally) -> None:
        from rich.spinner import Spinner

        self.tally = tally
        self._spinner = Spinner("dots")

    def draw(self) -> RenderableType:
        """As it is now."""
        from rich.console import Group
        from rich.text import Text

        tally = self.tally
        self._spinner.update(text=Text(tally.doing, style="bold"))
        if not tally.samples_planned:
            return self._spinner
        stored = f" · {tally.samples_stored:,} samples from the store" if tally.samples_stored else ""
        times = f"{clock_text(tally.elapsed)} elapsed · {clock_text(tally.seconds_left)} left"
        spent = f"{_money(tally, ' · ')}{_speed(tally)}{stored}"
        return Group(self._spinner, self._bars(), Text(f"{times} · {spent}", style="dim"))

    def _bars(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        tally = self.tally
        grid = Table.grid(padding=(0, 2))
        for name, done, total in (
            ("problems", tally.problems_done, tally.problems_total),
            ("samples", tally.samples_done, tally.samples_planned),
        ):
            bar = ProgressBar(total=max(total, 1), completed=done, width=40)
            grid.add_row(f"  {name}", f"{done:,} / {total:,}", bar)
        return grid


def _money(tally: Tally, after: str) -> str:
    """Dollars, and retries with what they came after, each only where there are any."""
    from perpend.report.formats import usd

    parts = []
    if tally.usd is not None:
        about = "" if tally.projected_usd is None else f" of about {usd(tally.projected_usd)}"
        parts.append(f"{usd(tally.usd)}{about}")
    if again := tally.again:
        causes = ", ".join(f"{count:,} after {cause}" for cause, count in again.most_common())
        parts.append(f"{again.total():,} retr{'y' if again.total() == 1 else 'ies'} ({causes})")
    return "".join(part + after for part in parts)


def _speed(tally: Tally) -> str:
    speed = tally.tokens_per_second
    return "– tokens/s" if speed is None else f"{speed:,.0f} tokens/s"
