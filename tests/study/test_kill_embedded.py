"""`kill -9` with real weights: the study half-way, then the engine's worker; nothing is lost, nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from perpend.study import EngineSpec, StudySpec, TaskSpec, run_study
from tests.study.studies import rows
from tests.study.test_kill import snapshot, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROBLEMS, SAMPLES = 8, 8
STUDY = StudySpec(
    task=(TaskSpec(use="word_problems", limit=PROBLEMS),),
    engine=(EngineSpec(use="embedded"),),
    strategies=("greedy", "majority", "best_of_n"),
    samples=SAMPLES,
    max_tokens=64,
)


def children(pid: int) -> list[int]:
    """The processes that a process has started, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def workers(pid: int) -> list[int]:
    """Those of them that run a model."""
    return [child for child in children(pid) if b"embedded.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_for_samples(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(snapshot(folder).get("samples", [])) < count:
        assert time.monotonic() < deadline, "no samples came"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def model() -> None:
    """Skips where the embedded model is not installed."""
    from perpend.core import EngineError, PerpendError
    from perpend.engines.embedded import EmbeddedEngine

    async def try_it() -> None:
        engine = EmbeddedEngine()
        try:
            await engine.start()
        finally:
            await engine.close()

    try:
        asyncio.run(try_it())
    except (EngineError, PerpendError) as error:
        pytest.skip(f"the embedded engine does not start here: {error}")


def test_a_killed_study_and_a_killed_worker_leave_the_figures_as_they_were(model: None, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    wanted = PROBLEMS * (SAMPLES + 1)
    study = start(STUDY, broken)
    wait_for_samples(broken, wanted // 3)
    (worker,) = workers(study.pid)
    study.send_signal(signal.SIGKILL)
    study.wait()
    assert gone(worker), "a worker was left behind"
    first = snapshot(broken)
    assert len(first["samples"]) < wanted

    study = start(STUDY, broken)
    wait_for_samples(broken, max(wanted * 2 // 3, len(first["samples"]) + 1))
    (worker,) = workers(study.pid)
    os.kill(worker, signal.SIGKILL)
    _, said = study.communicate(timeout=200)
    assert study.returncode == 0, said
    assert gone(worker)

    after = snapshot(broken)
    for table, stored in first.items():
        assert set(stored) <= set(after[table]), f"{table} has changed"
    names = rows(broken, 'SELECT pool, "index" FROM samples')
    assert len(names) == len(set(names)) == wanted
    assert rows(broken, "SELECT 1 FROM samples WHERE finish = 'failed'") == []
    paid = rows(
        broken,
        """SELECT pool, "index" FROM reservations JOIN settlements ON reservation = id WHERE cause = 'generator'""",
    )
    assert sorted(paid) == sorted(names), "a stored sample was paid for more or less than once"
    compare_with_an_unbroken_run(tmp_path, broken)


def compare_with_an_unbroken_run(tmp_path: Path, broken: Path) -> None:
    again = asyncio.run(run_study(STUDY, broken))
    if not again.engines[0].exact_replay:
        return
    whole = asyncio.run(run_study(STUDY, tmp_path / "whole"))
    for ours, theirs in zip(again.tasks[0].curves, whole.tasks[0].curves, strict=True):
        assert ours.strategy == theirs.strategy
        for a, b in zip(ours.points, theirs.points, strict=True):
            assert (a.n, a.accuracy, a.low, a.high, a.tokens, a.flops) == (
                b.n,
                b.accuracy,
                b.low,
                b.high,
                b.tokens,
                b.flops,
            )
    text = 'SELECT pool, "index", text, finish, completion_tokens FROM samples ORDER BY pool, "index"'
    assert rows(broken, text) == rows(tmp_path / "whole", text)
