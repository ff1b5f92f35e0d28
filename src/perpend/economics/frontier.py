"""The Pareto frontier: settings that nothing cheaper matches."""

from __future__ import annotations

from collections.abc import Sequence


def pareto(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Indices of the points that no other beats in both, by rising cost; of equal points, the first.

    Raises:
        ValueError: when the lengths differ.
    """
    if len(costs) != len(accuracies):
        raise ValueError("Every point has a cost and an accuracy.")
    by_cost = sorted(range(len(costs)), key=lambda i: (costs[i], -accuracies[i], i))
    kept: list[int] = []
    for i in by_cost:
        if not kept or accuracies[i] > accuracies[kept[-1]]:
            kept.append(i)
    return kept
