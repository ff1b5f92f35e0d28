"""`perpend doctor`: what works on this machine, and what to install for the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from perpend.cli.options import Debug, Json
from perpend.cli.output import FAILED, emit, out, verb

if TYPE_CHECKING:
    from perpend.cli.machine import Check


@verb()
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """Say what works on this machine, and what to install for the rest."""
    from perpend.cli.machine import State, examine

    checks = examine()
    if as_json:
        emit([asdict(check) for check in checks])
    else:
        _draw(checks)
    if any(check.state is State.BROKEN for check in checks):
        raise typer.Exit(FAILED)


def _draw(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    from perpend.cli.machine import State

    marks = {State.GOOD: ("✓", "green"), State.OPTIONAL: ("–", "yellow"), State.BROKEN: ("✗", "bold red")}
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, style = marks[check.state]
        remedy = Text(f"\n{check.remedy}", style="bold") if check.remedy else Text()
        table.add_row(Text(mark, style=style), check.name, Text(check.found) + remedy)
    out().print(table)
    out().print(f"\n{_verdict(checks)}")


def _verdict(checks: list[Check]) -> str:
    from perpend.cli.machine import State

    if any(check.state is State.BROKEN for check in checks):
        return "Studies cannot run here yet: see ✗ above."
    if any(check.name == "embedded model" and check.state is State.OPTIONAL for check in checks):
        return "Ready, but for the embedded model: `perpend study` will offer to fetch it."
    return "Ready: `perpend study` runs the quickstart."
