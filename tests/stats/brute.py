"""The definitions themselves, by enumeration of every draw: what each estimator is compared with."""

from collections.abc import Callable
from itertools import combinations

import numpy as np

from perpend.stats import Floats

EXACT = 1e-12


def over_all_subsets(rule: Callable[[int, list[int]], float], problems: int, samples: int) -> Floats:
    """[P, S]: mean of rule(problem, drawn samples) over all subsets of k samples, k = 1..S."""
    curve = np.empty((problems, samples))
    for problem, k in np.ndindex(curve.shape):
        draws = combinations(range(samples), k + 1)
        curve[problem, k] = np.mean([rule(problem, list(drawn)) for drawn in draws])
    return curve
