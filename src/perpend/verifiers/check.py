"""The task's own programme, which needs no key, so that it may select as well as grade."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import ConfigError, Problem, Run, Sample, Score, Task, VerifierError, digest


class Check:
    """1 where the task's own check accepts the answer, else 0.

    Raises:
        ConfigError: for a task whose check cannot decide without the key.
    """

    name = "check"
    oracle = False

    def __init__(self, task: Task) -> None:
        if not task.deployable_check:
            raise ConfigError(
                f"Task {task.name} cannot check an answer without its key, so verifier check does not apply.",
                "Use another verifier (logprob, file.py:function), or a task with a checker of its own.",
            )
        self._task = task
        self.fingerprint = digest([self.name, task.name, task.fingerprint])

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises VerifierError where the check cannot tell."""
        keyless = problem.without_key()
        return [Score(float(self._accepts(keyless, sample.answer))) for sample in samples]

    async def close(self) -> None:
        """It holds nothing."""

    def _accepts(self, problem: Problem, answer: str | None) -> bool:
        if answer is None:
            return False
        verdict = self._task.check(problem, answer)
        if verdict is None:
            raise VerifierError(
                f"Task {problem.task} could not check an answer to problem {problem.id}.",
                "Make its check return True or False for every answer.",
            )
        return verdict
