"""Tiny pools that can be drawn in every order: as arrays for `offline`, and as a recording for the live strategy."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perpend.core import (
    GREEDY,
    SAMPLED,
    Caps,
    Draw,
    Finish,
    MemoryRecorder,
    Orders,
    Pool,
    Pools,
    Problem,
    Prompt,
    Rankings,
    Result,
    Run,
    Sample,
    Scope,
    Score,
    Strategy,
    Usage,
    World,
    perform,
)
from perpend.engines.recording import Recording, SampleName
from perpend.engines.replay import ReplayEngine
from tests.core.worlds import Numbers

RIGHT = "1"
PROMPT = Prompt(text="?")


@dataclass(frozen=True)
class Tiny:
    """One sample: its answer, length and score."""

    key: str | None
    tokens: int
    value: float
    probability: float | None = None
    logprob: float | None = None

    def text(self, name: int) -> str:
        """What it says; the name tells equal samples apart."""
        return f"{self.key or ''}#{name}"


class TinyTask(Numbers):
    """Texts are `answer#name`; the name tells equal samples apart."""

    def extract(self, text: str) -> str | None:
        return text.partition("#")[0] or None

    def canonical(self, answer: str) -> str | None:
        return answer


class Known:
    """A verifier that gives every sample the score that it was made with."""

    name = "known"
    fingerprint = "known"
    oracle = False

    def __init__(self, rows: Sequence[Sequence[Tiny]]) -> None:
        self._rows = rows

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:
        tinies = [self._rows[int(problem.id)][int(s.text.partition("#")[2])] for s in samples]
        return [Score(tiny.value, tiny.probability) for tiny in tinies]

    async def close(self) -> None:
        pass


def tiny_rows(seed: int, problems: int = 3, samples: int = 4, probabilities: str = "none") -> list[list[Tiny]]:
    """Random samples with many ties, some without an answer and some without a score."""
    rng = random.Random(seed)

    def one() -> Tiny:
        value = rng.choice([-1.0, -0.5, 0.25, 0.25, 1.0, float("nan")])
        known = probabilities == "all" or (probabilities == "some" and rng.random() < 0.7)
        return Tiny(
            rng.choice(["1", "1", "2", "3", None]),
            rng.randint(1, 9),
            value,
            rng.choice([0.25, 0.5, 0.75]) if known else None,
        )

    return [[one() for _ in range(samples)] for _ in range(problems)]


def pool_of(rows: Sequence[Sequence[Tiny]]) -> Pool:
    """The rows as arrays; shorter ones are masked."""
    shape = len(rows), max(map(len, rows))

    def array(default: float, values: Sequence[Sequence[float]]) -> np.ndarray:
        filled = np.full(shape, default, dtype=float)
        for row, known in zip(filled, values, strict=True):
            row[: len(known)] = known
        return filled

    codes = [{key: i for i, key in enumerate(dict.fromkeys(t.key for t in row if t.key))} for row in rows]
    tokens = array(0, [[t.tokens for t in row] for row in rows])
    probabilities = array(np.nan, [[np.nan if t.probability is None else t.probability for t in row] for row in rows])
    return Pool(
        engine="replay",
        problems=tuple(map(str, range(len(rows)))),
        keys=array(
            -1, [[code[t.key] if t.key else -1 for t in row] for row, code in zip(rows, codes, strict=True)]
        ).astype(np.int64),
        correct=array(0, [[t.key == RIGHT for t in row] for row in rows]).astype(bool),
        scores={"known": array(np.nan, [[t.value for t in row] for row in rows])},
        prompt_tokens=np.full(len(rows), 7),
        completion_tokens=tokens.astype(np.int64),
        seconds=tokens / 10,
        device_seconds=tokens / 20,
        mask=array(0, [[1.0] * len(row) for row in rows]).astype(bool),
        probabilities={"known": probabilities},
        texts=[[tiny.text(i) for i, tiny in enumerate(row)] for row in rows],
        rankings=_rankings(rows, shape),
        logprobs=array(np.nan, [[np.nan if t.logprob is None else t.logprob for t in row] for row in rows]),
    )


def _rankings(rows: Sequence[Sequence[Tiny]], shape: tuple[int, int]) -> Rankings:
    """Keys as lists: `1>2` is one answer of two."""
    width = max([len(t.key.split(">")) for row in rows for t in row if t.key], default=1)
    keys, correct = np.full((*shape, width), -1), np.zeros((*shape, width), bool)
    for p, row in enumerate(rows):
        seen: dict[str, int] = {}
        for s, tiny in enumerate(row):
            for place, answer in enumerate(tiny.key.split(">") if tiny.key else ()):
                keys[p, s, place] = seen.setdefault(answer, len(seen))
                correct[p, s, place] = answer == RIGHT
    return Rankings(keys, correct)


def pools_of(rows: Sequence[Sequence[Tiny]], draw: Draw = SAMPLED) -> Pools:
    return Pools({draw: pool_of(rows)})


def all_orders(samples: int, problems: int) -> np.ndarray:
    """[permutation, problem, sample], each problem in the same order."""
    every = np.array(list(itertools.permutations(range(samples))))
    return np.repeat(every[:, None], problems, axis=1)


def orders_of(order: np.ndarray) -> Orders:
    return Orders(lambda draw: order)


async def live(strategy: Strategy, rows: Sequence[Sequence[Tiny]], number: int, order: Sequence[int]) -> Result:
    """The strategy's own code, on a replay of the row in this order."""
    return await perform(strategy, live_run(rows, number, order))


def live_run(rows: Sequence[Sequence[Tiny]], number: int, order: Sequence[int], scope: Scope | None = None) -> Run:
    recording = Recording(dict(_samples(rows, number, order)), caps=Caps(simulated=True))
    engine = ReplayEngine(source=recording)
    world = World({"replay": engine}, {"known": Known(rows)}, MemoryRecorder())  # type: ignore[dict-item]
    return Run(world, TinyTask(), Problem(str(number), "simulated", {}, RIGHT), PROMPT, scope or Scope())


def _samples(rows: Sequence[Sequence[Tiny]], number: int, order: Sequence[int]) -> Mapping[SampleName, Sample]:
    named = {}
    for index, i in enumerate(order):
        tiny = rows[number][i]
        text = tiny.text(i)
        usage = Usage(prompt=7, completion=tiny.tokens)
        sample = Sample(
            str(number),
            "pool",
            index,
            "replay",
            text,
            tiny.key,
            None,
            Finish.STOP,
            usage,
            logprob=tiny.logprob,
            ended=tiny.tokens / 10,
        )
        named[SampleName("simulated", str(number), False, index)] = sample
        if index == 0:
            named[SampleName("simulated", str(number), True, 0)] = replace(sample, pool="greedy")
    return named


__all__ = [
    "GREEDY",
    "RIGHT",
    "SAMPLED",
    "Tiny",
    "all_orders",
    "live",
    "live_run",
    "orders_of",
    "pool_of",
    "pools_of",
    "tiny_rows",
]
