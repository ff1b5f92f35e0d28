"""What tasks that make their own problems share: difficulty levels, and streams of problems without repeats."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from perpend.core import ConfigError, Problem, TaskError, digest

Difficulty: TypeAlias = Literal["mixed"] | int
"""A level from 1 (easiest) to 5, or all of them in turn."""
LEVELS = (1, 2, 3, 4, 5)
TRIES = 500
"""Draws for a new problem before a level counts as exhausted."""


class Made(NamedTuple):
    """A problem as a generator makes it: the question, the right answer, and what else the task wants to keep."""

    question: str
    key: str | None
    extra: Mapping[str, Any] = {}


Maker: TypeAlias = Callable[[random.Random, int], Made]
"""Makes a problem of a level."""


class Stream:
    """A seeded sequence of distinct problems: a longer one starts with the shorter one.

    Where the difficulty is mixed and a level is exhausted, the next harder one stands in.

    Args:
        task: its name.
        make: the generator.
        problems: how many.
        difficulty: of all of them.
        seed: another one gives other problems.
        shown: questions of the few-shot examples, which are left out.
        mixture: the levels in turn, where the difficulty is mixed.

    Raises:
        ConfigError: for a number or a level out of range.
    """

    def __init__(
        self,
        task: str,
        make: Maker,
        problems: int,
        difficulty: Difficulty,
        seed: int,
        shown: frozenset[str],
        mixture: Sequence[int] = LEVELS,
    ) -> None:
        if problems < 1:
            raise ConfigError(f"Task {task} cannot have {problems} problems.", "Ask for one or more.")
        if difficulty != "mixed" and difficulty not in LEVELS:
            raise ConfigError(f"Task {task} has no difficulty {difficulty}.", "Write 1 to 5, or mixed.")
        self._task = task
        self._make = make
        self._count = problems
        self._prefix = f"{task}-{difficulty}-{seed}"
        self._shown = shown
        self._levels = tuple(mixture) if difficulty == "mixed" else (difficulty,)
        self._problems: list[Problem] | None = None

    def fingerprint(self, *sources: str) -> str:
        """A digest of what decides the problems, their number left out: more of them extend a study.

        The first few are part of it, so that a generator that was changed does not pass for the old one.
        """
        seen = set(self._shown)
        first = [self._next(number, seen) for number in range(len(LEVELS))]
        return digest([self._prefix, self._levels, [[p.data, p.key] for p in first], *sources])

    def problems(self) -> list[Problem]:
        """All of them, in order. Raises TaskError where the level has not got as many."""
        if self._problems is None:
            seen = set(self._shown)
            self._problems = [self._next(number, seen) for number in range(self._count)]
        return list(self._problems)

    def _next(self, number: int, seen: set[str]) -> Problem:
        rng = random.Random(f"{self._prefix}-{number}")
        wanted = self._levels[number % len(self._levels)]
        for level in sorted(level for level in set(self._levels) if level >= wanted):
            made = self._new(rng, level, seen)
            if made is not None:
                data = {"question": made.question, "difficulty": level, **made.extra}
                return Problem(f"{self._prefix}-{number:04d}", self._task, data, made.key)
        raise TaskError(
            f"Task {self._task} has no more than {number} different problems of difficulty {wanted}.",
            f"Ask for at most {number}, or for a higher or mixed difficulty.",
        )

    def _new(self, rng: random.Random, level: int, seen: set[str]) -> Made | None:
        """A problem that was not there before; None where the level seems to have no other."""
        for _ in range(TRIES):
            made = self._make(rng, level)
            if made.question not in seen:
                seen.add(made.question)
                return made
        return None
