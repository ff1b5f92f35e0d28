"""Is a sample's text the same whatever else runs? Found out on this machine, with this model, before it is claimed.

What was found is kept for the next start: raise PROBE_VERSION in known.py when the probe itself changes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from openvino_genai.py_openvino_genai import GenerationHandle, GenerationStatus

from perpend.engines.embedded.admission import chain
from perpend.engines.embedded.fillers import Fillers
from perpend.engines.embedded.marks import Marks
from perpend.engines.embedded.pipeline import Pipeline, read_tokens
from perpend.engines.embedded.protocol import Probed

ROWS = (4, 16, 32)
"""Row counts to try, cheapest first: 4 was enough on CPUs with AVX-512, 16 on those with AVX2."""
TOKENS = 24
CROWD = 28
SHOTS = "".join(f"Q: What is {a} plus {b}?\nA: {a} plus {b} is {a + b}.\n\n" for a, b in ((3, 4), (15, 6), (12, 9)))


@dataclass(frozen=True)
class _Wanted:
    text: str
    seed: int
    marks: Marks | None


@dataclass
class _Probe:
    handle: GenerationHandle
    prompt: int
    tokens: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class _Spent:
    prompt: int = 0
    completion: int = 0


def find_rows(pipeline: Pipeline, marks: Marks) -> tuple[int, Probed]:
    """The least rows a step with which tokens and log-probabilities are the same to the bit; 0 where none is.

    A sample alone must equal the same sample in a crowd that comes and goes, each time once with its prompt in the
    cache and once not; and it must equal itself with an unmarked prompt.
    """
    began, spent = time.perf_counter(), _Spent()
    tried = enumerate(ROWS)
    found = next((rows for i, rows in tried if _exact(pipeline, marks, rows, f"Set {i}.\n{SHOTS}", spent)), 0)
    return found, Probed(spent.prompt, spent.completion, time.perf_counter() - began)


def _exact(pipeline: Pipeline, marks: Marks, rows: int, shots: str, spent: _Spent) -> bool:
    # Each set of shots is new to the cache: the first is computed alone and then found by the crowd, the second
    # is computed in the crowd and then found by the sample alone.
    first = _Wanted(f"One. {shots}Q: What is 8 plus 30?\nA:", 1, marks)
    second = _Wanted(f"Two. {shots}Q: What is 11 plus 7?\nA:", 2, marks)
    alone = _run(pipeline, rows, [first], 0, spent)
    if alone != _run(pipeline, rows, [replace(first, marks=None)], 0, spent):
        return False
    crowd = _run(pipeline, rows, [first, second], CROWD, spent)
    return alone[0] == crowd[0] and _run(pipeline, rows, [second], 0, spent)[0] == crowd[1]


def _run(
    pipeline: Pipeline, rows: int, wanted: list[_Wanted], crowd: int, spent: _Spent
) -> list[list[tuple[int, float]]]:
    """Sample what is wanted; others join two a step and leave after four to twelve tokens."""
    fillers = Fillers(pipeline, rows)
    others: list[_Probe] = []
    probes: list[_Probe] = []
    while not probes or any(len(p.tokens) < TOKENS for p in probes):
        if not probes and len(others) * 4 >= crowd:
            probes = [_start(pipeline, sample, TOKENS) for sample in wanted]
        others += [_other(pipeline, i) for i in range(len(others), min(len(others) + 2, crowd))]
        running = [p for p in (*probes, *others) if _running(p)]
        spent.completion += fillers.fit(len(running))
        pipeline.step()
        for probe in running:
            probe.tokens += read_tokens(probe.handle)[0]
    for probe in others:
        probe.handle.cancel()
    fillers.fit(0)
    pipeline.drain()
    spent.prompt += sum(p.prompt for p in (*probes, *others))
    spent.completion += sum(len(p.tokens) for p in (*probes, *others))
    return [p.tokens for p in probes]


def _start(pipeline: Pipeline, wanted: _Wanted, tokens: int) -> _Probe:
    prompt: Sequence[int] = pipeline.tokens.raw_cached(wanted.text)
    if wanted.marks is not None:
        prompt = wanted.marks.write(tuple(prompt), chain(prompt)).ids
    return _Probe(pipeline.sample(prompt, tokens, 0.8, 1.0, wanted.seed, ()), len(prompt))


def _other(pipeline: Pipeline, i: int) -> _Probe:
    return _start(pipeline, _Wanted(f"{i} things: " + "one more, " * (i % 7), i, None), 4 + i % 9)


def _running(probe: _Probe) -> bool:
    return bool(probe.handle.get_status() == GenerationStatus.RUNNING)
