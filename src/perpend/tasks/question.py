r"""A single question, as `perpend solve` asks it: a chat that ends with `\boxed{}`."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import Problem, Prompt, digest
from perpend.core.answers import extract_final_answer, normalize
from perpend.tasks.prompting import chat, check_style, load


class Question:
    r"""Any question with a short answer, asked in a chat that ends with `\boxed{}`; it has no problems of its own."""

    name = "question"
    style = "chat"
    styles: tuple[str, ...] = ("chat",)
    grader = "math"
    deployable_check = False

    def __init__(self) -> None:
        self.fingerprint = digest([self.name, load("prompts/question.chat.txt")])

    def problems(self) -> Sequence[Problem]:
        """None: `perpend solve` brings the question along."""
        return []

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        return chat(self.name, problem.data["question"])

    def extract(self, text: str) -> str | None:
        """What the completion puts forward last: boxed, after "the answer is", or the last number."""
        return extract_final_answer(text)

    def canonical(self, answer: str) -> str | None:
        """The answer's normal form."""
        return normalize(answer) or None

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """None: it cannot tell."""
        return None
