"""A study's progress, on stderr: one rich screen on a terminal, a line now and then elsewhere, in words or as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perpend.cli.output import err
from perpend.cli.tally import Tally, clock_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

JSON_EVERY_SECONDS = 1.0
LINE_EVERY_SECONDS = 10.0
"""How often a plain line is due while nothing but the counts changes."""


@contextmanager
def progress(*, as_json: bool = False) -> Iterator[Tally]:
    """A listener that shows what it hears while the context is open."""
    console = err()
    if as_json:
        tally = Tally(changed=JsonLines(console))
        yield tally
        JsonLines(console)(tally)
        return
    if not console.is_terminal:
        yield Tally(changed=PlainLines(console))
        return
    from rich.live import Live

    screen = Screen(Tally())
    with Live(console=console, get_renderable=screen.draw, refresh_per_second=8, transient=True):
        yield screen.tally


class PlainLines:
    """Prints a line when the phase changes and every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = (-LINE_EVERY_SECONDS, "")

    def __call__(self, tally: Tally) -> None:
        """Something changed."""
        now = time.monotonic()
        when, phase = self._last
        if tally.doing != phase:
            self._print(f"{tally.doing} …")
        elif tally.samples_planned and now - when >= LINE_EVERY_SECONDS:
            self._print(line(tally))
        else:
            return
        self._last = (now, tally.doing)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class JsonLines:
    """Prints a JSON object a line, when the phase changes and every second."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._last = (-JSON_EVERY_SECONDS, "")

    def __call__(self, tally: Tally) -> None:
        """Something changed."""
        now = time.monotonic()
        when, phase = self._last
        if tally.doing != phase or now - when >= JSON_EVERY_SECONDS:
            self._file.write(json.dumps(as_values(tally)) + "\n")
            self._file.flush()
            self._last = (now, tally.doing)


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
        "retries": tally.retries,
        "elapsed_seconds": round(tally.elapsed, 3),
        "seconds_left": tally.seconds_left,
    }


def line(tally: Tally) -> str:
    """The counts in one line."""
    return (
        f"{tally.problems_done}/{tally.problems_total} problems, "
        f"{tally.samples_done}/{tally.samples_planned} samples, {_speed(tally)}, {_money(tally, ', ')}"
        f"{clock_text(tally.elapsed)} elapsed, {clock_text(tally.seconds_left)} left"
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
    """Dollars and retries, each only where there are any."""
    from perpend.report.formats import usd

    parts = []
    if tally.usd is not None:
        parts.append(f"{usd(tally.usd)} of about {usd(tally.projected_usd)}")
    if tally.retries:
        parts.append(f"{tally.retries:,} retr{'y' if tally.retries == 1 else 'ies'}")
    return "".join(part + after for part in parts)


def _speed(tally: Tally) -> str:
    speed = tally.tokens_per_second
    return "– tokens/s" if speed is None else f"{speed:,.0f} tokens/s"
