"""GSM8K: grade-school word problems (Cobbe et al., arXiv 2110.14168), the test split, bundled."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from perpend.core import ConfigError, Problem, Prompt, digest
from perpend.core.answers import canonical_number, final_number
from perpend.tasks.prompting import chat, check_style, few_shot, load

STOP = ("\n\n", "\nQuestion:")


class Gsm8k:
    """The 1,319 problems of the test split; the key is a number. Few-shot: eight of the training split, with solutions.

    Args:
        problems: the first so many; all by default.
    """

    name = "gsm8k"
    style = "chat"
    styles: tuple[str, ...] = ("chat", "few-shot")
    grader = "exact"
    deployable_check = False

    def __init__(self, problems: int | None = None) -> None:
        if problems is not None and problems < 1:
            raise ConfigError(f"Task gsm8k cannot have {problems} problems.", "Ask for 1 to 1319.")
        self._count = problems
        self.fingerprint = digest([self.name, "test", load("prompts/gsm8k.txt"), load("prompts/gsm8k.chat.txt")])

    def problems(self) -> Sequence[Problem]:
        """In the order of the published file."""
        return _test_split()[: self._count]

    def render(self, problem: Problem, style: str) -> Prompt:
        """The prompt. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        question = problem.data["question"]
        if style == "chat":
            return chat(self.name, question, max_tokens=1024)
        return few_shot(self.name, question, max_tokens=320, stop=STOP)

    def extract(self, text: str) -> str | None:
        """The number after `####`, in a box, or last."""
        return final_number(text)

    def canonical(self, answer: str) -> str | None:
        """The number in its shortest form."""
        return canonical_number(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """None: it cannot tell without the key."""
        return None


@cache
def _test_split() -> tuple[Problem, ...]:
    packed = files("perpend.tasks").joinpath("data/gsm8k/test.jsonl.xz").read_bytes()
    rows = [json.loads(line) for line in lzma.decompress(packed).splitlines()]
    return tuple(_problem(number, row["question"], row["answer"]) for number, row in enumerate(rows))


def _problem(number: int, question: str, solution: str) -> Problem:
    key = solution.rpartition("####")[2].strip()
    return Problem(f"gsm8k-test-{number:04d}", "gsm8k", {"question": question}, canonical_number(key))
