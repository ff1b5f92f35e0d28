"""What becomes of a call that goes wrong."""

from __future__ import annotations

import asyncio
import time
import traceback
from email.utils import formatdate

import pytest

from perpend.core import CallLost, Completion, EngineError, Finish, Usage
from perpend.engines.openai import OpenAIEngine, asking
from tests.engines.openai.conftest import KEY, Start, ask, chat, only, request, until
from tests.engines.openai.fault_server import FaultServer, running

LOST = {
    "500": "5xx",
    "drop_before": "dropped",
    "drop_body": "dropped",
    "malformed": "malformed",
    "cut": "malformed",
    "empty": "empty",
    "null": "null",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", LOST)
async def test_a_call_that_may_have_cost_something_is_handed_back(
    server: FaultServer, start: Start, fault: str, stream: bool
) -> None:
    engine = await start(stream=stream)
    server.configure(script=[fault])
    with pytest.raises(CallLost) as lost:
        await only(engine)
    assert lost.value.usage is None
    assert 0 < (lost.value.retry_seconds or 0) < 1
    expected = "cut" if stream and fault == "cut" else LOST[fault]
    assert dict(engine.counts.lost) == {expected: 1}
    assert (await only(engine, request(attempt=1))).finish is Finish.STOP


@pytest.mark.parametrize("fault", ["429", "429_after"])
async def test_a_refusal_costs_nothing_and_is_tried_again(server: FaultServer, start: Start, fault: str) -> None:
    engine = await start()
    server.configure(script=[fault] * 3)
    assert (await only(engine)).finish is Finish.STOP
    assert engine.counts.refused == {"429": 3}
    assert len(server.ledger) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_honoured(server: FaultServer, start: Start, form: str) -> None:
    engine = await start()
    server.configure(script=["429_after"], retry_after="0.3" if form == "seconds" else formatdate(time.time() + 2))
    began = time.monotonic()
    await only(engine)
    assert time.monotonic() - began >= (0.3 if form == "seconds" else 0.9)


async def test_no_choice_at_all_is_charged_as_the_server_says(server: FaultServer, start: Start) -> None:
    engine = await start()
    server.configure(script=["fewer"])
    with pytest.raises(CallLost) as lost:
        await only(engine)
    assert lost.value.usage == Usage(prompt=server.ledger[0].prompt)


async def test_a_call_that_is_always_lost_fails_alone_where_others_are_answered(
    server: FaultServer, start: Start
) -> None:
    engine = await start(attempts=2)
    server.configure(script=["500", "", "500"])
    with pytest.raises(CallLost):
        await only(engine)
    await only(engine, request(index=1))
    with pytest.raises(CallLost, match="2 calls") as lost:
        await only(engine, request(attempt=1))
    assert lost.value.retry_seconds is None


async def test_an_engine_that_answers_nothing_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(attempts=2)
    server.configure(faults={"500": 1.0})
    with pytest.raises(CallLost):
        await only(engine)
    with pytest.raises(EngineError, match="answered none") as lost:
        await only(engine, request(attempt=1))
    assert not isinstance(lost.value, CallLost)


async def test_an_engine_that_loses_calls_for_too_long_is_given_up_however_few_each_request_made(
    server: FaultServer, start: Start
) -> None:
    engine = await start(attempts=3, patience_seconds=0.3)
    server.configure(faults={"500": 1.0})
    for index in range(3):
        with pytest.raises(CallLost):
            await only(engine, request(index=index))
    await asyncio.sleep(0.3)
    with pytest.raises(EngineError, match="has answered nothing for") as lost:
        await only(engine, request(index=3))
    assert not isinstance(lost.value, CallLost)
    assert lost.value.usage is None


async def test_an_engine_that_refuses_for_too_long_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(patience_seconds=0.3)
    server.configure(faults={"429": 1.0})
    with pytest.raises(EngineError, match="has answered nothing for"):
        await only(engine)
    assert server.ledger == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_context_overflow_fails_that_request_alone(server: FaultServer, start: Start, stream: bool) -> None:
    engine = await start(stream=stream)
    completion = await only(engine, request(chat("long " * 4000)))
    assert completion.finish is Finish.FAILED
    assert completion.error == "This model's maximum context length is 4096 tokens."
    assert completion.usage == Usage()
    assert (await only(engine)).finish is Finish.STOP


async def test_a_wrong_key_stops_at_once(server: FaultServer) -> None:
    server.configure(key="sk-another-one")
    engine = OpenAIEngine(f"{server.url}#m")
    with pytest.raises(EngineError, match=r"does not accept the API key \(HTTP 401\).*Set PERPEND_API_KEY"):
        await engine.start()


async def test_a_key_that_is_withdrawn_stops_at_once(server: FaultServer, start: Start) -> None:
    engine = await start()
    server.configure(key="sk-another-one")
    with pytest.raises(EngineError, match="does not accept the API key"):
        await only(engine)


async def test_a_model_that_is_not_there_stops_at_once(server: FaultServer) -> None:
    with pytest.raises(
        EngineError, match=r"completes nothing with the model x \(chat/completions: HTTP 400: no model x;"
    ):
        await OpenAIEngine(f"{server.url}#x").start()


@pytest.mark.parametrize(("fault", "said"), [("echo_key_400", "your key"), ("500", "out of memory,")])
async def test_a_server_that_answers_nothing_at_first_is_quoted_without_the_key(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    monkeypatch.setattr(asking, "TRIES", 1)
    server.configure(faults={fault: 1.0})
    with pytest.raises(EngineError, match="completes nothing with the model m") as failure:
        await OpenAIEngine(f"{server.url}#m").start()
    assert f"{said} [API key]" in failure.value.message
    assert KEY not in str(failure.value)
    assert failure.value.remedy


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match=r"Nothing answers at http://127.0.0.1:9/v1.*Start the server"):
        await OpenAIEngine("http://127.0.0.1:9/v1#m").start()


async def test_a_first_token_that_does_not_come_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(stream=True, first_token_seconds=0.1)
    server.configure(script=["slow"])
    with pytest.raises(CallLost, match="timed out"):
        await only(engine)


async def test_a_stream_that_stalls_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(stream=True, gap_seconds=0.1)
    server.configure(gap=0.5)
    with pytest.raises(CallLost, match="timed out"):
        await only(engine)


async def test_a_stream_that_has_no_end_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(stream=True, whole_seconds=0.2)
    server.configure(gap=0.05, tokens=100, fewest=100)
    with pytest.raises(CallLost, match="timed out"):
        await only(engine, request(chat(max_tokens=100)))


async def test_a_refusal_in_the_middle_of_a_stream_may_have_cost_something(server: FaultServer, start: Start) -> None:
    engine = await start(stream=True)
    server.configure(script=["late_429"])
    with pytest.raises(CallLost, match="aborted: HTTP 429: too many requests") as lost:
        await only(engine)
    assert lost.value.usage is None


async def test_a_whole_reply_that_does_not_come_is_given_up(server: FaultServer, start: Start) -> None:
    engine = await start(whole_seconds=0.1)
    server.configure(script=["slow"])
    with pytest.raises(CallLost, match="timed out"):
        await only(engine)


@pytest.mark.parametrize("logprobs", [0, 1])
async def test_chunks_that_come_twice_count_once(server: FaultServer, start: Start, logprobs: int) -> None:
    engine = await start(stream=True)
    once = await only(engine, request(logprobs=logprobs))
    server.configure(script=["duplicate"])
    twice = await only(engine, request(logprobs=logprobs))
    assert (twice.text, twice.usage, twice.tokens) == (once.text, once.usage, once.tokens)


async def test_a_stream_needs_no_done(server: FaultServer, start: Start) -> None:
    engine = await start(stream=True)
    server.configure(script=["no_done"])
    assert (await only(engine)).finish is Finish.STOP


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_closes_the_connection_and_keeps_what_arrived(
    server: FaultServer, start: Start, stream: bool
) -> None:
    engine = await start(stream=stream)
    server.configure(seconds=0.0 if stream else 0.3, gap=0.05)
    generation = engine.generate(request())
    items = []

    async def read() -> None:
        async for item in generation:
            items.append(item)  # noqa: PERF401 (others look at the list while it grows)

    reading = asyncio.create_task(read())
    await until(lambda: len(items) >= 2 if stream else len(server.ledger) == 1)
    generation.cancel()
    await asyncio.wait_for(reading, 0.1)
    last = items[-1]
    assert isinstance(last, Completion)
    assert last.finish is Finish.CANCELLED
    assert last.estimated
    assert last.text == "".join(item.text for item in items[:-1])
    assert bool(last.text) is stream
    await until(lambda: server.dropped_by_client == 1)


async def test_cancelling_before_it_was_sent_costs_nothing(server: FaultServer, start: Start) -> None:
    engine = await start(max_connections=1)
    server.configure(seconds=0.2)
    first = asyncio.create_task(only(engine))
    await until(lambda: len(server.ledger) == 1)
    generation = engine.generate(request(index=1))
    second = asyncio.create_task(anext(generation.__aiter__()))
    await asyncio.sleep(0.01)
    generation.cancel()
    cancelled = await second
    assert isinstance(cancelled, Completion)
    assert (cancelled.finish, cancelled.estimated, cancelled.usage) == (Finish.CANCELLED, False, Usage())
    assert (await first).finish is Finish.STOP
    assert len(server.ledger) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_goes_away_leaves_its_place(server: FaultServer, start: Start, stream: bool) -> None:
    engine = await start(max_connections=1, stream=stream)
    server.configure(seconds=0.2)
    calling, queued = (asyncio.create_task(only(engine, request(index=i))) for i in range(2))
    await until(lambda: len(server.ledger) == 1)
    queued.cancel()
    calling.cancel()
    await asyncio.gather(calling, queued, return_exceptions=True)
    assert (await asyncio.wait_for(only(engine), 1)).finish is Finish.STOP
    assert len(server.ledger) == 2


async def test_many_requests_under_all_faults_are_neither_lost_nor_doubled(server: FaultServer, start: Start) -> None:
    engine = await start(max_connections=32)
    kinds = [*LOST, "429", "429_after", "fewer"]
    server.configure(faults=dict.fromkeys(kinds, 0.02), seed=5, numbered=True)

    async def persist(index: int) -> Completion:
        for attempt in range(20):
            try:
                return await only(engine, request(index=index, problem_id=str(index // 8), attempt=attempt))
            except CallLost as lost:
                await asyncio.sleep(lost.retry_seconds or 0.0)
        raise AssertionError

    completions = await asyncio.gather(*(persist(index) for index in range(400)))
    numbers = [int(completion.text.rpartition("#")[2]) for completion in completions]
    delivered = {entry.number: entry for entry in server.ledger if entry.delivered and entry.fault == ""}
    assert sorted(numbers) == sorted(delivered)
    assert all(c.usage.tokens == delivered[number].tokens for c, number in zip(completions, numbers, strict=True))
    assert engine.counts.answered == 400
    assert sum(engine.counts.lost.values()) == len(server.ledger) - 400


@pytest.mark.parametrize("stream", [False, True])
async def test_the_key_never_shows(server: FaultServer, start: Start, stream: bool) -> None:
    engine = await start(stream=stream, attempts=1, patience_seconds=0.0)
    shown = [repr(engine), str(vars(engine)), engine.version, engine.caps.note]
    for fault in ("500", "429", "echo_key_400", "echo_key"):
        server.configure(script=[fault] * 9)
        try:
            shown += [repr(await only(engine))]
        except EngineError as error:
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]
    server.configure(key="sk-another-one")
    try:
        await only(engine)
    except EngineError as error:
        shown += [str(error), repr(error)]
    assert server.headers["authorization"] == f"Bearer {KEY}"
    assert not [text for text in shown if KEY in text]
    assert any("[API key]" in text for text in shown)


async def test_no_part_of_the_key_shows_where_an_error_is_shortened(start: Start) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = head.decode().partition("Bearer ")[2].partition("\r\n")[0]
        said = f"{'x' * 290} {key}".encode()
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    with pytest.raises(EngineError, match="does not accept the API key") as caught:
        await start(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1#m")
    assert KEY[:6] not in "".join(traceback.format_exception(caught.value))
    listening.close()


async def test_a_redirect_is_not_followed(start: Start) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(EngineError, match="redirects elsewhere"):
        await OpenAIEngine(f"http://127.0.0.1:{port}/v1#m").start()
    listening.close()


async def test_a_problem_stays_at_one_replica_and_leaves_one_that_fails(start: Start, server: FaultServer) -> None:
    async with running() as other:
        engine = await start(f"{server.url},{other.url}#m")
        other.configure(seconds=0.01)
        server.configure(seconds=0.01)
        wanted = [request(problem_id=str(p), index=i) for p in range(8) for i in range(4)]
        await asyncio.gather(*(only(engine, one) for one in wanted))
        assert (len(server.requests), len(other.requests)) == (16, 16)
        server.configure(faults={"drop_before": 1.0})
        other.configure()
        for one in wanted:
            for attempt in range(8):
                try:
                    await ask(engine, request(problem_id=one.problem_id, index=one.index, attempt=attempt))
                    break
                except CallLost:
                    continue
        assert len(other.ledger) == len(wanted)
        assert 6 <= len(server.ledger) <= 10
        server.configure(faults={})
        await asyncio.sleep(0.6)
        await asyncio.gather(*(only(engine, request(problem_id=f"new {p}")) for p in range(8)))
        assert server.ledger


async def test_a_replica_that_is_away_is_done_without(start: Start, server: FaultServer) -> None:
    engine = await start(f"http://127.0.0.1:9/v1,{server.url}#m")
    completions = await asyncio.gather(*(only(engine, request(problem_id=str(p))) for p in range(8)))
    assert [c.finish for c in completions] == [Finish.STOP] * 8
    assert server.requests
