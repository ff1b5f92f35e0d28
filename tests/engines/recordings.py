"""Recordings of the simulated engine, for whatever replays."""

from __future__ import annotations

from perpend.core import Caps, Completion, Finish, Prompt, Request, Sample, derive_seed
from perpend.core.simulation import problem_id
from perpend.engines.recording import Recording, SampleName
from perpend.engines.simulated import SimulatedEngine

PROBLEM = problem_id(0, 3)


def request(index: int = 0, temperature: float = 0.7, problem: str = PROBLEM) -> Request:
    prompt = Prompt(text="What is it? Think aloud.", max_tokens=600, temperature=temperature)
    return Request("simulated", problem, index, prompt, derive_seed(problem, index), logprobs=1)


async def recording(samples: int = 6, greedy: bool = True) -> Recording:
    """What a simulated engine said of one problem."""
    engine = SimulatedEngine()
    asked = [request(index) for index in range(samples)] + [request(0, 0.0)] * greedy
    named = {}
    for each in asked:
        name = SampleName("simulated", PROBLEM, each.prompt.temperature == 0, each.index)
        async for item in engine.generate(each):
            if isinstance(item, Completion):
                named[name] = _sample(each, item)
    return Recording(
        named, "recorded weights", "recorded 1", engine.shape, Caps(seeds=True, logprobs=1, simulated=True)
    )


def _sample(asked: Request, said: Completion) -> Sample:
    return Sample(
        problem=asked.problem_id,
        pool="pool",
        index=asked.index,
        engine="simulated",
        text=said.text,
        answer=None,
        key=None,
        finish=Finish.STOP,
        usage=said.usage,
        logprob=said.logprob,
        tokens=said.tokens,
        started=said.started,
        ended=said.ended,
        device_seconds=said.device_seconds,
    )
