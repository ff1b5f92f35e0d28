"""Expectations under a softmax over the first samples, for every number of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.stats.arrays import Floats


def running_softmax_mean(values: Floats, temperature: float, of: NDArray[Any]) -> Floats:
    """The mean of `of` over the first k samples, each weighed exp(value / temperature), for every k.

    Args:
        values: [S, …], in the order drawn; NaN weighs nothing.
        temperature: in units of the values.
        of: what is averaged, the same shape.

    Returns:
        [S, …]; 0 while nothing has weight.

    Weights are kept relative to the highest value so far, so that no temperature is too low.
    """
    total, weighed = np.zeros(values.shape[1:]), np.zeros(values.shape[1:])
    highest = np.full(values.shape[1:], -LARGE)
    means = np.empty(values.shape)
    for turn, (value, each) in enumerate(zip(values, of, strict=True)):
        known = ~np.isnan(value)
        bounded = np.where(known, np.clip(value, -LARGE, LARGE), -LARGE)
        higher = np.maximum(highest, bounded)
        fade = np.exp((highest - higher) / temperature)
        weight = np.where(known, np.exp((bounded - higher) / temperature), 0.0)
        total = total * fade + weight
        weighed = weighed * fade + weight * np.where(known, each, 0.0)
        highest = higher
        means[turn] = weighed / np.where(total > 0, total, 1.0)
    return means


LARGE = 1e300
"""Stands for ∞, so that differences of values are numbers."""
