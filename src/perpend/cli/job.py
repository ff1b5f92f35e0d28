"""Runs a study for the command line: the model fetched where it is missing, progress shown, the report written."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perpend.cli.finish import show, write
from perpend.cli.model import ensure_model
from perpend.cli.progress import progress

if TYPE_CHECKING:
    from perpend.study.spec import StudySpec


def run_job(spec: StudySpec, folder: Path, *, yes: bool, as_json: bool) -> None:
    """Run a study to its end and report."""
    from perpend.study import run_study

    ensure_model([engine.use for engine in spec.engine], yes=yes)
    with progress(as_json=as_json) as listener:
        results = asyncio.run(run_study(spec, folder, listener, command=command_line()))
        listener.phase("writing the report")
        write(folder, results)
    show(folder, results, as_json=as_json)


def command_line() -> str:
    """What the user typed, for the record."""
    return shlex.join(["perpend", *sys.argv[1:]])
