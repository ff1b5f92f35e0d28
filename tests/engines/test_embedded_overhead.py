"""What the embedded engine spends beside samples, over workers that die; and when its probe is made again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from perpend.core import Completion, Finish, Prompt, Request
from perpend.engines.embedded import EmbeddedEngine, known
from perpend.engines.embedded.known import probe_key
from perpend.engines.embedded.weights import Weights
from perpend.study import EngineSpec, StudySpec, TaskSpec, run_study
from tests.study.test_kill_embedded import workers

WEIGHTS = Weights(Path("m.gguf"), "f" * 64, 100, None, "m", 100)


def test_a_probe_is_made_again_for_other_rows_and_after_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    key = probe_key(WEIGHTS, 256)
    assert key == probe_key(WEIGHTS, 256)
    assert key != probe_key(WEIGHTS, 64)
    monkeypatch.setattr(known, "PROBE_VERSION", known.PROBE_VERSION + 1)
    assert key != probe_key(WEIGHTS, 256)


async def answer(engine: EmbeddedEngine, seed: int) -> Completion:
    request = Request("t", "p", 0, Prompt(text="Once upon a time", max_tokens=40), seed=seed)
    async for item in engine.generate(request):
        if isinstance(item, Completion):
            return item
    raise AssertionError("no completion")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_successor_killed_while_it_loads_has_a_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perpend.engines.embedded.engine.remembered", lambda file: {})  # so that it probes
    engine = EmbeddedEngine()
    await engine.start()
    probed = engine.overhead
    assert probed.usage.prompt
    assert probed.usage.completion
    assert probed.device_seconds
    asking = asyncio.create_task(answer(engine, 1))
    while not engine.metrics.steps:
        await asyncio.wait([asking], timeout=0.01)
    spent = engine.overhead
    first = engine.worker_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while not (loading := [pid for pid in workers(os.getpid()) if pid != first]):
        await asyncio.wait([asking], timeout=0.01)
    assert engine.worker_pid is None, "it is loading"
    os.kill(loading[0], signal.SIGKILL)
    assert (await asking).finish in (Finish.STOP, Finish.LENGTH)
    assert engine.worker_pid not in (None, first, *loading)
    assert (engine.overhead.device_seconds or 0.0) > (spent.device_seconds or 0.0) >= probed.device_seconds
    assert engine.peak_cache_bytes
    assert engine.caps.cache_bytes
    assert engine.peak_cache_bytes < engine.caps.cache_bytes
    await engine.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_study_shows_fillers_and_memory(tmp_path: Path) -> None:
    study = StudySpec(
        task=(TaskSpec(use="word_problems", limit=1),),
        engine=(EngineSpec(use="embedded"),),
        strategies=("majority",),
        samples=2,
        max_tokens=24,
    )
    results = await run_study(study, tmp_path)
    (engine,) = results.engines
    if not engine.exact_replay:
        pytest.skip(engine.note)
    (line,) = [line for line in results.bought if line.cause == "overhead"]
    assert line.completion_tokens
    assert line.device_seconds
    assert line.usd
    assert engine.shape is not None
    assert line.flops == pytest.approx(2 * engine.shape.parameters * line.completion_tokens, rel=0.01)
    assert engine.cache_bytes is not None
    assert engine.peak_cache_bytes is not None
    assert 0 < engine.peak_cache_bytes < engine.cache_bytes
    assert engine.cache_tokens
