"""The user's own problems: one JSON object a line, or a CSV file with a header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from perpend.core import ConfigError, Message, Problem, Prompt, TaskError, digest
from perpend.core.answers import extract_final_answer, normalize
from perpend.core.functions import UserFunction, load_function
from perpend.tasks.prompting import CHAT_TOKENS, chat, check_style, load
from perpend.tasks.rows import Complaints, Row, csv_rows, json_rows, read_bytes

_SURROGATE = re.compile("[\\ud800-\\udfff]")


@dataclass(frozen=True)
class Columns:
    """What the columns are called."""

    question: str
    answer: str
    id: str


class _File:
    """What both formats share. The answer is in nothing that a strategy, a checker or a deployable verifier sees.

    Args:
        path: the file.
        question: the column of the question; required.
        answer: the column of the key; a file may have none, and then it needs a checker to be graded.
        id: the column of the id; without it, problems are numbered.
        system: a system message for the chat.
        checker: `file.py:function`, a function `(problem: dict, answer: str) -> bool` that needs no key.

    Raises:
        TaskError: for lines that cannot be used.
        ConfigError: for a checker that cannot.
    """

    name = ""
    style = "chat"
    styles: tuple[str, ...] = ("chat", "few-shot")
    read: Callable[[bytes, Complaints], Iterator[Row]]

    def __init__(
        self,
        path: str,
        question: str = "question",
        answer: str = "answer",
        id: str = "id",
        system: str | None = None,
        checker: str | None = None,
    ) -> None:
        file = Path(path).expanduser()
        content = read_bytes(file)
        columns = Columns(question, answer, id)
        self._system = system
        self._checker = _load_checker(checker) if checker else None
        self.grader = "check" if self._checker else "math"
        self.deployable_check = self._checker is not None
        complaints = Complaints(file)
        rows = list(type(self).read(content, complaints))
        self._problems = _problems(self.name, rows, columns, complaints)
        parts = [self.name, sha256(content).hexdigest(), question, answer, id, system, load("prompts/files.chat.txt")]
        self.fingerprint = digest([*parts, self._checker and self._checker.digest])

    def problems(self) -> Sequence[Problem]:
        """In the order of the file."""
        return list(self._problems)

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt: a chat, or the question as it stands, to be continued. Raises ConfigError for another style."""
        check_style(style, self.styles)
        question = problem.data["question"]
        if style == "few-shot":
            return Prompt(text=question, max_tokens=CHAT_TOKENS)
        prompt = chat("files", question)
        if self._system is None:
            return prompt
        return replace(prompt, messages=(Message("system", self._system), *(prompt.messages or ())))

    def extract(self, text: str) -> str | None:
        r"""What is in the last `\boxed{}`, after `####` or "answer is"; else the last number, or the last line."""
        return extract_final_answer(text)

    def canonical(self, answer: str) -> str | None:
        """The normal form, by the policies of `core/answers.py`."""
        return normalize(answer) or None

    def check(self, problem: Problem, answer: str) -> bool | None:
        """What the user's checker says; None without one. Raises TaskError where it does."""
        if self._checker is None:
            return None
        try:
            verdict = self._checker.call({**problem.data, "id": problem.id}, answer)
        except Exception as error:
            where = self._checker.where(error)
            raise TaskError(
                f"{where}: {type(error).__name__}: {error} (problem {problem.id}).", "Correct the checker."
            ) from error
        if not isinstance(verdict, bool):
            raise TaskError(
                f"{self._checker.path}, in {self._checker.name}: returned {verdict!r}.", "Return True or False."
            )
        return verdict


class JsonLines(_File):
    """Problems from a file with one JSON object a line; other fields go to the problem's data."""

    name = "jsonl"
    read = staticmethod(json_rows)


class Csv(_File):
    """Problems from a CSV file with a header; other columns go to the problem's data."""

    name = "csv"
    read = staticmethod(csv_rows)


def _load_checker(text: str) -> UserFunction:
    function = load_function(text)
    if iscoroutinefunction(function.call):
        raise ConfigError(f"Checker {text} is async.", "Write it as a plain function that returns True or False.")
    return function


def _problems(task: str, rows: Sequence[Row], columns: Columns, complaints: Complaints) -> list[Problem]:
    """A problem a row. Raises TaskError with the lines that make none."""
    _require_question_column(rows, columns, complaints)
    keyed = any(_key(row, columns) is not None for _, row in rows)
    seen: dict[str, int] = {}
    problems = []
    for number, (line, row) in enumerate(rows):
        problem = Problem(_id(row, columns, task, number), task, _data(row, columns), _key(row, columns))
        reason = _fault(row, columns, keyed) or (
            f"id {problem.id!r} is also on line {seen[problem.id]}" if problem.id in seen else None
        )
        if reason is not None:
            complaints.add(line, reason)
        seen.setdefault(problem.id, line)
        problems.append(problem)
    complaints.raise_if_any()
    if not problems:
        raise TaskError(f"{complaints.path} holds no problems.", "Write one problem a line, below the header if any.")
    return problems


def _require_question_column(rows: Sequence[Row], columns: Columns, complaints: Complaints) -> None:
    if rows and not any(columns.question in row for _, row in rows):
        known = ", ".join(map(repr, rows[0][1])) or "none"
        raise TaskError(
            f"{complaints.path} has no column {columns.question!r} (it has {known}).",
            "Name the right one: question=COLUMN.",
        )


def _fault(row: dict[str, Any], columns: Columns, keyed: bool) -> str | None:
    """Why a row makes no problem; None where it does."""
    question = row.get(columns.question)
    if not isinstance(question, str) or not question.strip():
        return f"it has no text in {columns.question!r}"
    answer = row.get(columns.answer)
    if isinstance(answer, list | dict):
        return f"its {columns.answer!r} is neither text nor a number"
    if _SURROGATE.search(f"{question}{answer}"):
        return "it holds half of a surrogate pair, which is no character"
    if keyed and _key(row, columns) is None:
        return f"it has no {columns.answer!r}, where other lines have one"
    return None


def _key(row: dict[str, Any], columns: Columns) -> str | None:
    answer = row.get(columns.answer)
    return None if answer is None or isinstance(answer, list | dict) else str(answer).strip() or None


def _id(row: dict[str, Any], columns: Columns, task: str, number: int) -> str:
    given = row.get(columns.id)
    return f"{task}-{number:05d}" if given is None or str(given).strip() == "" else str(given).strip()


def _data(row: dict[str, Any], columns: Columns) -> dict[str, Any]:
    rest = {name: value for name, value in row.items() if name not in (columns.answer, columns.id)}
    return {**rest, "question": row.get(columns.question)}
