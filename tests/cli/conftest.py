"""Runs `perpend` as a user would, in a folder of its own, without the user's own PERPEND_ variables."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from perpend.cli.app import app

Perpend = Callable[..., Result]

SMALL = ("--task", "simulated(problems=8)", "--engine", "simulated", "--samples", "4")
"""A study that takes a second."""


@pytest.fixture
def perpend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Perpend:
    """Run it with arguments; `env` adds environment variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PERPEND_")]:
        monkeypatch.delenv(name)

    def run(*args: str, env: dict[str, str] | None = None, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(args), env={"COLUMNS": "160", **(env or {})}, input=input)

    return run
