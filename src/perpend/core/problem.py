"""A problem: what a task asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One question of a task.

    Attributes:
        id: unique within the task, and stable between runs.
        task: the task's name.
        data: what the task renders a prompt from (JSON values).
        key: the right answer, which only an oracle may see; None where the task has none or it was withheld.
    """

    id: str
    task: str
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None

    def without_key(self) -> Problem:
        """The same problem as a strategy or a deployable verifier may see it."""
        return replace(self, key=None)
