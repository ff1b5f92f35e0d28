"""Progress: what is counted, and how it is drawn on a terminal and elsewhere."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from perpend.cli.progress import PlainLines, Screen
from perpend.cli.tally import Tally, clock_text
from perpend.core import Delta, Finish, Prompt, Request, Sample, Usage

REQUEST = Request("t", "p", 0, Prompt(text="x"), seed=0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sample(index: int) -> Sample:
    return Sample("p", "pool", index, "e", "7", "7", "7", Finish.STOP, Usage(10, 0, 20))


def halfway(**options: Any) -> Tally:
    clock = Clock()
    tally = Tally(clock=clock, **options)
    tally.phase("drawing")
    tally.planned(samples=40, stored=8, problems=5)
    tally.block(1, 5)
    for index in range(16):
        clock.now += 0.5
        tally.delta(REQUEST, Delta(0, "7", 20))
        tally.sample(sample(index), bought=True)
    return tally


def test_it_counts_stored_and_drawn() -> None:
    tally = halfway()
    assert tally.samples_done == 24
    assert tally.tokens == 320


def test_the_speed_is_that_of_the_last_seconds() -> None:
    assert halfway().tokens_per_second == 320 / 7.5


def test_time_left_follows_the_pace_so_far() -> None:
    left = halfway().seconds_left
    assert left is not None
    assert abs(left - 7.5) < 0.6


def test_stored_samples_do_not_count_as_speed() -> None:
    tally = Tally(clock=Clock())
    tally.planned(4, 0, 1)
    tally.sample(sample(0), bought=False)
    assert tally.tokens_per_second is None
    assert tally.seconds_left is None


def test_the_screen_shows_phase_counts_and_speed() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(Screen(halfway()).draw())
    said = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("drawing", "1 / 5", "24 / 40", "tokens/s", "elapsed", "8 samples from the store"):
        assert part in said


def test_plain_lines_are_few() -> None:
    console = Console(file=io.StringIO(), width=100)
    halfway(changed=PlainLines(console))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "drawing …"
    assert len(lines) <= 2


def test_clock_text() -> None:
    assert [clock_text(s) for s in (None, 7, 195, 3723)] == ["–", "0:07", "3:15", "1:02:03"]
