"""The verbs, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from perpend import __version__
from perpend.cli.doctor import doctor
from perpend.cli.examples import examples
from perpend.cli.fetch import fetch
from perpend.cli.import_ import import_
from perpend.cli.listing import listing
from perpend.cli.report import report
from perpend.cli.solve import solve
from perpend.cli.study import study

ABOUT = """
What can you do at inference time to get better reasoning from your model, and what does it cost? By measurement.

- `perpend study`: measure, here the quickstart on a small model that comes along
- `perpend study --task jsonl:mine.jsonl`: measure on your own problems
- `perpend solve "What is 17 * 23?"`: answer one question, with votes

Every flag has a PERPEND_… environment variable, shown in its help. Exit codes: 0 good, 1 the job failed,
2 bad usage: a flag, a name, or a file that is missing or cannot be read.
"""

app = typer.Typer(
    help=ABOUT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perpend {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = (
        False
    ),
) -> None:
    """Shown by `perpend --help`; the text is ABOUT."""


root.__doc__ = ABOUT
app.command("study")(study)
app.command("report")(report)
app.command("import")(import_)
app.command("examples")(examples)
app.command("solve")(solve)
app.command("list")(listing)
app.command("doctor")(doctor)
app.command("fetch")(fetch)
