"""The engine that starts vLLM, held to a stand-in for it: no real vLLM runs in these tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perpend.core import CallLost, Completion, ConfigError, Engine, EngineError, Message, Prompt, Request
from perpend.engines import ENGINES
from perpend.engines.vllm import VllmEngine, command, server, usable_command
from perpend.study.pricing import bill, quote_of
from tests.engines import contract
from tests.engines.contract import CONTRACT, Case
from tests.engines.vllm.conftest import command_line_of, environment_of, members, until
from tests.engines.vllm.stand_in import VERSION

Start = Callable[..., Any]
OF_A_MODEL = (contract.is_deterministic_at_temperature_zero,)


def request(text: str = "what is one and one", **fields: Any) -> Request:
    prompt = Prompt(messages=(Message("user", text),), max_tokens=24)
    return Request(**{"task": "t", "problem_id": "p", "index": 0, "seed": 7, "prompt": prompt} | fields)


async def ask(engine: Engine, wanted: Request) -> list[Completion]:
    return [item async for item in engine.generate(wanted) if isinstance(item, Completion)]


def logs(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "vllm").glob("*"))


async def test_it_keeps_the_contract(start: Start) -> None:
    """All promises but one in one test, since each start takes a second: the stand-in has no model to be greedy."""
    case = Case(await start(), request(prompt=replace(request().prompt, max_tokens=2048)))  # long, so that it streams
    for promise in CONTRACT:
        if promise not in OF_A_MODEL:
            await promise(case)


async def test_it_starts_answers_and_is_gone_after_close(start: Start, tmp_path: Path) -> None:
    engine = await start("owner/name", args="--max-model-len 8192")
    group = engine.server_pid
    assert "sleep" in members(group).values(), "what computes for the server is in its group"
    (completion,) = await ask(engine, request())
    assert completion.text
    assert engine.version == f"vLLM {VERSION}, owner/name --max-model-len 8192"
    await engine.close()
    await until(lambda: not members(group))
    assert logs(tmp_path) == []
    assert engine.server_pid is None
    with pytest.raises(EngineError, match="not started"):
        engine.generate(request())


async def test_it_can_be_started_again(start: Start) -> None:
    engine = await start()
    first, probed = engine.server_pid, engine.overhead
    await engine.close()
    await engine.start()
    assert engine.server_pid != first
    assert (await ask(engine, request()))[0].text
    assert engine.overhead.usage.tokens > probed.usage.tokens > 0, "each server is probed anew"


async def test_the_key_is_on_no_command_line_and_in_no_log(start: Start, tmp_path: Path) -> None:
    engine = await start()
    processes = members(engine.server_pid)
    (key,) = {environment_of(pid)["VLLM_API_KEY"] for pid in processes}
    assert len(key) > 30
    assert not any(key in command_line_of(pid) for pid in processes)
    assert not any(key in log.read_text() for log in logs(tmp_path))


async def test_a_start_that_fails_shows_the_end_of_the_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begun_groups(monkeypatch)
    with pytest.raises(EngineError, match="ValueError: no model broken") as failure:
        await VllmEngine("broken").start()
    assert "with the key [API key]" in failure.value.message
    (log,) = logs(tmp_path)
    assert str(log) in failure.value.remedy
    await until(lambda: not members(begun[0]))


async def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = begun_groups(monkeypatch)
    with pytest.raises(EngineError, match=r"within 2 seconds; its log ends with:\nLoading weights") as failure:
        await VllmEngine("slow", start_seconds=2).start()
    assert "start_seconds" in failure.value.remedy
    await until(lambda: not members(begun[0]))


async def test_one_that_is_cancelled_while_it_starts_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = begun_groups(monkeypatch)
    starting = asyncio.create_task(VllmEngine("slow").start())
    await until(lambda: bool(begun) and "sleep" in members(begun[0]).values())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: not members(begun[0]))


async def test_one_that_does_not_end_when_asked_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.5)
    engine = await start("stubborn")
    group = engine.server_pid
    await engine.close()
    await until(lambda: not members(group))


@pytest.mark.parametrize("model", ["m", "stubborn"])
async def test_it_is_gone_when_perpend_is_killed(model: str) -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.engines.vllm.hold", model, "0.5"), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    group = int(await holder.stdout.readline())
    assert len(members(group)) >= 3, "the watcher, the server, and what computes for it"
    holder.kill()
    await holder.wait()
    await until(lambda: not members(group))


async def test_a_server_that_dies_ends_the_study_with_its_last_words(start: Start) -> None:
    engine = await start()
    group = engine.server_pid
    with pytest.raises(EngineError):
        await ask(engine, request("end yourself"))
    await until(lambda: not members(group))  # what computed for it is gone too
    with pytest.raises(EngineError, match="RuntimeError: engine core died") as failure:
        await ask(engine, request())
    assert not isinstance(failure.value, CallLost)


async def test_a_server_whose_watcher_was_killed_is_ended_all_the_same(start: Start) -> None:
    engine = await start()
    group = engine.server_pid
    os.kill(group, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert members(group)
    await engine.close()
    await until(lambda: not members(group))


async def test_samples_side_by_side_share_the_servers_time(start: Start) -> None:
    engine = await start()
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(ask(engine, request(index=i, seed=i)) for i in range(8)))
    elapsed = asyncio.get_running_loop().time() - began
    seconds = [completion.device_seconds for (completion,) in answers]
    assert all(each > 0 for each in seconds)
    assert 0.5 * elapsed < sum(seconds) <= elapsed
    together = await ask(engine, request(n=2))
    assert together[0].device_seconds == together[1].device_seconds > 0


async def test_it_costs_this_machines_time(start: Start) -> None:
    engine = await start()
    assert engine.caps.local
    assert bill("vllm:m", None) is None
    quote = quote_of(None, local=engine.caps.local, simulated=engine.caps.simulated, hourly=3.6)
    assert quote is not None
    assert quote.price.device_second == pytest.approx(0.001)


def test_without_the_command_it_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EngineError, match="no `vllm` command") as refusal:
        usable_command()
    assert "pip install 'perpend[vllm]'" in refusal.value.remedy


def test_without_a_gpu_only_a_build_that_needs_none_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "DEVICES", tmp_path / "dev")
    found = usable_command()
    assert found == str(tmp_path / "bin" / "vllm")
    Path(found).write_text("#!/bin/sh\necho INFO some noise\necho 0.33.0\n")
    with pytest.raises(EngineError, match="no GPU that vLLM could use"):
        usable_command()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert usable_command() == found


async def test_it_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = begun_groups(monkeypatch)
    monkeypatch.setattr(command, "DEVICES", tmp_path / "dev")
    (tmp_path / "bin" / "vllm").write_text("#!/bin/sh\necho 0.33.0\n")
    with pytest.raises(EngineError, match="no GPU"):
        await VllmEngine("m").start()
    assert begun == []
    assert logs(tmp_path) == []


def test_the_string_says_model_and_flags() -> None:
    assert isinstance(ENGINES.build("vllm:Qwen/Qwen3-4B"), VllmEngine)
    assert isinstance(ENGINES.build('vllm(model=Qwen/Qwen3-4B, args="--max-model-len 8192, 1")'), VllmEngine)
    with pytest.raises(ConfigError, match="sets --port itself"):
        ENGINES.build('vllm(model=m, args="--port=8000")')
    with pytest.raises(ConfigError, match="sets --api-key itself"):
        ENGINES.build('vllm(model=m, args="--api_key secret")')
    with pytest.raises(ConfigError, match="cannot be given as text"):
        ENGINES.build("openai(target=m, key=sk-1)")


def begun_groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process groups of the servers that were begun, whatever became of them."""
    begun: list[int] = []

    class Noting(server.Server):
        def __init__(self, process: asyncio.subprocess.Process, *rest: Any) -> None:
            begun.append(process.pid)
            super().__init__(process, *rest)

    monkeypatch.setattr(server, "Server", Noting)
    return begun
