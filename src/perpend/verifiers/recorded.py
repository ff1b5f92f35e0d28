"""Scores that came with samples which others have drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from perpend.core import Problem, Run, Sample, SampleKey, Score, Scored, Task, VerifierError


class Recorded:
    """What a file said of each sample: a verifier's scores, or its task's verdicts.

    Verdicts are the task's grader: where a sample has none, its answer is compared with the key. Other scores select,
    and a sample without one has NaN.

    Args:
        name: whose scores.
        task: that they belong to; it has them (`core.Scored`).
    """

    def __init__(self, name: str, task: Task) -> None:
        assert isinstance(task, Scored)
        self.name = name
        self.oracle = name == task.grader
        self.fingerprint = task.recorded_as(name)
        self._task: Task = task
        self._source = task
        self._known: Mapping[SampleKey, Score] | None = None

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises VerifierError for a sample with neither verdict nor key."""
        if self._known is None:
            self._known = self._source.recorded_scores(self.name)
        return [self._known.get(SampleKey(s.pool, s.index)) or self._without(problem, s) for s in samples]

    async def close(self) -> None:
        """It holds nothing."""

    def _without(self, problem: Problem, sample: Sample) -> Score:
        if not self.oracle:
            return Score(math.nan)
        if problem.key is None:
            raise VerifierError(
                f"Sample {sample.index} of problem {problem.id} has no verdict, and its problem no key.",
                "Import the file with key=COLUMN, or replay the folder as it was drawn.",
            )
        return Score(float(sample.key is not None and sample.key == self._task.canonical(problem.key)))
