"""What is probed, and when."""

from __future__ import annotations

import pytest

from perpend.core import ConfigError, EngineError, Usage
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


class Counted:
    """A purse that pays for so many calls, and remembers what it held."""

    def __init__(self, calls: int = 1000) -> None:
        self.calls = calls
        self.bound = Usage()
        self.held: list[Usage] = []
        self.settled: dict[int, Usage | None] = {}

    def afford(self, most: Usage) -> None:
        self.bound = most

    async def reserve(self, most: Usage) -> int:
        if len(self.held) == self.calls:
            raise ConfigError("It is empty.")
        self.held.append(most)
        return len(self.held) - 1

    def settle(self, reservation: int, used: Usage | None) -> None:
        self.settled[reservation] = used


@pytest.mark.parametrize(
    "features",
    [
        EVERYTHING,
        EVERYTHING | {"new_limit"},
        EVERYTHING - {"logprobs", "flag", "prefill", "seeds"},
        (EVERYTHING - {"logprobs", "flag", "prefill", "raw"}) | {"new_limit"},
        {"chat", "models", "usage"},
        {"raw", "models", "usage"},
    ],
)
@pytest.mark.parametrize("software", ["vllm", "llamacpp", "other"])
async def test_a_probe_costs_no_more_than_it_was_said_to_beforehand(
    server: FaultServer, features: frozenset[str], software: str
) -> None:
    server.configure(features=features, server=software)
    engine, purse = OpenAIEngine(f"{server.url}#m"), Counted()
    await engine.start(purse)
    await engine.close()
    answered = [held for number, held in enumerate(purse.held) if purse.settled[number] != Usage()]
    assert server.billed() <= sum(held.tokens for held in answered) <= purse.bound.tokens < 6000
    assert sum(held.prompt for held in answered) <= purse.bound.prompt
    assert sum(held.completion for held in answered) <= purse.bound.completion
    assert sum(used.tokens for used in purse.settled.values() if used is not None) == server.billed()


@pytest.mark.parametrize("calls", [1, 4, 12])
async def test_a_probe_that_is_broken_off_leaves_no_call_unsettled(server: FaultServer, calls: int) -> None:
    server.configure(seconds=0.05)
    engine, purse = OpenAIEngine(f"{server.url}#m"), Counted(calls)
    with pytest.raises(ConfigError, match="It is empty"):
        await engine.start(purse)
    assert set(purse.settled) == set(range(calls))
    assert len(server.requests) <= calls
