"""Arithmetic: sums, differences and products of small numbers, in five levels."""

from __future__ import annotations

import random
from collections.abc import Sequence

from perpend.core import Problem, Prompt
from perpend.core.answers import canonical_number, final_number
from perpend.tasks.generated import Difficulty, Made, Stream
from perpend.tasks.prompting import chat, check_style, few_shot, load, shown_questions


class Arithmetic:
    """Seeded problems such as `17 + 5`; the key is an integer.

    Levels: 1 one digit plus one digit; 2 two digits plus or minus one; 3 one digit times one; 4 two digits plus or
    minus two; 5 three terms, one of them a product.

    Args:
        problems: how many; a longer list starts with the shorter one.
        difficulty: 1 to 5, or mixed: the levels in turn.
        seed: another one gives other problems.
    """

    name = "arithmetic"
    style = "few-shot"
    styles: tuple[str, ...] = ("few-shot", "chat")
    grader = "exact"
    deployable_check = False

    def __init__(self, problems: int = 60, difficulty: Difficulty = "mixed", seed: int = 0) -> None:
        self._stream = Stream(self.name, make, problems, difficulty, seed, shown_questions(self.name))
        self.fingerprint = self._stream.fingerprint(load("prompts/arithmetic.txt"), load("prompts/arithmetic.chat.txt"))

    def problems(self) -> Sequence[Problem]:
        """All of them, always in the same order. Raises TaskError where the level has not got as many."""
        return self._stream.problems()

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        question = problem.data["question"]
        return few_shot(self.name, question, max_tokens=32) if style == "few-shot" else chat(self.name, question)

    def extract(self, text: str) -> str | None:
        """The final number."""
        return final_number(text)

    def canonical(self, answer: str) -> str | None:
        """The number in its shortest form."""
        return canonical_number(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """None: it cannot tell without the key."""
        return None


def make(rng: random.Random, level: int) -> Made:
    """A problem of a level."""
    a, b, c = _operands(rng, level)
    sign = rng.choice("+-") if level in (2, 4, 5) else "+"
    if level == 3:
        return Made(f"{a} * {b}", str(a * b))
    if level == 5:
        low, high = sorted((a * b, c))
        if sign == "-":
            return Made(f"{a} * {b} - {c}", str(a * b - c)) if a * b >= c else Made(f"{c} - {a} * {b}", str(high - low))
        return Made(f"{a} * {b} + {c}", str(a * b + c))
    if sign == "-":
        a, b = max(a, b), min(a, b)
    return Made(f"{a} {sign} {b}", str(a + b if sign == "+" else a - b))


def _operands(rng: random.Random, level: int) -> tuple[int, int, int]:
    first = (10, 99) if level in (2, 4) else (2, 9)
    second = (10, 99) if level == 4 else (2, 9)
    return rng.randint(*first), rng.randint(*second), rng.randint(2, 20)
