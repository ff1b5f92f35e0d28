"""The user's own scorer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from perpend.core import Problem, Run, Sample, Score, VerifierError, digest
from perpend.core.functions import load_function


class Function:
    """Scores by a function of the user's, sync or async:

        def score(problem: dict, text: str, answer: str | None) -> float | bool: ...

    `problem` holds the problem's data (`question` and whatever else the task has), `id` and `task`, and never the key;
    `text` is the completion and `answer` what the task found in it. Higher is better, on any scale; NaN is no opinion.
    A sync function runs in a thread, one sample at a time.

    Args:
        path: the Python file.
        function: its name in there.

    Raises:
        ConfigError: where there is no such file or function.
    """

    oracle = False

    def __init__(self, path: str, function: str = "score") -> None:
        self._function = load_function(f"{path}:{function}")
        self.name = f"{self._function.path.name}:{function}"
        self.fingerprint = digest(["function", function, self._function.digest])

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises VerifierError where the function does, or returns no number."""
        shown = {**problem.data, "id": problem.id, "task": problem.task}
        return [Score(await self._value(shown, sample)) for sample in samples]

    async def close(self) -> None:
        """It holds nothing."""

    async def _value(self, problem: dict[str, Any], sample: Sample) -> float:
        try:
            value = await self._called(dict(problem), sample.text, sample.answer)
        except Exception as error:
            where = self._function.where(error)
            raise VerifierError(
                f"{where}: {type(error).__name__}: {error} (problem {sample.problem}, sample {sample.index}).",
                "Correct the function; samples are stored, so nothing is bought again.",
            ) from error
        if not isinstance(value, int | float):
            raise VerifierError(
                f"{self._function.path}, in {self._function.name}: returned {value!r}, which is no number.",
                "Return a float, or True or False.",
            )
        return float(value)

    async def _called(self, *values: Any) -> Any:
        call = self._function.call
        if inspect.iscoroutinefunction(call):
            return await call(*values)
        value = await asyncio.to_thread(call, *values)
        return await value if inspect.isawaitable(value) else value
