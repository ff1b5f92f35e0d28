"""Problems that no model answers: their law is known, so that estimates can be held against the truth."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import ConfigError, Message, Problem, Prompt, digest
from perpend.core.answers import canonical_number, final_number
from perpend.core.simulation import law_of, problem_id
from perpend.tasks.prompting import check_style


class Simulated:
    """Problems of mixed difficulty for the engine and the verifier of the same name.

    Args:
        problems: how many; a longer list starts with the shorter one.
        seed: another one gives other problems.
    """

    name = "simulated"
    style = "chat"
    styles: tuple[str, ...] = ("chat",)
    grader = "exact"
    deployable_check = False

    def __init__(self, problems: int = 100, seed: int = 0) -> None:
        if problems < 1 or seed < 0:
            raise ConfigError(
                f"Task simulated cannot have {problems} problems with seed {seed}.",
                "Ask for one or more, and a seed of 0 or more.",
            )
        self._ids = [problem_id(seed, number) for number in range(problems)]
        self.fingerprint = digest([self.name, seed])

    def problems(self) -> Sequence[Problem]:
        """All of them, always in the same order."""
        return [Problem(i, self.name, {"question": f"Simulated question {i}."}, law_of(i).answer) for i in self._ids]

    def render(self, problem: Problem, style: str) -> Prompt:
        """The question alone. Raises ConfigError for an unknown style."""
        check_style(style, self.styles)
        return Prompt(messages=(Message("user", problem.data["question"]),), max_tokens=1024)

    def extract(self, text: str) -> str | None:
        """The final number."""
        return final_number(text)

    def canonical(self, answer: str) -> str | None:
        """The number in its shortest form."""
        return canonical_number(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """None: it cannot tell without the key."""
        return None
