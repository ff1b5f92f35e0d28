"""Small worlds to run strategies in: a task, verifiers, engines that can be told what to do, and runs."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from perpend.core import (
    Budget,
    Caps,
    Completion,
    Delta,
    Engine,
    Finish,
    Generation,
    Likely,
    MemoryRecorder,
    ModelShape,
    Price,
    Problem,
    Prompt,
    Request,
    Run,
    Sample,
    Scope,
    Score,
    Token,
    Usage,
    Verifier,
    World,
)
from perpend.core.simulation import law_of, problem_id
from perpend.engines.simulated import SimulatedEngine

PROMPT = Prompt(text="What is it?", max_tokens=600)


class Numbers:
    """A task whose answer is the last number."""

    name = "simulated"
    fingerprint = "numbers"
    style = "chat"
    styles = ("chat",)
    grader = "exact"
    deployable_check = False

    def problems(self) -> Sequence[Problem]:
        return [problem(number) for number in range(20)]

    def render(self, problem: Problem, style: str) -> Prompt:
        return PROMPT

    def extract(self, text: str) -> str | None:
        found = re.findall(r"-?\d+", text)
        return found[-1] if found else None

    def canonical(self, answer: str) -> str | None:
        return answer.lstrip("0") or "0"

    def check(self, problem: Problem, answer: str) -> bool | None:
        return None


def problem(number: int = 0) -> Problem:
    id_ = problem_id(0, number)
    return Problem(id_, "simulated", {}, law_of(id_).answer)


class MeanLogprob:
    name = "logprob"
    fingerprint = "mean logprob"
    oracle = False

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:
        assert problem.key is None
        return [Score((s.logprob or 0.0) / max(s.usage.completion, 1)) for s in samples]

    async def close(self) -> None:
        pass


class Sure(MeanLogprob):
    """Gives probabilities, of at most .4."""

    name = "sure"
    fingerprint = "sure"

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:
        scores = await super().score(problem, samples, run)
        return [Score(score.value, probability=0.4 * math.exp(score.value)) for score in scores]


class Exact:
    """Knows the key, and counts how often it is asked."""

    name = "exact"
    fingerprint = "exact"
    oracle = True

    def __init__(self) -> None:
        self.scored = 0

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:
        assert problem.key is not None
        self.scored += len(samples)
        return [Score(float(s.key == problem.key)) for s in samples]

    async def close(self) -> None:
        pass


class Judge:
    """Asks the model about every sample: its tokens go through the run."""

    name = "judge"
    fingerprint = "judge"
    oracle = False

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:
        scores = []
        for sample in samples:
            value = float("nan")
            async for opinion in run.sample(1, Prompt(text=f"Rate {sample.index}: {sample.text}", max_tokens=600)):
                value = float(opinion.key or "nan")
            scores.append(Score(value))
        return scores

    async def close(self) -> None:
        pass


@dataclass
class Say:
    """What a scripted engine answers: a text of so many tokens, each taking a while."""

    text: str
    tokens: int = 10
    seconds: float = 0.0
    finish: Finish = Finish.STOP
    error: Exception | None = None
    hang: bool = False


@dataclass
class Scripted:
    """An engine that says what it was told, by index."""

    says: Mapping[int, Say] | Sequence[Say]
    name: str = "scripted"
    fingerprint: str = "scripted"
    caps: Caps = field(default_factory=lambda: Caps(seeds=True, exact_replay=True, continuation=True, logprobs=21))
    shape: ModelShape | None = None
    version: str = "1"
    asked: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def start(self, purse: object = None) -> None:
        pass

    async def close(self) -> None:
        pass

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:
        return -1.0

    def generate(self, request: Request) -> Generation:
        self.asked.append(request)
        cancelled = asyncio.Event()
        return Generation(self._stream(request, self.says[request.index], cancelled), cancelled.set)

    async def _stream(self, request: Request, say: Say, cancelled: asyncio.Event) -> AsyncIterator[Delta | Completion]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            said = 0
            while said < say.tokens and not cancelled.is_set():
                await asyncio.sleep(say.seconds / say.tokens)
                said += 1
                yield Delta(0, "", 1)
            if say.hang:
                await asyncio.Event().wait()
            if say.error is not None:
                raise say.error
            finish = say.finish if said == say.tokens else Finish.CANCELLED
            text = say.text if finish is Finish.STOP else ""
            tokens = (Token(0, -0.1, (Likely("so", -0.1),)),) * said if request.logprobs > 1 else None
            yield Completion(0, text, finish, Usage(prompt=5, completion=said), tokens=tokens, ended=say.seconds)
        finally:
            self.at_once -= 1


class Counting:
    """Wraps an engine, and adds up what it says that it spent."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.usage = Usage()
        self.requests: list[Request] = []
        for name in ("name", "fingerprint", "caps", "shape", "version", "start", "close", "loglik"):
            setattr(self, name, getattr(engine, name))

    def generate(self, request: Request) -> Generation:
        self.requests.append(request)
        inner = self._engine.generate(request)

        async def stream() -> AsyncIterator[Delta | Completion]:
            async for item in inner:
                if isinstance(item, Completion):
                    self.usage += item.usage
                yield item

        return Generation(stream(), inner.cancel)


def make_world(engine: object | None = None, *, seed: int = 0, price: Price | None = None, **others: object) -> World:
    """A world with one engine, which answers to the names `small` and `large` too."""
    engine = engine or SimulatedEngine()
    names = (engine.name, "small", "large")  # type: ignore[attr-defined]
    verifiers: dict[str, Verifier] = {"logprob": MeanLogprob(), "sure": Sure(), "exact": Exact(), "judge": Judge()}
    prices = {} if price is None else dict.fromkeys(names, price)
    world = World(dict.fromkeys(names, engine), verifiers, MemoryRecorder(), seed, prices)  # type: ignore[arg-type]
    return replace(world, **others)  # type: ignore[arg-type]


def make_run(world: World | None = None, budget: str = "", number: int = 0, parent: Scope | None = None) -> Run:
    scope = Scope(Budget.parse(budget), parent)
    return Run(world or make_world(), Numbers(), problem(number), PROMPT, scope)
