"""Answers forced along traces: graded like samples, once for each that is different, and put into arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from perpend.core import Finish, Probe, Probes, Sample, SampleKey, Usage, digest
from perpend.store import Store


def probe_answers(task: str, store: Store) -> Iterator[Sample]:
    """Every different answer that was forced on a task, as a sample that a grader can be shown."""
    for problem, answer, key in store.probe_answers(task):
        pool = _graded_as(task, problem, answer).pool
        yield Sample(
            problem, pool, 0, engine="", text=answer, answer=answer, key=key, finish=Finish.STOP, usage=Usage()
        )


def probe_arrays(
    task: str,
    rows: Sequence[Sequence[Sample]],
    along: Mapping[SampleKey, Mapping[int, Probe]],
    correct: Mapping[SampleKey, bool],
    codes: Mapping[str, dict[str, int]],
    size: int,
) -> Probes | None:
    """The probes of a pool, None where it has none.

    Past its last probe a trace counts with its final answer; a probe that is missing between others has none.

    Args:
        task: whose problems they are of.
        rows: the pool's samples, problem by problem.
        along: the probes of each.
        correct: the grader's verdicts on samples, and on the answers of probes.
        codes: numbers each problem's answers; those that only probes gave are added.
        size: samples a problem.
    """
    found = {name: probes for row in rows for s in row if (probes := along.get(name := SampleKey(s.pool, s.index)))}
    if not found:
        return None
    every = math.gcd(*(position for probes in found.values() for position in probes))
    shape = len(rows), size, max(max(probes) for probes in found.values()) // every
    keys, right = np.full(shape, -1, np.int64), np.zeros(shape, bool)
    for p, row in enumerate(rows):
        for sample in row:
            name, seen = SampleKey(sample.pool, sample.index), codes[sample.problem]
            probes = found.get(name, {})
            last = max(probes, default=0) // every
            keys[p, sample.index, last:] = -1 if sample.key is None else seen[sample.key]
            right[p, sample.index, last:] = correct.get(name, False)
            for position, probe in probes.items():
                at = p, sample.index, position // every - 1
                if probe.answer is not None and probe.key is not None:
                    keys[at] = seen.setdefault(probe.key, len(seen))
                    right[at] = correct.get(_graded_as(task, sample.problem, probe.answer), False)
    recorded = [probe.tokens for probes in found.values() for probe in probes.values() if probe.tokens is not None]
    if recorded:
        return Probes(keys, right, every, round(sum(recorded) / len(recorded)))
    return Probes(keys, right, every)


def _graded_as(task: str, problem: str, answer: str) -> SampleKey:
    """What the verdict on a forced answer is stored under."""
    return SampleKey(digest(["probe", task, problem, answer]), 0)
