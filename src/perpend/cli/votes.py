"""The votes of one question as they come in: a listener that counts answers, and how it is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perpend.cli.output import err

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from perpend.core import Delta, Request, Sample

BAR = 32
"""Characters of the longest bar."""
MOST_ROWS = 12
"""Answers that are drawn, the most frequent first."""


@dataclass
class Votes:
    """Implements `Listener`: answers by their canonical form, the first spelling of each shown."""

    counts: dict[str, int] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    silent: int = 0
    tokens: int = 0
    samples: int = 0
    began: float = field(default_factory=time.monotonic)

    def delta(self, request: Request, delta: Delta) -> None:  # noqa: ARG002 (any request's)
        """Tokens arrived."""
        self.tokens += delta.tokens

    def sample(self, sample: Sample, bought: bool) -> None:  # noqa: ARG002 (nothing is stored)
        """A sample is complete."""
        self.samples += 1
        if sample.key is None:
            self.silent += 1
        else:
            self.counts[sample.key] = self.counts.get(sample.key, 0) + 1
            self.shown.setdefault(sample.key, sample.answer or "")

    @property
    def ranked(self) -> list[tuple[str, int]]:
        """(answer, votes), most votes first, first seen on ties."""
        keys = sorted(self.counts, key=lambda key: -self.counts[key])
        return [(self.shown[key], self.counts[key]) for key in keys]

    @classmethod
    def of(cls, samples: tuple[Sample, ...]) -> Votes:
        """The votes of finished samples."""
        votes = cls()
        for sample in samples:
            votes.sample(sample, bought=False)
        return votes


@contextmanager
def live_votes() -> Iterator[Votes]:
    """A listener that draws itself on stderr while the context is open; off a terminal it only counts."""
    votes, console = Votes(), err()
    if not console.is_terminal:
        yield votes
        return
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("dots")
    picture = lambda: drawn_live(votes, spinner)  # noqa: E731 (a closure for the screen)
    with Live(console=console, get_renderable=picture, refresh_per_second=8, transient=True):
        yield votes


def drawn_live(votes: Votes, spinner: RenderableType) -> RenderableType:
    """The votes so far, and how much has been generated."""
    from rich.console import Group
    from rich.text import Text

    seconds = time.monotonic() - votes.began
    words = f"{votes.samples} samples · {votes.tokens:,} tokens · {seconds:.0f} s"
    heading = Text(words, style="dim")
    return Group(table(votes), heading, spinner) if votes.samples else Group(heading, spinner)


def table(votes: Votes) -> Table:
    """A bar an answer."""
    from rich.table import Table
    from rich.text import Text

    rows = votes.ranked[:MOST_ROWS]
    others = sum(count for _, count in votes.ranked[MOST_ROWS:])
    most = max([count for _, count in rows] + [votes.silent, 1])
    grid = Table.grid(padding=(0, 2))
    for answer, count in rows:
        grid.add_row(Text(_short(answer), style="bold"), Text(_bar(count, most), style="cyan"), str(count))
    for name, count in (("other answers", others), ("no answer", votes.silent)):
        if count:
            grid.add_row(Text(name, style="dim"), Text(_bar(count, most), style="dim"), str(count))
    return grid


def _bar(count: int, most: int) -> str:
    return "█" * max(1, round(BAR * count / most))


def _short(answer: str, most: int = 40) -> str:
    flat = " ".join(answer.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
