"""The Pareto frontier: settings that no other beats on both cost and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pareto(cost: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Indices of the points that are not dominated, by rising cost.

    A point is dominated where another costs no more and is at least as accurate, and is better in one of the two; of
    equal points the first stays. A point with a NaN is left out.

    Raises:
        ValueError: when the two differ in length.
    """
    if len(cost) != len(accuracy):
        raise ValueError(f"{len(cost)} costs do not belong to {len(accuracy)} accuracies.")
    kept: list[int] = []
    best = -np.inf
    for i in np.lexsort((-np.asarray(accuracy, dtype=float), np.asarray(cost, dtype=float))):
        if accuracy[i] > best and not np.isnan(cost[i]):
            kept.append(int(i))
            best = accuracy[i]
    return kept
