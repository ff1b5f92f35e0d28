"""What is probed, and when."""

from __future__ import annotations

import pytest

from perpend.core import EngineError
from perpend.engines.openai import OpenAIEngine, asking
from tests.engines.openai.conftest import Start, only
from tests.engines.openai.fault_server import EVERYTHING, FaultServer, running


async def test_everything_is_found(start: Start) -> None:
    caps = (await start()).caps
    assert (caps.context, caps.seeds, caps.logprobs, caps.continuation, caps.loglik) == (4096, True, 21, True, True)
    assert caps.exact_replay is None
    assert not caps.local
    assert not caps.simulated


async def test_what_is_missing_is_missed(server: FaultServer, start: Start) -> None:
    server.configure(features={"chat", "models"}, server="other")
    engine = await start()
    assert (engine.caps.seeds, engine.caps.logprobs, engine.caps.continuation, engine.caps.loglik) == (
        False, 0, False, False,
    )  # fmt: skip
    assert "tells no usage" in engine.caps.note
    assert (await only(engine)).estimated


async def test_a_server_is_probed_once_and_no_more(server: FaultServer) -> None:
    sent = []
    for _ in range(2):
        engine = OpenAIEngine(f"{server.url}#m")
        await engine.start()
        await engine.start()
        sent.append((len(server.requests), engine.caps))
        await engine.close()
        await engine.close()
    assert sent[0] == sent[1]
    assert 10 < sent[0][0] < 30


async def test_probing_survives_faults(server: FaultServer) -> None:
    faults = {"429": 0.1, "500": 0.05, "drop_before": 0.05, "cut": 0.05, "empty": 0.05}
    for seed in range(3):
        server.configure(faults=faults, seed=seed, context=4096 + seed)
        engine = OpenAIEngine(f"{server.url}#m")
        await engine.start()
        assert engine.caps.seeds
        assert engine.caps.logprobs == 21
        await engine.close()


async def test_what_a_failing_server_lacks_is_not_remembered(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TRIES", 2)
    server.configure(script=["", "", *["500"] * 400])
    engine = OpenAIEngine(f"{server.url}#m")
    await engine.start()
    assert not engine.caps.seeds
    await engine.close()
    server.configure(script=[])
    engine = OpenAIEngine(f"{server.url}#m")
    await engine.start()
    assert engine.caps.seeds
    await engine.close()


async def test_the_only_model_needs_no_name(server: FaultServer, start: Start) -> None:
    named, unnamed = await start(), await start(server.url)
    assert named.fingerprint == unnamed.fingerprint
    assert len(named.fingerprint) == 64


async def test_a_server_without_a_list_needs_a_name(server: FaultServer, start: Start) -> None:
    server.configure(features=EVERYTHING - {"models"})
    assert (await start()).caps.seeds
    with pytest.raises(EngineError, match="Which model"):
        await start(server.url)


async def test_replicas_can_what_both_can(server: FaultServer, start: Start) -> None:
    async with running(features=EVERYTHING - {"logprobs"}, context=2048) as other:
        caps = (await start(f"{server.url},{other.url}#m")).caps
    assert (caps.logprobs, caps.context, caps.seeds) == (0, 2048, True)
