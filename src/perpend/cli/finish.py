"""How a study ends on the screen: the report written, the table, the three headlines, and where everything is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from perpend.cli.output import emit, out

if TYPE_CHECKING:
    from perpend.study.results import Results

REPORT = "report.html"


def write(folder: Path, results: Results) -> None:
    """Write the report into the study's folder."""
    from perpend.report import write_report
    from perpend.study import problem_views

    write_report(results, problem_views(folder), folder / REPORT)


def show(folder: Path, results: Results, *, as_json: bool) -> None:
    """Say what was found."""
    report = folder / REPORT
    if as_json:
        whole = json.loads(results.model_dump_json())
        emit({"folder": str(folder), "report": str(report), "results": whole})
    else:
        _draw(report, results)


def _draw(report: Path, results: Results) -> None:
    from rich.text import Text

    from perpend.report.terminal import cost_line, headline_lines, limit_lines, summary_table

    console = out()
    console.print(summary_table(results))
    console.print()
    for line in headline_lines(results):
        console.print(Text(f"• {line}"), soft_wrap=True)
    for line in limit_lines(results):
        console.print(Text(f"  {line}", style="dim"), soft_wrap=True)
    console.print()
    console.print(Text(cost_line(results), style="dim"), soft_wrap=True)
    console.print(Text(f"Report: {report.resolve()}"), soft_wrap=True)
