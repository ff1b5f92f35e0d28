"""The array types of `perpend.stats`, and the shapes that its functions insist on.

Letters in docstrings: P problems, S samples of each, N budgets, T tasks, k samples drawn without replacement.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.integer[Any]]
Bools: TypeAlias = NDArray[np.bool_]


def matrix(values: ArrayLike, name: str) -> Floats:
    """`values` as float [P, S] with P ≥ 1 and S ≥ 1, else ValueError."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be [problems, samples] with at least one of each, not of shape {array.shape}.")
    return array


def matched(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Floats:
    """`values` as floats of exactly `shape`, else ValueError."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} like its companion, not {array.shape}.")
    return array


def integers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """`values` as int64, else ValueError when any of them is no whole number."""
    array = np.asarray(values)
    whole = array.astype(np.int64)
    if not np.array_equal(whole, array):
        raise ValueError(f"{name} must be whole numbers.")
    return whole
