"""What a sound reply becomes."""

from __future__ import annotations

import pytest

from perpend.core import CallLost, EngineError, Finish, Prompt, Usage
from perpend.engines import ENGINES
from perpend.engines.openai import OpenAIEngine
from tests.engines.openai.conftest import Start, ask, chat, deltas, only, request
from tests.engines.openai.fault_server import FaultServer, running


def test_it_is_in_the_registry() -> None:
    assert isinstance(ENGINES.build("openai:http://127.0.0.1:1/v1#m", name="small"), OpenAIEngine)


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_is_completed_with_the_servers_usage(server: FaultServer, start: Start, stream: bool) -> None:
    completion = await only(await start(stream=stream), request(chat("a b c")))
    (entry,) = server.ledger
    assert completion.finish is Finish.STOP
    assert completion.usage == Usage(entry.prompt, 0, entry.completion, 0)
    assert completion.text
    assert not completion.estimated
    assert completion.started <= completion.ended


@pytest.mark.parametrize("stream", [False, True])
async def test_raw_prompts_go_to_completions(server: FaultServer, start: Start, stream: bool) -> None:
    completion = await only(await start(stream=stream), request(Prompt(text="one two"), prefix=" three"))
    assert server.paths == ["/v1/completions"]
    assert server.requests[0]["prompt"] == "one two three"
    assert completion.text
    assert "three" not in completion.text


async def test_streamed_text_equals_the_whole(start: Start) -> None:
    plain, streamed = await start(), await start(stream=True)
    assert (await only(plain)).text == (await only(streamed)).text == "".join(d.text for d in await deltas(streamed))


async def test_long_completions_are_streamed_unless_told_otherwise(server: FaultServer, start: Start) -> None:
    engine = await start()
    await only(engine, request(chat(max_tokens=1024)))
    await only(engine, request(chat(max_tokens=1025)))
    assert [bool(body.get("stream")) for body in server.requests] == [False, True]


async def test_sampling_parameters_are_sent(server: FaultServer, start: Start) -> None:
    server.configure(server="other")
    prompt = chat(stop=("\n\n",), max_tokens=99, temperature=0.0, top_p=0.9)
    await only(await start(), request(prompt, extra={"user": "x"}))
    assert server.requests[0] == {
        "model": "m", "messages": [{"role": "user", "content": "what is one and one"}], "seed": 7, "temperature": 0.0,
        "top_p": 0.9, "stop": ["\n\n"], "max_tokens": 99, "user": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("software", "fields"),
    [
        ("llamacpp", {"top_p": 1.0, "top_k": 0, "min_p": 0.0}),
        ("vllm", {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}),
        ("other", {"top_p": 1.0}),
    ],
)
async def test_a_servers_own_sampling_defaults_are_switched_off(
    server: FaultServer, start: Start, software: str, fields: dict[str, float]
) -> None:
    server.configure(server=software)
    engine = await start()
    await only(engine)
    asked = {name: server.requests[0].get(name) for name in ("top_p", "top_k", "min_p", "repetition_penalty")}
    assert {name: value for name, value in asked.items() if value is not None} == fields
    assert ("defaults of its own" in engine.caps.note) is (software == "other")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt", [chat(), Prompt(text="one two")])
async def test_log_probabilities_are_summed(start: Start, stream: bool, prompt: Prompt) -> None:
    completion = await only(await start(stream=stream), request(prompt, logprobs=1))
    assert completion.tokens is not None
    assert len(completion.tokens) == completion.usage.completion
    assert completion.logprob == pytest.approx(-len(completion.text) / 7)


async def test_n_choices_share_one_request_whose_usage_is_divided(server: FaultServer, start: Start) -> None:
    completions = await ask(await start(), request(n=4))
    (entry,) = server.ledger
    assert [c.choice for c in completions] == [0, 1, 2, 3]
    assert sum((c.usage for c in completions), Usage()) == Usage(entry.prompt, 0, entry.completion)
    assert [c.usage.prompt for c in completions[1:]] == [0, 0, 0]


async def test_choices_that_are_missing_are_left_to_whoever_pays(server: FaultServer, start: Start) -> None:
    engine = await start()
    whole = [c.text for c in await ask(engine, request(n=3))]
    server.configure(script=["fewer"])
    completions = await ask(engine, request(n=3))
    assert [body.get("n", 1) for body in server.requests] == [3]
    assert [c.text for c in completions] == whole[:2]
    assert sum(c.usage.tokens for c in completions) == server.billed()


async def test_choices_that_a_server_does_not_give_fail_together_and_ask_for_nothing(
    server: FaultServer, start: Start
) -> None:
    server.configure(features=server.config.features - {"n"})
    engine = await start()
    (completion,) = await ask(engine, request(n=3))
    assert completion.finish is Finish.FAILED
    assert "one choice a call" in (completion.error or "")
    assert server.requests == []


