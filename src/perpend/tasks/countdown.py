"""Countdown: reach a target with given numbers. Anyone can check an answer without a key."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from perpend.core import Problem, Prompt
from perpend.core.answers import marked_answer
from perpend.tasks.expressions import normal_form, numbers, parse, value
from perpend.tasks.generated import Difficulty, Made, Stream
from perpend.tasks.prompting import chat, check_style, few_shot, load, shown_questions

_LEVELS = {1: (2, 9, "+-"), 2: (3, 9, "+-"), 3: (3, 20, "+-"), 4: (3, 12, "+-*"), 5: (4, 20, "+-*/")}
"""Numbers given, the largest of them, and the operators that a solution may need."""
MIXTURE = (1, 2, 1, 3, 4, 1, 2, 5)


class Countdown:
    """Given numbers and a target, write an expression: + − × ÷ and parentheses, each number at most once.

    An answer is an expression; `check` reads it exactly and decides, so grading needs no key and problems have none.
    Votes compare expressions up to the order and grouping of sums and products.

    Levels: 1 two numbers, a ± b; 2 and 3 three numbers up to 9 and up to 20, + and −; 4 three with ×; 5 four with ÷.

    Args:
        problems: how many; a longer list starts with the shorter one.
        difficulty: 1 to 5, or mixed: the levels in turn, the easier ones more often.
        seed: another one gives other problems.
    """

    name = "countdown"
    style = "few-shot"
    styles: tuple[str, ...] = ("few-shot", "chat")
    grader = "check"
    deployable_check = True

    def __init__(self, problems: int = 60, difficulty: Difficulty = "mixed", seed: int = 0) -> None:
        self._stream = Stream(self.name, make, problems, difficulty, seed, shown_questions(self.name), MIXTURE)
        self.fingerprint = self._stream.fingerprint(load("prompts/countdown.txt"), load("prompts/countdown.chat.txt"))

    def problems(self) -> Sequence[Problem]:
        """All of them, always in the same order. Raises TaskError where the level has not got as many."""
        return self._stream.problems()

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        question = problem.data["question"]
        return few_shot(self.name, question, max_tokens=32) if style == "few-shot" else chat(self.name, question)

    def extract(self, text: str) -> str | None:
        """The expression that the completion puts forward, without "= target"; None where there is none."""
        lines = text.strip().splitlines()
        said = marked_answer(text) or (lines[-1] if lines else "")
        for side in said.strip(" $.`*").split("="):
            expression = side.replace("\\times", "*").replace("\\div", "/").strip()
            tree = parse(expression)
            if tree is not None and len(numbers(tree)) > 1:
                return expression
        return None

    def canonical(self, answer: str) -> str | None:
        """The expression up to the order and grouping of sums and products."""
        tree = parse(answer)
        return None if tree is None else normal_form(tree)

    def check(self, problem: Problem, answer: str) -> bool | None:
        """Whether it reaches the target with each of the given numbers used at most once."""
        tree = parse(answer)
        if tree is None:
            return False
        spare = Counter(problem.data["numbers"])
        spare.subtract(numbers(tree))
        return min(spare.values()) >= 0 and value(tree) == problem.data["target"]


def make(rng: random.Random, level: int) -> Made:
    """A problem of a level: some expression of the numbers gives its target, which is none of them."""
    count, highest, operators = _LEVELS[level]
    while True:
        given = [rng.randint(1, highest) for _ in range(count)]
        target = _reached(rng, given, operators, uses=2 if level in (2, 3) else count)
        if target is not None and target not in given:
            break
    question = f"Numbers: {' '.join(map(str, given))}. Target: {target}."
    return Made(question, None, {"numbers": given, "target": target})


def _reached(rng: random.Random, given: Sequence[int], operators: str, uses: int) -> int | None:
    """The value of a random expression that uses so many of the numbers; None unless whole and in 1 … 100."""
    parts = [str(n) for n in rng.sample(given, uses)]
    while len(parts) > 1:
        left = parts.pop(rng.randrange(len(parts)))
        right = parts.pop(rng.randrange(len(parts)))
        parts.append(f"({left}{rng.choice(operators)}{right})")
    tree = parse(parts[0])
    result = None if tree is None else value(tree)
    return int(result) if result is not None and result.denominator == 1 and 1 <= result <= 100 else None
