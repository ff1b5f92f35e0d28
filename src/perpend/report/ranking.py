"""Where dots and intervals stand in the ranking's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from perpend.study.results import Ranking

STEP = 0.1
"""Ends of the scale are multiples of it."""


@dataclass(frozen=True)
class Scale:
    """Accuracies from the left edge to the right one."""

    low: float
    high: float

    def along(self, value: float | None) -> str:
        """Where a value stands, as a CSS length."""
        share = 0.0 if value is None else (value - self.low) / (self.high - self.low)
        return f"{100 * share:.2f}%"


def scale(rankings: Sequence[Ranking]) -> Scale:
    """One scale for all budgets, so that what moves is accuracy."""
    shown = [row.accuracy for ranking in rankings for row in ranking.rows]
    low = min((e.low for e in shown if e.low is not None), default=0.0)
    high = max((e.high for e in shown if e.high is not None), default=1.0)
    return Scale(floor(low / STEP) * STEP, max(ceil(high / STEP), floor(low / STEP) + 1) * STEP)