@pytest.mark.parametrize("way", ["flag", "prefill"])
@pytest.mark.parametrize("repeats", [False, True])
async def test_a_chat_answer_is_continued(server: FaultServer, start: Start, way: str, repeats: bool) -> None:
    other = {"flag": "prefill", "prefill": "flag"}[way]
    server.configure(features=server.config.features - {other} | ({"repeats"} if repeats else set()))
    engine = await start(stream=True)
    completion = await only(engine, request(prefix="one, two, three, four, five, six,"))
    assert engine.caps.continuation
    assert completion.text == " seven,"
    assert server.requests[0].get("continue_final_message", False) is (way == "flag")
    assert server.requests[0].get("add_generation_prompt", True) is (way == "prefill")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt", [chat("what is it"), Prompt(text="what is it")], ids=["chat", "raw"])
async def test_the_most_likely_tokens_come_with_each_token(start: Start, stream: bool, prompt: Prompt) -> None:
    completion = await only(await start(stream=stream), request(prompt, logprobs=1 + 3))
    for token in completion.tokens:
        assert len(token.top) == 3
        assert token.top[0].logprob == pytest.approx(token.logprob)
        assert [each.logprob for each in token.top] == sorted((each.logprob for each in token.top), reverse=True)
    assert "".join(token.top[0].text for token in completion.tokens) == completion.text


async def test_only_the_tokens_own_log_probability_is_asked_for_unless_more_are_wanted(
    start: Start, server: FaultServer
) -> None:
    engine = await start()
    completion = await only(engine, request(logprobs=1))
    assert "top_logprobs" not in server.requests[-1]
    assert {token.top for token in completion.tokens} == {()}
    with pytest.raises(EngineError, match="give 22 log-probabilities a token"):
        await only(engine, request(logprobs=22))


async def test_thinking_is_bounded_by_the_servers_own_field(server: FaultServer, start: Start) -> None:
    for software, field in [
        ("vllm", "thinking_token_budget"),
        ("llamacpp", "thinking_budget_tokens"),
        ("sglang", "thinking_budget"),
    ]:
        server.configure(server=software)
        await only(await start(), request(chat(thinking_tokens=64)))
        assert server.requests[0][field] == 64


@pytest.mark.parametrize("kind", ["length", "filter"])
async def test_truncated_and_filtered_are_samples_of_their_own_kind(
    server: FaultServer, start: Start, kind: str
) -> None:
    engine = await start()
    server.configure(script=[kind])
    completion = await only(engine)
    assert completion.finish is {"length": Finish.LENGTH, "filter": Finish.FILTERED}[kind]
    assert completion.usage.tokens == server.billed()


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_is_not_told_is_marked_as_estimated(server: FaultServer, start: Start, stream: bool) -> None:
    engine = await start(stream=stream)
    server.configure(script=["no_usage"])
    completion = await only(engine, request(logprobs=1))
    assert completion.estimated
    assert completion.usage == Usage(completion=server.ledger[0].completion)


async def test_a_text_is_scored_by_echo(start: Start) -> None:
    engine = await start()
    assert await engine.loglik(Prompt(text="one two"), " three four") == pytest.approx(-(6 + 5) / 7)


async def test_a_score_that_breaks_is_handed_back_and_goes_to_another_replica(
    server: FaultServer, start: Start
) -> None:
    async with running() as other:
        engine = await start(f"{server.url},{other.url}#m")
        for each in (server, other):
            each.configure(faults={"malformed": 1.0})
        with pytest.raises(CallLost) as lost:
            await engine.loglik(Prompt(text="one"), " two")
        assert lost.value.retry_seconds
        hit, spare = (server, other) if server.ledger else (other, server)
        spare.configure(faults={})
        assert await engine.loglik(Prompt(text="one"), " two", attempt=1) == pytest.approx(-4 / 7)
        assert [len(hit.ledger), len(spare.ledger)] == [1, 1]
        assert (engine.counts.answered, dict(engine.counts.lost)) == (1, {"malformed": 1})


async def test_what_a_server_cannot_do_is_refused_by_name(server: FaultServer, start: Start) -> None:
    server.configure(features={"chat", "models", "usage"}, server="other")
    engine = await start()
    for wanted, name in [
        (request(Prompt(text="a")), "raw completions"),
        (request(prefix="a"), "continue a chat answer"),
        (request(logprobs=1), "log-probabilities"),
        (request(chat(thinking_tokens=5)), "bound thinking"),
    ]:
        with pytest.raises(EngineError, match=name):
            await only(engine, wanted)
    with pytest.raises(EngineError, match="cannot score"):
        await engine.loglik(Prompt(text="a"), "b")
    assert server.requests == []


async def test_a_completion_that_cannot_fit_any_prompt_is_refused(start: Start) -> None:
    with pytest.raises(EngineError, match="Lower --max-tokens"):
        await only(await start(), request(chat(max_tokens=4096)))


async def test_an_engine_that_was_not_started_says_so() -> None:
    with pytest.raises(EngineError, match="not started"):
        await only(OpenAIEngine("http://127.0.0.1:1/v1#m"))
