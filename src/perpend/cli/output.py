"""What every verb says, and how: results on stdout, progress and errors on stderr, one sentence and a remedy each."""

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
            try:
                function(*args, **kwargs)
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except KeyboardInterrupt:
                say("Stopped.", when_stopped)
                raise typer.Exit(INTERRUPTED) from None
            except Exception as error:
                if kwargs.get("debug"):
                    raise
                raise typer.Exit(explain(error)) from None

        return guarded

    return decorate


def explain(error: Exception) -> int:
    """Say what went wrong and what to do about it; returns the exit code."""
    from perpend.core.errors import ConfigError, PerpendError

    if isinstance(error, PerpendError):
        say(error.message, error.remedy)
        return BAD_USAGE if isinstance(error, ConfigError) else FAILED
    if isinstance(error, OSError):
        say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.", "Nothing was damaged.")
        return FAILED
    say(
        f"perpend stumbled over a {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
        "This is a bug: run it again with --debug, and report what that prints.",
    )
    return FAILED


def say(message: str, remedy: str = "") -> None:
    """A sentence and what to do about it, on stderr."""
    from rich.text import Text

    console = err()
    console.print(Text(message, style="bold red"), soft_wrap=True)
    if remedy:
        console.print(Text(remedy), soft_wrap=True)
