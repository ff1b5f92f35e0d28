"""A task for tests: the answer is the last word."""

from __future__ import annotations


class Words:
    """As much of a task as Run needs."""

    name = "words"

    def extract(self, text: str) -> str | None:
        return text.split()[-1] if text.split() else None

    def canonical(self, answer: str) -> str:
        return answer
