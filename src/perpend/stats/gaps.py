"""Where the errors of a strategy come from: samples that were never right, and right ones that were not chosen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import Floats


@dataclass(frozen=True)
class LossGaps:
    """The loss 1 − accuracy in two parts, each of the shape of the arguments of `loss_gaps`."""

    coverage: Floats
    """1 − pass@N: no sample was correct, so no choice could be."""
    selection: Floats
    """pass@N − accuracy of what was chosen: a correct sample was there and was passed over."""


def loss_gaps(coverage: ArrayLike, chosen: ArrayLike) -> LossGaps:
    """Decompose the loss of a choice among N samples; `coverage` (pass@N) and `chosen` (its accuracy) broadcast.

    Raises:
        ValueError: for values outside [0, 1].
    """
    at_best, accuracy = np.broadcast_arrays(np.asarray(coverage, np.float64), np.asarray(chosen, np.float64))
    if not all(((a >= 0) & (a <= 1)).all() for a in (at_best, accuracy)):
        raise ValueError("coverage and accuracy must lie in [0, 1].")
    return LossGaps(np.asarray(1 - at_best), np.asarray(at_best - accuracy))
