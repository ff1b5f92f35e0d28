"""Runs a study for the command line: the model fetched where it is missing, progress shown, the report written."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perpend.cli.finish import show, write
from perpend.cli.model import ensure_model
from perpend.cli.money import ensure_consent, show_forecast
from perpend.cli.progress import progress

if TYPE_CHECKING:
    from perpend.study.spec import StudySpec


def run_job(spec: StudySpec, folder: Path, *, yes: bool, as_json: bool) -> None:
    """Run a study to its end and report."""
    from perpend.study import run_study

    ensure_model([engine.use for engine in spec.engine], yes=yes)
    ensure_consent(spec, folder, yes=yes)
    with progress(as_json=as_json) as listener:
        results = asyncio.run(run_study(spec, folder, listener, command=command_line()))
        listener.phase("writing the report")
        write(folder, results)
    show(folder, results, as_json=as_json)


def dry_run_job(spec: StudySpec, folder: Path, *, probe: int, yes: bool, as_json: bool) -> None:
    """Say what a study would cost; with a probe, after a few of its problems have been drawn."""
    from perpend.study.dry_run import forecast_study

    if probe:
        ensure_model([engine.use for engine in spec.engine], yes=yes)
        ensure_consent(spec, folder, yes=yes, probe=probe)
    with progress(as_json=as_json) as listener:
        made = asyncio.run(forecast_study(spec, folder, listener, probe=probe, command=command_line()))
    show_forecast(made, folder, as_json=as_json)


def command_line() -> str:
    """What the user typed, for the record."""
    return shlex.join(["perpend", *sys.argv[1:]])
