"""What every verb says, and how: results on stdout, progress and errors on stderr, one sentence and a remedy each.

With `--json` an error is a value on stdout too, in the place of the result.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import typer

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130


WIDE = 120
"""Columns of what is written to a file or a pipe."""


def out() -> Console:
    """What the user asked for. stdout."""
    from rich.console import Console

    plain = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=WIDE if plain else None)


def err() -> Console:
    """Progress, questions and errors. stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def emit(value: object) -> None:
    """One JSON value on stdout, and nothing else."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def verb(when_stopped: str = "") -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Make a function a verb: what goes wrong in it becomes a sentence and an exit code, unless `--debug` is given.

    Args:
        when_stopped: what Ctrl-C says.
    """

    def decorate(function: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            as_json = bool(kwargs.get("as_json"))
            try:
                function(*args, **kwargs)
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except KeyboardInterrupt:
                say("Stopped.", when_stopped, as_json=as_json)
                raise typer.Exit(INTERRUPTED) from None
            except Exception as error:
                if kwargs.get("debug"):
                    raise
                raise typer.Exit(explain(error, as_json=as_json)) from None

        return guarded

    return decorate


def explain(error: Exception, *, as_json: bool = False) -> int:
    """Say what went wrong and what to do about it; returns the exit code."""
    from perpend.core.errors import ConfigError

    say(*_sentences(error), as_json=as_json)
    return BAD_USAGE if isinstance(error, ConfigError) else FAILED


def _sentences(error: Exception) -> tuple[str, str]:
    """What went wrong, and what to do about it."""
    from perpend.core.errors import PerpendError

    if isinstance(error, PerpendError):
        return error.message, error.remedy
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}.", "Nothing was damaged."
    said = str(error).splitlines()[0] if str(error) else "no message"
    return (
        f"perpend stumbled over a {type(error).__name__}: {said}",
        "This is a bug: run it again with --debug, and report what that prints.",
    )


def say(message: str, remedy: str = "", *, as_json: bool = False) -> None:
    """A sentence and what to do about it: on stderr, or as one JSON value on stdout."""
    if as_json:
        emit({"error": message, "remedy": remedy})
        return
    from rich.text import Text

    console = err()
    console.print(Text(message, style="bold red"), soft_wrap=True)
    if remedy:
        console.print(Text(remedy), soft_wrap=True)
