"""A server that has lost what is remembered of it is probed once more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perpend.core import EngineError, Finish
from perpend.engines.openai import OpenAIEngine
from tests.engines.openai.conftest import Start, ask, chat, only, request, until
from tests.engines.openai.fault_server import EVERYTHING, FaultServer

PROBE = 10
"""More requests than one needs, and fewer than a probe takes."""


@pytest.fixture
async def remembered(server: FaultServer) -> None:
    """A server of which everything is known from an earlier session."""
    engine = OpenAIEngine(f"{server.url}#m")
    await engine.start()
    await engine.close()


@pytest.mark.parametrize(
    ("lost", "wanted"),
    [
        ("logprobs", {"logprobs": 1}),
        ("flag", {"prefix": "one, two, three, four, five, six,"}),
        ("stream", {"prompt": chat(max_tokens=2000)}),
    ],
)
async def test_it_is_probed_once_more_and_asked_again(
    server: FaultServer, remembered: None, start: Start, lost: str, wanted: dict[str, Any]
) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {lost})
    completions = await ask(engine, request(**wanted))
    assert {completion.finish for completion in completions} == {Finish.STOP}
    assert len(server.requests) > PROBE
    again = await start()
    assert again.caps == engine.caps
    await ask(again, request(**wanted) if lost != "logprobs" else request())
    assert len(server.requests) <= 2, "what was found is remembered in place of what was lost"


async def test_requests_side_by_side_wait_for_one_probe(server: FaultServer, remembered: None, start: Start) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {"logprobs"}, seconds=0.005)
    wanted = [request(problem_id=str(number), logprobs=1) for number in range(16)]
    completions = await asyncio.gather(*(only(engine, each) for each in wanted))
    assert {completion.finish for completion in completions} == {Finish.STOP}
    assert engine.caps.logprobs == 0
    probing = [body for body in server.requests if "random word" in str(body)]
    assert 0 < len(probing) < 30


async def test_a_straggler_that_asked_by_what_was_remembered_is_no_failed_sample(
    server: FaultServer, remembered: None, start: Start
) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {"logprobs"}, hesitation=[1.0])
    late = asyncio.create_task(only(engine, request(logprobs=1)))
    await until(lambda: len(server.requests) == 1)
    assert (await only(engine, request(index=1, logprobs=1))).finish is Finish.STOP
    assert not late.done()
    assert (await late).finish is Finish.STOP


async def test_what_still_fails_names_the_file_and_is_not_probed_again(
    server: FaultServer, remembered: None, start: Start, tmp_path: Path
) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {"logprobs"})
    impossible = request(extra={"logprobs": True})
    for _ in range(2):
        with pytest.raises(EngineError, match="unknown field logprobs") as caught:
            await only(engine, impossible)
        (file,) = (tmp_path / "cache" / "openai").iterdir()
        assert f"remembered in {file}: if that is wrong, delete it" in str(caught.value)
    assert PROBE < len(server.requests) < 35


async def test_what_was_found_in_this_session_is_believed(server: FaultServer, start: Start) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {"logprobs"})
    with pytest.raises(EngineError, match="unknown field logprobs") as caught:
        await only(engine, request(logprobs=1))
    assert "remembered" not in str(caught.value)
    assert len(server.requests) == 1


async def test_once_one_was_answered_a_rejection_is_that_requests_own(
    server: FaultServer, remembered: None, start: Start
) -> None:
    engine = await start()
    await only(engine)
    server.configure(features=EVERYTHING - {"logprobs"})
    assert (await only(engine, request(logprobs=1))).finish is Finish.FAILED
    assert len(server.requests) == 1


async def test_a_context_overflow_is_no_lost_ability(server: FaultServer, remembered: None, start: Start) -> None:
    engine = await start()
    assert (await only(engine, request(chat("long " * 4000)))).finish is Finish.FAILED
    assert len(server.requests) == 1


async def test_what_cannot_be_done_without_is_refused_by_name(
    server: FaultServer, remembered: None, start: Start
) -> None:
    engine = await start()
    server.configure(features=EVERYTHING - {"flag", "prefill"})
    with pytest.raises(EngineError, match="cannot do this: continue a chat answer"):
        await only(engine, request(prefix="one, two,"))
