"""The problems of samples that others have drawn, as an import has put them into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from perpend.core import ConfigError, Message, Problem, Prompt, SampleKey, Score, TaskError, digest
from perpend.store import Store
from perpend.tasks.prompting import check_style
from perpend.tasks.reading import read_by

VERDICTS = "verdicts"
"""The grader's name, where the file has verdicts."""
STYLE = "recorded"


class Imported:
    """The problems of an imported folder, `DIR` or `DIR#TASK` where it has several; its own in its own study file.

    Answers are read as they were at the import. The grader takes the verdicts that came with the samples, and compares
    keys where there are none.

    Args:
        source: the folder, and the task's name after a `#`.
        study_folder: of the study that it is part of.

    Raises:
        TaskError: where the folder holds nothing imported.
        StoreError: where it cannot be read.
    """

    style = STYLE
    styles: tuple[str, ...] = (STYLE,)
    deployable_check = False

    def __init__(self, source: str = "", *, study_folder: str = "") -> None:
        place, _, name = source.partition("#")
        self._folder = Path(place or study_folder)
        with Store(self._folder, read_only=True) as store:
            origin = store.origin()
            self.name = _choose(name, store.tasks(), self._folder)
            self._problems = list(store.problems(self.name).values())
        if origin is None:
            raise TaskError(f"{self._folder} holds nothing imported.", "Give the folder that `perpend import` wrote.")
        self._reader = read_by(origin.reader)
        self.grader = VERDICTS if origin.graded else "exact"
        self.scored_by = (*origin.verifiers, *([VERDICTS] if origin.graded else []))
        self.fingerprint = digest([origin.sha256, dict(origin.mapping), origin.reader, self.name])

    def problems(self) -> Sequence[Problem]:
        """Those that the file has samples of, always in the same order."""
        return list(self._problems)

    def render(self, problem: Problem, style: str) -> Prompt:
        """What was asked; empty where the file did not tell. Raises ConfigError for another style."""
        check_style(style, self.styles)
        return prompt_of(problem)

    def extract(self, text: str) -> str | None:
        """The answer, as the import read it."""
        return self._reader.extract(text)

    def canonical(self, answer: str) -> str | None:
        """The form that votes compare."""
        return self._reader.canonical(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """None: it cannot tell without the key."""
        return None

    def recorded_scores(self, verifier: str) -> Mapping[SampleKey, Score]:
        """What the file said of each sample. Raises StoreError."""
        with Store(self._folder, read_only=True) as store:
            return store.scores(self.recorded_as(verifier))

    def recorded_as(self, verifier: str) -> str:
        """The fingerprint that they are stored under."""
        return digest(["recorded", verifier, self.fingerprint])


def data_of(prompt: str | tuple[Message, ...] | None) -> dict[str, object]:
    """What a problem keeps of its prompt, and shows as its question."""
    if prompt is None:
        return {}
    if isinstance(prompt, str):
        return {"question": prompt}
    asked = [turn.content for turn in prompt if turn.role == "user"]
    return {"messages": [[turn.role, turn.content] for turn in prompt], "question": asked[-1] if asked else ""}


def prompt_of(problem: Problem) -> Prompt:
    """The prompt of a problem that was made by `data_of`."""
    messages = problem.data.get("messages")
    if messages:
        return Prompt(messages=tuple(Message(role, content) for role, content in messages))
    return Prompt(text=str(problem.data.get("question", "")))


def _choose(name: str, names: Sequence[str], folder: Path) -> str:
    if name in names:
        return name
    if not name and len(names) == 1:
        return names[0]
    problem = f"has no task {name!r}" if name else "has several tasks" if names else "has no problems"
    raise ConfigError(f"{folder} {problem}.", f"Write imported:{folder}#TASK with one of {', '.join(names)}.")
