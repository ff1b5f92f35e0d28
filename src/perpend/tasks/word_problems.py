"""Word problems of one, two and three steps, from templates."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from perpend.core import Problem, Prompt
from perpend.core.answers import canonical_number, final_number
from perpend.tasks.expressions import parse, value
from perpend.tasks.generated import Difficulty, Made, Stream
from perpend.tasks.prompting import chat, check_style, few_shot, load, shown_questions

_LEVELS = {1: (1, 5), 2: (1, 10), 3: (2, 6), 4: (2, 12), 5: (3, 9)}
"""Steps, and the largest number given."""
MIXTURE = (1, 2, 3, 1, 4, 2, 5)
SOURCES = (
    "prompts/word_problems.txt",
    "prompts/word_problems.chat.txt",
    "data/word_problems.txt",
    "data/word_problems_words.txt",
)
MOST = 200
"""The largest answer."""


class Template(NamedTuple):
    """A question with gaps, and the expression of its answer."""

    steps: int
    question: str
    expression: str


class WordProblems:
    """Seeded stories about small numbers; the key is a positive whole number.

    Levels: 1 and 2 one step, with numbers up to 5 and to 10; 3 and 4 two steps, up to 6 and to 12; 5 three steps.

    Args:
        problems: how many; a longer list starts with the shorter one.
        difficulty: 1 to 5, or mixed: the levels in turn, the easier ones more often.
        seed: another one gives other problems.
    """

    name = "word_problems"
    style = "few-shot"
    styles: tuple[str, ...] = ("few-shot", "chat")
    grader = "exact"
    deployable_check = False

    def __init__(self, problems: int = 60, difficulty: Difficulty = "mixed", seed: int = 0) -> None:
        self._stream = Stream(self.name, make, problems, difficulty, seed, shown_questions(self.name), MIXTURE)
        self.fingerprint = self._stream.fingerprint(*map(load, SOURCES))

    def problems(self) -> Sequence[Problem]:
        """All of them, always in the same order. Raises TaskError where the level has not got as many."""
        return self._stream.problems()

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        question = problem.data["question"]
        return few_shot(self.name, question, max_tokens=56) if style == "few-shot" else chat(self.name, question)

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
    """A problem of a level, whose answer is a whole number from 1 to MOST."""
    steps, highest = _LEVELS[level]
    template = rng.choice([t for t in templates() if t.steps == steps])
    while True:
        given = {letter: str(rng.randint(2, highest)) for letter in "abcd"}
        answer = _value(template.expression, given)
        if answer is not None:
            break
    name, other = rng.sample(_words("names"), 2)
    words = {**given, "name": name, "other": other, "things": rng.choice(_words("things"))}
    question = re.sub(r"\{(\w+)\}", lambda gap: words[gap[1]], template.question)
    return Made(question, str(answer), {"steps": steps})


def _value(expression: str, given: dict[str, str]) -> int | None:
    """The answer, where it is whole and small and nobody has less than nothing on the way; else None."""
    tree = parse(re.sub(r"[a-d]", lambda letter: given[letter[0]], expression))
    assert tree is not None, expression
    steps = [value(part) for part in ast.walk(tree) if isinstance(part, ast.BinOp)]
    whole = all(step is not None and step.denominator == 1 and 1 <= step <= MOST for step in steps)
    return int(value(tree) or 0) if whole else None


@cache
def templates() -> tuple[Template, ...]:
    """All of them, as they stand in their file."""
    lines = [line.split(" | ") for line in load("data/word_problems.txt").splitlines() if not line.startswith("#")]
    return tuple(Template(int(steps), question, expression) for steps, question, expression in lines)


@cache
def _words(kind: str) -> tuple[str, ...]:
    lines = (line.partition(": ") for line in load("data/word_problems_words.txt").splitlines())
    return next(tuple(words.split()) for name, _, words in lines if name == kind)
