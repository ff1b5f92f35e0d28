"""The simulated engine follows its laws, fails and takes its time as told."""

import time
from dataclasses import replace

import pytest

from perpend.core import Completion, ConfigError, Finish, Request
from perpend.core.simulation import law_of, problem_id
from perpend.engines import ENGINES
from perpend.engines.simulated import SimulatedEngine
from perpend.tasks.simulated import Simulated as SimulatedTask
from tests.engines.contract import complete
from tests.engines.recordings import PROBLEM, request

LAW = law_of(PROBLEM)


def asked(index: int) -> Request:
    return replace(request(index), seed=index)


async def test_answers_follow_the_law_and_the_task_reads_them():
    engine, task = SimulatedEngine(), SimulatedTask(problems=1)
    answers = [task.extract((await complete(engine, asked(i)))[0].text) for i in range(1500)]
    assert answers.count(LAW.answer) / 1500 == pytest.approx(LAW.p, abs=0.05)
    assert set(answers) <= set(LAW.answers)


async def test_greedy_is_the_most_probable_answer():
    completion, _ = await complete(SimulatedEngine(), request(temperature=0.0))
    assert SimulatedTask(problems=1).extract(completion.text) == LAW.greedy().answer


async def test_time_is_tokens_over_speed():
    completion, _ = await complete(SimulatedEngine(tokens_per_second=10), request())
    seconds = completion.ended - completion.started
    assert seconds == pytest.approx(completion.usage.completion / 10)
    assert completion.device_seconds == pytest.approx(seconds)
    assert time.time() - 600 < completion.ended <= time.time()


async def test_a_long_completion_is_truncated():
    short = replace(request(), prompt=replace(request().prompt, max_tokens=5))
    completion, _ = await complete(SimulatedEngine(), short)
    assert (completion.finish, completion.usage.completion) == (Finish.LENGTH, 5)
    assert completion.logprob == pytest.approx(sum(t.logprob for t in completion.tokens or ()))


async def test_failures_have_their_share_and_their_seeds():
    engine = SimulatedEngine(failures=0.3)
    failed = [(await complete(engine, asked(i)))[0].finish is Finish.FAILED for i in range(300)]
    again = [(await complete(engine, asked(i)))[0].finish is Finish.FAILED for i in range(300)]
    assert failed == again
    assert sum(failed) / 300 == pytest.approx(0.3, abs=0.08)


async def test_a_pace_takes_real_time():
    began = time.monotonic()
    completion, _ = await complete(SimulatedEngine(tokens_per_second=1000, pace=1.0), request())
    assert time.monotonic() - began >= 0.9 * completion.usage.completion / 1000


async def test_several_completions_of_one_request_share_its_prompt():
    items = [item async for item in SimulatedEngine().generate(replace(request(), n=3))]
    completions = [item for item in items if isinstance(item, Completion)]
    assert [c.choice for c in completions] == [0, 1, 2]
    assert [c.usage.prompt > 0 for c in completions] == [True, False, False]


async def test_only_simulated_problems_have_a_law():
    with pytest.raises(ConfigError, match="no simulated law"):
        await complete(SimulatedEngine(), replace(request(), problem_id="gsm8k-1"))


def test_a_fingerprint_tells_settings_apart_and_not_names_or_paces():
    base = SimulatedEngine().fingerprint
    assert SimulatedEngine(name="other", pace=1.0).fingerprint == base
    assert SimulatedEngine(failures=0.1).fingerprint != base
    assert SimulatedEngine(tokens_per_second=9).fingerprint != base
    assert SimulatedEngine().caps.simulated


@pytest.mark.parametrize("text", ["simulated(failures=2)", "simulated:0", "simulated(pace=-1)"])
def test_nonsense_is_refused(text: str):
    with pytest.raises(ConfigError):
        ENGINES.build(text)


def test_it_is_built_from_its_name():
    built = ENGINES.build("simulated(tokens_per_second=100)", name="small")
    assert built.name == "small"
    assert problem_id(0, 3) == PROBLEM
