"""Tiny traces with an answer forced on the way: as a pool with probes, and as an engine that can continue a text."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perpend.core import (
    Caps,
    Charge,
    Completion,
    Delta,
    Finish,
    Generation,
    Likely,
    MemoryRecorder,
    Pool,
    PoolField,
    Probes,
    Problem,
    Prompt,
    Purse,
    Request,
    Result,
    Run,
    Scope,
    Strategy,
    Token,
    Usage,
    World,
    perform,
)
from perpend.engines.virtual_clock import VirtualClock, Wait
from tests.core.worlds import Numbers
from tests.strategies.tiny import RIGHT, Tiny, pool_of

EVERY = 2
PROBE_TOKENS = 3
PROMPT = Prompt(text="What is it?", max_tokens=100)


@dataclass(frozen=True)
class Trace:
    """Its answer, its length, what it answers when it is asked after each step that it does not end in, and how sure
    the model was of each token."""

    key: str | None
    tokens: int
    forced: tuple[str | None, ...]
    sure: tuple[float, ...] = ()

    def answer_after(self, tokens: int) -> str | None:
        """What it gives when it is asked then."""
        return self.forced[tokens // EVERY - 1] if EVERY <= tokens < self.tokens else None


def traced_rows(seed: int, problems: int = 3, traces: int = 4, longest: int = 11) -> list[list[Trace]]:
    """Random ones with many ties, some without an answer; what they are forced to say tends to stay."""
    rng = random.Random(seed)
    answers = ["1", "1", "2", "3", None]

    def one() -> Trace:
        tokens, said = rng.randint(1, longest), [rng.choice(answers)]
        while len(said) < longest // EVERY:
            said.append(said[-1] if rng.random() < 0.6 else rng.choice(answers))
        key, sure = rng.choice(answers), tuple(rng.choice([1.0, 2.0, 4.0, 5.0]) for _ in range(tokens))
        return Trace(key, tokens, tuple(said), sure)

    return [[one() for _ in range(traces)] for _ in range(problems)]


def traced_pool(rows: Sequence[Sequence[Trace]]) -> Pool:
    """The rows as arrays."""
    pool = pool_of([[Tiny(trace.key, trace.tokens, 0.0) for trace in row] for row in rows])
    codes: list[dict[str, int]] = [{} for _ in rows]
    steps = len(rows[0][0].forced)

    def code(problem: int, key: str | None) -> int:
        return -1 if key is None else codes[problem].setdefault(key, len(codes[problem]))

    keys = np.array([[code(i, t.key) for t in row] for i, row in enumerate(rows)])
    along = [[[_seen(t, step) for step in range(1, steps + 1)] for t in row] for row in rows]
    probes = Probes(
        keys=np.array([[[code(i, key) for key in trace] for trace in row] for i, row in enumerate(along)]),
        correct=np.array([[[key == RIGHT for key in trace] for trace in row] for row in along]),
        every=EVERY,
        tokens=PROBE_TOKENS,
    )
    return replace(
        pool,
        keys=keys,
        probes=probes,
        confidences=[[np.array(trace.sure) for trace in row] for row in rows],
        fields=pool.fields | {PoolField.PROBES, PoolField.CONFIDENCES},
    )


def _seen(trace: Trace, step: int) -> str | None:
    return trace.key if step * EVERY >= trace.tokens else trace.forced[step - 1]


async def live(strategy: Strategy, row: Sequence[Trace], order: Sequence[int], budget: Scope | None = None) -> Result:
    """The strategy's own code, on an engine that thinks these traces in this order."""
    engine = Thinking([row[i] for i in order])
    world = World({"replay": engine}, {}, MemoryRecorder())
    return await perform(
        strategy, Run(world, Marked(), Problem("0", "simulated", {}, RIGHT), PROMPT, budget or Scope())
    )


class Marked(Numbers):
    """The answer is what follows the last `=`."""

    def extract(self, text: str) -> str | None:
        found = re.findall(r"=(\w+)", text)
        return found[-1] if found else None

    def canonical(self, answer: str) -> str | None:
        return answer


class Thinking:
    """Says the i-th trace that is begun as the tokens `i.0 i.1 …`, then its answer; goes on where a text breaks off."""

    name = "replay"
    fingerprint = "thinking"
    caps = Caps(seeds=True, exact_replay=True, continuation=True, logprobs=21)
    shape = None
    version = "1"
    overhead = Charge()

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = traces
        self._begun = 0
        self._clock = VirtualClock()

    async def start(self, purse: Purse | None = None) -> None:
        pass

    async def close(self) -> None:
        pass

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:
        raise NotImplementedError

    def generate(self, request: Request) -> Generation:
        wait = Wait()
        return Generation(self._stream(request, wait), wait.cut)

    async def _stream(self, request: Request, wait: Wait) -> AsyncIterator[Delta | Completion]:
        words = re.findall(r"(\d+)\.\d+ ", request.prefix)
        number = int(words[0]) if words else self._begun
        self._begun += not words
        trace, prompt = self.traces[number], 7 + len(words)
        if request.prefix.endswith("is"):  # the cue
            answer = trace.answer_after(len(words))
            yield Completion(0, f" ={answer}" if answer else ".", Finish.STOP, Usage(prompt, 0, PROBE_TOKENS))
            return
        wanted = min(trace.tokens - len(words), request.prompt.max_tokens)
        said = await self._clock.spend(wanted, request.index, wait)
        whole = len(words) + said == trace.tokens
        text = "".join(f"{number}.{k} " for k in range(len(words), len(words) + said - whole))
        finish = Finish.STOP if whole else Finish.LENGTH if said == wanted else Finish.CANCELLED
        ending = f"={trace.key}" if whole and trace.key else ""
        tokens = None
        if request.logprobs > 1:
            sure = trace.sure[len(words) : len(words) + said]
            tokens = tuple(Token(0, -0.1, (Likely("x", -each),) * 20) for each in sure)
        usage = Usage(prompt, 0, said)
        yield Completion(0, text + ending, finish, usage, tokens=tokens, ended=said / 10, device_seconds=said / 20)
