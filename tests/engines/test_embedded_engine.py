"""The embedded engine with its model, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from perpend.core import Completion, Delta, EngineError, Finish, Message, Prompt, Request
from perpend.engines.embedded import EmbeddedEngine

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SHOTS = "".join(
    f"Q: What is {a} plus {b}?\nA: {a} plus {b} is {a + b}. The answer is {a + b}.\n\n"
    for a, b in ((3, 4), (15, 6), (12, 9), (7, 7), (20, 31))
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine()
    await engine.start()
    yield engine
    await engine.close()


def ask(
    text: str | None = None,
    seed: int = 1,
    prefix: str = "",
    messages: tuple[Message, ...] | None = None,
    **sampling: object,
) -> Request:
    settings = {"max_tokens": 24, "temperature": 0.8, **sampling}
    prompt = Prompt(text=text, messages=messages, **settings)  # type: ignore[arg-type]
    return Request("t", "p", 0, prompt, seed=seed, prefix=prefix, logprobs=1)


async def run(engine: EmbeddedEngine, request: Request) -> Completion:
    """The completion, after checking that what was streamed is the same."""
    streamed, tokens = "", 0
    async for item in engine.generate(request):
        if isinstance(item, Completion):
            if item.finish is not Finish.FAILED:
                assert streamed == item.text
                assert tokens == item.usage.completion
            return item
        streamed, tokens = streamed + item.text, tokens + item.tokens
    raise AssertionError("no completion")


async def test_it_describes_the_model_that_it_loaded(engine: EmbeddedEngine) -> None:
    assert re.match("[0-9a-f]{64}", engine.fingerprint)
    assert "openvino-genai" in engine.version
    assert engine.caps.context == 8192
    assert engine.shape is not None
    assert engine.shape.parameters == 134_515_008


async def test_a_seed_replays_in_a_crowd_with_a_cold_and_a_warm_cache(engine: EmbeddedEngine) -> None:
    if not engine.caps.exact_replay:
        pytest.skip(engine.caps.note)
    asked = [ask(f"{SHOTS[: 90 + 37 * i]} so {'x ' * i}", seed=i) for i in range(10)]
    alone = [await run(engine, request) for request in asked[:5]]
    crowd = [run(engine, ask(f"Item {i}: {'and ' * (i % 40)}", seed=i, max_tokens=3 + i)) for i in range(40)]
    together = (await asyncio.gather(*(run(engine, request) for request in asked), *crowd))[:10]
    after = [await run(engine, request) for request in asked[5:]]
    assert [c.tokens for c in together] == [c.tokens for c in [*alone, *after]]


async def test_replay_holds_for_every_length_of_the_uncached_tail(engine: EmbeddedEngine) -> None:
    if not engine.caps.exact_replay:
        pytest.skip(engine.caps.note)
    asked = [ask("Tail:" + " and" * n, seed=n, max_tokens=6) for n in range(56, 70)]
    first = await asyncio.gather(*(run(engine, request) for request in asked))
    again = await asyncio.gather(*(run(engine, request) for request in reversed(asked)))
    assert [c.tokens for c in first] == [c.tokens for c in reversed(again)]


async def test_a_seed_replays_beside_siblings_on_any_token(engine: EmbeddedEngine) -> None:
    if not engine.caps.exact_replay:
        pytest.skip(engine.caps.note)
    asked = [
        ask("These are ten tokens, or more than that" + " and" * (i % 3), seed=i, max_tokens=1 + i % 9)
        for i in range(48)
    ]
    first = await asyncio.gather(*(run(engine, request) for request in asked))
    shuffled = asked[::5] + asked[1::5] + asked[2::5] + asked[3::5] + asked[4::5]
    again = dict(zip([r.seed for r in shuffled], [await run(engine, request) for request in shuffled], strict=True))
    assert [c.tokens for c in first] == [again[request.seed].tokens for request in asked]


async def test_a_continuation_replays_whether_or_not_its_text_was_generated_here(engine: EmbeddedEngine) -> None:
    if not engine.caps.exact_replay:
        pytest.skip(engine.caps.note)
    other = EmbeddedEngine()
    text = (await run(engine, ask("The river ran", seed=5, max_tokens=60))).text
    request = ask("The river ran", seed=6, prefix=text)
    try:
        assert (await run(other, request)).tokens == (await run(engine, request)).tokens
    finally:
        await other.close()


async def test_samples_of_a_problem_compute_its_prompt_once(engine: EmbeddedEngine) -> None:
    prompt = f"Once only. {SHOTS}Q: What is 5 plus 8?\nA:"
    done = await asyncio.gather(*(run(engine, ask(prompt, seed=i, max_tokens=4)) for i in range(8)))
    whole = (done[0].usage.prompt - 2) // 32 * 32
    assert sorted(c.usage.cached for c in done) == [0] + [whole] * 7
    assert len({c.usage.prompt for c in done}) == 1


async def test_seeds_differ_and_temperature_zero_ignores_them(engine: EmbeddedEngine) -> None:
    sampled = await asyncio.gather(*(run(engine, ask("Once upon a time", seed=i)) for i in range(4)))
    greedy = await asyncio.gather(*(run(engine, ask("Once upon a time", seed=i, temperature=0.0)) for i in range(4)))
    assert len({c.text for c in sampled}) == 4
    assert len({c.text for c in greedy}) == 1


async def test_top_p_narrows_the_choice(engine: EmbeddedEngine) -> None:
    # A few tokens only: logits come in bf16, so that two can be equal, and a draw chooses between those.
    narrow = await run(engine, ask("Once upon a time", seed=3, top_p=1e-6, max_tokens=8))
    assert narrow.text == (await run(engine, ask("Once upon a time", temperature=0.0, max_tokens=8))).text


async def test_stop_strings_end_a_completion_and_are_not_part_of_it(engine: EmbeddedEngine) -> None:
    free = await run(engine, ask(f"{SHOTS}Q: What is 8 plus 9?\nA:", temperature=0.0))
    for stop in ("\n\n", " The answer", "answer is"):
        cut = await run(engine, ask(f"{SHOTS}Q: What is 8 plus 9?\nA:", temperature=0.0, stop=(stop, "zzz")))
        assert cut.finish is Finish.STOP
        assert cut.text == free.text[: free.text.index(stop)]
        assert cut.usage.completion < free.usage.completion


async def test_max_tokens_cut_a_completion(engine: EmbeddedEngine) -> None:
    cut = await run(engine, ask("One two three", max_tokens=5))
    assert (cut.finish, cut.usage.completion) == (Finish.LENGTH, 5)


async def test_a_continuation_at_temperature_zero_is_the_uninterrupted_text(engine: EmbeddedEngine) -> None:
    whole = await run(engine, ask("The capital of France is", temperature=0.0, max_tokens=20))
    cut = whole.text.index(" is")
    rest = await run(engine, ask("The capital of France is", temperature=0.0, max_tokens=2, prefix=whole.text[:cut]))
    assert whole.text.startswith(whole.text[:cut] + rest.text)


async def test_chat_takes_the_models_template_and_goes_on_with_a_prefix(engine: EmbeddedEngine) -> None:
    asked = (Message("user", "What is 2+2?"),)
    whole = await run(engine, ask(messages=asked, temperature=0.0, max_tokens=100))
    assert whole.finish is Finish.STOP
    assert "<|im" not in whole.text
    cut = whole.text.index(" is")
    rest = await run(engine, ask(messages=asked, temperature=0.0, max_tokens=3, prefix=whole.text[:cut]))
    assert rest.text == " is 4"


async def test_loglik_agrees_with_the_log_probabilities_of_generation(engine: EmbeddedEngine) -> None:
    made = await run(engine, ask("The capital of France is", seed=4, max_tokens=16))
    scored = await engine.loglik(Prompt(text="The capital of France is"), made.text)
    assert made.logprob is not None
    assert scored == pytest.approx(made.logprob, abs=0.1 * made.usage.completion)
    likely, unlikely = await asyncio.gather(
        *(engine.loglik(Prompt(text="The capital of France is"), text) for text in (" Paris", " potato"))
    )
    assert likely > unlikely


async def test_cancelling_keeps_the_tokens_and_frees_the_slot(engine: EmbeddedEngine) -> None:
    generation = engine.generate(ask("Once upon a time", max_tokens=2000, temperature=1.0))
    seen = 0
    async for item in generation:
        if isinstance(item, Delta):
            seen += item.tokens
            if seen >= 5:
                generation.cancel()
        else:
            assert item.finish is Finish.CANCELLED
            assert 5 <= item.usage.completion < 100
            assert item.text
    await run(engine, ask("x", max_tokens=2))
    assert (engine.metrics.running, engine.metrics.queued) == (0, 0)


async def test_a_consumer_that_walks_away_frees_the_slot(engine: EmbeddedEngine) -> None:
    async def consume() -> None:
        async for _ in engine.generate(ask("Once upon a time", max_tokens=4000)):
            pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    await run(engine, ask("x", max_tokens=2))
    assert engine.metrics.running == 0


async def test_a_request_that_cannot_fit_fails_alone(engine: EmbeddedEngine) -> None:
    long, ok = await asyncio.gather(run(engine, ask("x " * 9000)), run(engine, ask("x")))
    assert (long.finish, long.text, long.usage.tokens) == (Finish.FAILED, "", 0)
    assert long.error is not None
    assert "context of 8192 tokens" in long.error
    assert ok.finish is not Finish.FAILED


@pytest.mark.parametrize("sampling", [{"top_p": 0.0}, {"max_tokens": 0}])
async def test_nonsense_fails_alone(engine: EmbeddedEngine, sampling: dict[str, float]) -> None:
    failed = await run(engine, ask("x", **sampling))
    assert failed.finish is Finish.FAILED
    assert failed.error


async def test_more_than_it_does_is_refused(engine: EmbeddedEngine) -> None:
    many = Request("t", "p", 0, Prompt(text="x"), seed=1, n=2)
    with pytest.raises(EngineError, match="n = 2"):
        [item async for item in engine.generate(many)]


async def test_device_seconds_and_fillers_add_up_to_the_steps(engine: EmbeddedEngine) -> None:
    before = engine.metrics
    done = await asyncio.gather(*(run(engine, ask("Share", seed=i, max_tokens=3 + 4 * i)) for i in range(4)))
    after = engine.metrics
    spent = sum(c.device_seconds or 0.0 for c in done) + after.filler_seconds - before.filler_seconds
    assert spent == pytest.approx(after.step_seconds - before.step_seconds, rel=1e-6)
    assert all(c.device_seconds and c.ended - c.started >= c.device_seconds for c in done)


async def test_the_callers_loop_does_not_feel_the_batch(engine: EmbeddedEngine) -> None:
    lags = []
    batch = asyncio.gather(*(run(engine, ask("Once upon a time", seed=i)) for i in range(64)))
    while not batch.done():
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - began - 0.002)
    await batch
    assert sorted(lags)[int(len(lags) * 0.95)] < 0.02


async def test_a_killed_worker_costs_nothing_but_time(engine: EmbeddedEngine) -> None:
    if not engine.caps.exact_replay:
        pytest.skip(engine.caps.note)
    asked = [ask("Once upon a time", seed=i, max_tokens=20 + i) for i in range(12)]
    before = await asyncio.gather(*(run(engine, request) for request in asked))
    batch = asyncio.gather(*(run(engine, request) for request in asked))
    await asyncio.sleep(0.4)
    assert engine.metrics.running == 12
    pid = engine.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    after = await batch
    assert [c.tokens for c in after] == [c.tokens for c in before]
    assert engine.worker_pid not in (None, pid)


async def test_a_request_during_which_the_worker_always_dies_fails_alone(engine: EmbeddedEngine) -> None:
    asking = asyncio.create_task(run(engine, ask("Poison.", max_tokens=400)))
    others = [asyncio.create_task(run(engine, ask("Once upon", seed=i, max_tokens=30))) for i in range(3)]
    desk = engine._desk
    assert desk is not None
    while not asking.done():
        if any(t.running and t.message.text == "Poison." for t in desk._tickets.values()) and desk.pid:
            os.kill(desk.pid, signal.SIGKILL)
        await asyncio.wait([asking], timeout=0.05)
    poisoned = await asking
    assert poisoned.finish is Finish.FAILED
    assert poisoned.error is not None
    assert "with nothing else" in poisoned.error
    assert [(await other).usage.completion for other in others] == [30] * 3


async def test_it_closes_and_starts_again(engine: EmbeddedEngine) -> None:
    before = await run(engine, ask("Again", temperature=0.0))
    pid = engine.worker_pid
    await engine.close()
    await engine.close()
    assert engine.worker_pid is None
    assert pid is not None
    assert not alive(pid)
    await engine.start()
    assert (await run(engine, ask("Again", temperature=0.0))).text == before.text


async def test_a_file_that_is_no_model_is_one_sentence_and_a_remedy(tmp_path: Path) -> None:
    from tests.engines.test_embedded_weights import TINY

    path = tmp_path / "tiny.gguf"
    path.write_bytes(TINY)
    with pytest.raises(EngineError, match="cannot be loaded") as error:
        await EmbeddedEngine(str(path)).start()
    assert error.value.remedy
    assert "\n" not in str(error.value)


async def test_a_parent_that_is_killed_leaves_no_worker() -> None:
    script = (
        "import asyncio, time\n"
        "from perpend.engines.embedded import EmbeddedEngine\n"
        "async def main():\n"
        "    engine = EmbeddedEngine(reproducible=False)\n"
        "    await engine.start()\n"
        "    print(engine.worker_pid, flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert alive(worker)
    parent.kill()
    await parent.wait()
    await asyncio.sleep(1.0)
    assert not alive(worker)


def test_openvino_is_not_imported_by_the_process_that_asks() -> None:
    asks = "import sys, perpend.engines.embedded.engine as e; e.EmbeddedEngine(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout.split()
    assert "perpend.engines.embedded.desk" in loaded
    assert not [name for name in loaded if name.startswith("openvino")]


def alive(pid: int) -> bool:
    """Whether a process runs (one that nobody has waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
