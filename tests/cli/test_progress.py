"""Progress: what is counted, and how it is drawn on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from perpend.cli.progress import Lines, Screen, as_values, heartbeat, json_lines, line, plain_lines
from perpend.cli.tally import Tally, clock_text
from perpend.core import Amount, Delta, Finish, Prompt, Request, Sample, Scope, Usage
from perpend.study.meter import Meter

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
    halfway(changed=plain_lines(console))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "drawing …"
    assert len(lines) <= 2


def test_clock_text() -> None:
    assert [clock_text(s) for s in (None, 7, 195, 3723)] == ["–", "0:07", "3:15", "1:02:03"]


@dataclass
class Calls:
    """What an engine counts."""

    refused: Counter[str] = field(default_factory=lambda: Counter({"429": 2}))
    lost: Counter[str] = field(default_factory=lambda: Counter({"cut": 1}))


def metered(priced: bool = True) -> Tally:
    tally = halfway()
    tally.metered(Meter(Scope(spent=Amount(usd=0.6)), (None, Calls()), priced))
    return tally


def test_spending_is_projected_from_the_samples_so_far() -> None:
    tally = metered()
    assert (tally.usd, tally.again) == (0.6, {"429": 2, "cut": 1})
    assert tally.projected_usd == pytest.approx(0.6 / 24 * 40)


def test_money_and_retries_are_on_the_screen_and_in_the_lines() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(Screen(metered()).draw())
    for said in (console.file.getvalue(), line(metered())):  # type: ignore[attr-defined]
        assert "$0.6 of about $1" in said
        assert "3 retries (2 after 429, 1 after cut)" in said


def test_before_the_first_sample_nothing_is_projected() -> None:
    tally = Tally(clock=Clock())
    tally.planned(samples=4, stored=0, problems=2)
    tally.metered(Meter(Scope(spent=Amount(usd=0.6)), (), priced=True))
    assert ", $0.6, " in line(tally)


def test_without_a_price_no_dollars_are_shown() -> None:
    assert "$" not in line(metered(priced=False))
    assert as_values(metered(priced=False))["usd"] is None


def test_json_lines_say_what_the_screen_does() -> None:
    console = Console(file=io.StringIO(), width=20)
    lines = json_lines(console)
    lines(metered())
    lines(metered())
    (said,) = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    value = json.loads(said)
    assert (value["event"], value["phase"], value["samples"], value["retries"]) == ("progress", "drawing", [24, 40], 3)
    assert value["usd"] == 0.6
    assert value["retried_after"] == {"429": 2, "cut": 1}


def silent(make: Callable[..., Lines], seconds: int) -> list[str]:
    """What is said while a study that has begun hears nothing any more."""
    console, clock = Console(file=io.StringIO(), width=160), Clock()
    tally = metered()
    tally.clock, clock.now = clock, tally.clock()
    lines = make(console, clock)
    lines(tally)
    for _ in range(2 * seconds):
        clock.now += 0.5
        lines.beat(tally)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_while_nothing_arrives_a_plain_line_says_what_is_waited_for() -> None:
    first, *rest = silent(plain_lines, 31)
    assert first == "drawing …"
    assert len(rest) == 3
    assert "24/40 samples" in rest[0]
    assert "3 retries (2 after 429, 1 after cut)" in rest[0]
    assert rest[0].endswith("drawing: nothing new for 0:09")
    assert rest[2].endswith("drawing: nothing new for 0:28")


def test_while_nothing_arrives_json_lines_go_on() -> None:
    values = [json.loads(said) for said in silent(json_lines, 31)]
    assert [value["silent_seconds"] for value in values] == [0.0, 9.5, 19.0, 28.5]
    assert {value["retries"] for value in values} == {3}


def test_before_there_is_anything_to_count_the_phase_is_said() -> None:
    tally = Tally(clock=Clock())
    tally.phase("starting openai")
    assert line(tally) == "starting openai, 0:00 elapsed"


def test_a_heart_beats_while_the_program_is_busy_and_stops_with_it() -> None:
    beats: list[float] = []
    with heartbeat(lambda: beats.append(time.monotonic()), seconds=0.01):
        while len(beats) < 3:
            time.sleep(0.001)
    seen = len(beats)
    time.sleep(0.05)
    assert len(beats) == seen
