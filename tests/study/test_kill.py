"""`kill -9` at any moment: nothing stored is bought twice or changed, and the figures are those of an unbroken run."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perpend.core import StoreError
from perpend.study import StudySpec, run_study
from tests.signals import hear_ctrl_c
from tests.study.studies import rows, spec

RUN = """
import asyncio, sys
from pathlib import Path
from perpend.study import StudySpec, run_study
folder = Path(sys.argv[1])
asyncio.run(run_study(StudySpec.load(folder.with_suffix(".toml")), folder))
"""
PACED = "simulated(tokens_per_second=200, pace={pace})"


def start(study: StudySpec, folder: Path) -> subprocess.Popen[str]:
    folder.with_suffix(".toml").write_text(study.to_toml())
    command = [sys.executable, "-c", RUN, folder]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)


def snapshot(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    if not (folder / "traces.db").exists():
        return {}
    tables = [name.decode() for (name,) in rows(folder, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: rows(folder, f"SELECT rowid, * FROM {table} ORDER BY rowid") for table in tables}


def kill_when(process: subprocess.Popen[str], folder: Path, samples: int, delay: float) -> None:
    """Once so many samples are stored, and a little later."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        stored = snapshot(folder).get("samples", [])
        if len(stored) >= samples:
            break
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_again_and_again_it_ends_like_an_unbroken_run(tmp_path: Path) -> None:
    slow = spec(problems=10, samples=7, engine=PACED.format(pace=0.4), max_connections=20)
    quick = spec(problems=10, samples=7, engine=PACED.format(pace=0), max_connections=20)
    whole = asyncio.run(run_study(quick, tmp_path / "whole"))
    broken = tmp_path / "broken"
    rng = random.Random(time.time_ns())
    seen: list[dict[str, list[tuple[object, ...]]]] = []
    for samples in (0, 5, 50):
        kill_when(start(slow, broken), broken, samples, rng.uniform(0, 0.15))
        seen.append(snapshot(broken))
    # The last run is told of another pace, which is no part of what the samples depend on.
    (broken / "study.toml").write_text(quick.to_toml())
    results = asyncio.run(run_study(quick, broken))

    after = snapshot(broken)
    for before in seen:
        for table, stored in before.items():
            assert set(stored) <= set(after[table]), f"{table} has changed"
    names = rows(broken, 'SELECT pool, "index" FROM samples')
    assert len(names) == len(set(names)) == 10 * 8
    paid = rows(
        broken,
        """SELECT pool, "index", COUNT(*) FROM reservations JOIN settlements ON reservation = id
           WHERE cause = 'generator' GROUP BY pool, "index" """,
    )
    assert sorted(paid) == sorted((*name, 1) for name in names), "a stored sample was paid for more or less than once"
    assert rows(broken, "SELECT 1 FROM reservations WHERE id NOT IN (SELECT reservation FROM settlements)") == []
    assert results.how.restarts >= 2
    assert results.tasks == whole.tasks
    assert results.headlines == whole.headlines


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    first = start(spec(problems=4, samples=4, engine=PACED.format(pace=5)), folder)
    try:
        while not snapshot(folder).get("reservations"):
            time.sleep(0.02)
        with pytest.raises(StoreError, match=f"in use by another perpend \\(process {first.pid}\\)"):
            asyncio.run(run_study(spec(), folder))
    finally:
        first.kill()
        first.wait()


def test_interrupted_by_ctrl_c_it_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    process = start(spec(problems=6, samples=4, engine=PACED.format(pace=1)), folder)
    while not snapshot(folder).get("samples"):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in said
    assert rows(folder, "SELECT stop_reason FROM run_ends") == [(b"interrupted",)]
    assert rows(folder, "SELECT 1 FROM reservations WHERE id NOT IN (SELECT reservation FROM settlements)") == []
    results = asyncio.run(run_study(spec(problems=6, samples=4, engine=PACED.format(pace=0)), folder))
    assert results.tasks[0].problems == 6
