"""The report's summary for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from perpend.report import formats
from perpend.study.ledger import paid
from perpend.study.results import Curve, FindingKind, Headline, HeadlinePoint, Point, Results, Unit

HEADLINES = 3


def headline_lines(results: Results) -> list[str]:
    """The findings that the command prints: three lines at most."""
    return [finding.sentence for finding in results.findings if finding.headline][:HEADLINES]


def cost_line(results: Results) -> str:
    """What the study bought in all, and at which prices, with the tokens that no price is known for."""
    total = paid(results.bought)
    prices = "; ".join(f"{e.name}: {e.price or 'no price is known, so no dollars'}" for e in results.engines)
    spent = "" if total.usd is None else f" for {formats.dollars(total.usd, total.unpriced_tokens)}"
    return f"Bought: {formats.number(total.tokens)} tokens{spent}. {prices}"


def limit_lines(results: Results) -> list[str]:
    """What the figures cannot say, simulated ones among them."""
    return [finding.sentence for finding in results.findings if finding.kind is FindingKind.LIMIT]


def summary_table(results: Results) -> Table:
    """Every strategy of every task at its largest N, then the mean of those that every task has.

    Names are text, never markup.
    """
    table = Table(title=Text(results.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Task", "Strategy"):
        table.add_column(name, overflow="fold")
    points = [p for task in results.tasks for curve in task.curves for p in curve.points]
    unit: Unit = "samples" if points and all(p.tokens is None for p in points) else "tokens"
    for name in ("N", "Accuracy (95 %)", f"{unit.capitalize()}/question", "per correct"):
        table.add_column(name, justify="right", no_wrap=True)
    many = len({curve.engine for task in results.tasks for curve in task.curves}) > 1
    for group in _groups(results):
        for i, (title, curve) in enumerate(group):
            table.add_row(*_cells(title if i == 0 else "", curve, many, unit), end_section=i == len(group) - 1)
    return table


def _groups(results: Results) -> Iterator[list[tuple[str, Curve | Headline]]]:
    for task in results.tasks:
        yield [(f"{task.task} ({task.problems} of {task.problems_total})", c) for c in task.curves if c.points]
    if len(results.tasks) > 1:
        everywhere = [h for h in results.headlines if h.points and len(h.tasks) == len(results.tasks)]
        yield [(f"mean over {len(results.tasks)} tasks", headline) for headline in everywhere]


def _cells(title: str, curve: Curve | Headline, many_engines: bool, unit: Unit) -> list[Text]:
    point: Point | HeadlinePoint = curve.points[-1]
    name = (f"{curve.engine}: " if many_engines else "") + curve.strategy + (" (oracle)" if curve.oracle else "")
    costs = point.cost_per_correct.tokens if isinstance(point, Point) else None
    cells = (
        title,
        name,
        str(point.n),
        f"{formats.percent(point.accuracy)} [{100 * point.low:2.0f}, {100 * point.high:2.0f}]",
        formats.number(getattr(point, unit)),
        formats.number(None if costs is None else costs.value),
    )
    return [Text(cell, style="dim" if curve.oracle else "") for cell in cells]
