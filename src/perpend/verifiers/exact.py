"""The oracle for answers with one normal form."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import Problem, Run, Sample, Score, Task, VerifierError, digest


class Exact:
    """1 where the answer's canonical form is that of the key, else 0."""

    name = "exact"
    oracle = True

    def __init__(self, task: Task) -> None:
        self._task = task
        self.fingerprint = digest([self.name, task.name, task.fingerprint])

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises VerifierError for a problem without a key."""
        key = self._task.canonical(required_key(problem, self.name))
        return [Score(float(key is not None and self._form(sample) == key)) for sample in samples]

    async def close(self) -> None:
        """It holds nothing."""

    def _form(self, sample: Sample) -> str | None:
        return None if sample.answer is None else self._task.canonical(sample.answer)


def required_key(problem: Problem, verifier: str) -> str:
    """The problem's key. Raises VerifierError where it has none."""
    if problem.key is None:
        raise VerifierError(
            f"Verifier {verifier} cannot grade problem {problem.id} of task {problem.task}: it has no key.",
            "Give every problem an answer, or grade by a checker: --checker file.py:function.",
        )
    return problem.key
