"""Money on the command line: what a study would cost, and whether that may be spent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perpend.cli.output import emit, err, out

if TYPE_CHECKING:
    from rich.table import Table

    from perpend.study.results import Cost, Forecast
    from perpend.study.spec import StudySpec


def ensure_consent(spec: StudySpec, folder: Path, *, yes: bool, probe: int = 0) -> None:
    """Ask before an endpoint that bills tokens is used without a budget. Raises ConfigError where nobody agrees."""
    from perpend.core import ConfigError
    from perpend.study.dry_run import billed, forecast_study

    if yes or spec.budget or not (prices := billed(spec, folder)):
        return
    small = spec.model_copy(update={"limit": probe}) if probe else spec
    made = asyncio.run(forecast_study(small, folder, keep=False))
    if not made.left.calls:
        return
    question = f"{' and '.join(prices)} bills tokens: {estimate(made)}, at {'; '.join(prices.values())}."
    if not _agrees(question):
        raise ConfigError(
            f"{question} Nobody has agreed to that.",
            "Cap it with --budget usd=…, look closer with --dry-run, or pass --yes.",
        )


def ensure_consent_to_solve(
    engine: str, price: Sequence[str], most_tokens: int, *, budget: str | None, yes: bool
) -> None:
    """The same before one question. Raises ConfigError where nobody agrees."""
    from perpend.core import ConfigError
    from perpend.economics import PriceBook
    from perpend.study.pricing import bill

    name = engine.partition(":")[0]
    why = None if yes or budget else bill(engine, PriceBook.of(price).quote(name, engine))
    question = f"{name} bills tokens: this question at most {most_tokens:,}, at {why}."
    if why is not None and not _agrees(question):
        raise ConfigError(f"{question} Nobody has agreed to that.", "Cap it with --budget usd=…, or pass --yes.")


def estimate(made: Forecast) -> str:
    """What is still to be bought, in one phrase."""
    from perpend.report.formats import dollars, number

    left = made.left
    most = "at most" if made.bound else "about"
    money = "" if left.usd is None else f" and {dollars(left.usd, left.unpriced_tokens)}"
    return f"{left.calls:,} calls, {most} {number(left.tokens)} tokens{money}"


def show_forecast(made: Forecast, folder: Path, *, as_json: bool) -> None:
    """The table of a dry run, or its values."""
    if as_json:
        emit({"folder": str(folder), "forecast": made.model_dump()})
        return
    from rich.text import Text

    console = out()
    console.print(_table(made))
    for line in remarks(made):
        console.print(Text(f"• {line}"), soft_wrap=True)


def remarks(made: Forecast) -> Iterator[str]:
    """What the figures rest on."""
    yield f"Figures are {'the ' if made.bound else 'the expected ones, the '}{made.basis}."
    for name, price in made.prices.items():
        yield f"{name}: {price or 'no price is known, so no dollars (give one with --price IN,CACHED,OUT)'}"
    if made.whole.seconds is None:
        yield "Time is known once something has been drawn: --probe 2 draws two problems a task, and keeps them."


def _table(made: Forecast) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = f"{made.problems:,} problems × {made.samples} samples{', at most' if made.bound else ''}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Bought for, alone", overflow="fold")
    for name in ("N", "Calls", "Tokens", "Dollars", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    many = len(made.prices) > 1
    for line in made.strategies:
        name = f"{line.engine}: {line.strategy}" if many else line.strategy
        table.add_row(Text(name), str(line.n), *_cells(line.cost))
    table.add_section()
    table.add_row("the whole study", "", *_cells(made.whole), style="bold")
    if made.left.calls != made.whole.calls:
        table.add_row("still to be bought", "", *_cells(made.left))
    return table


def _cells(cost: Cost) -> tuple[str, ...]:
    from perpend.report import formats

    money = formats.dollars(cost.usd, cost.unpriced_tokens)
    return f"{cost.calls:,}", formats.number(round(cost.tokens)), money, formats.seconds(cost.seconds)


def _agrees(question: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    err().print(question, markup=False, soft_wrap=True)
    return typer.confirm("Spend it?", err=True)
