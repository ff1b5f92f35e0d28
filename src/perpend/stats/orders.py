"""Seeded orders in which a problem's samples are taken."""

import numpy as np
from numpy.typing import NDArray


def permutations(
    seed: int, count: int, samples: int, problems: int | None = None, *, first_problem: int = 0
) -> NDArray[np.int16] | NDArray[np.int32]:
    """`count` random orders of `samples` indices, independent for each problem.

    Order i of problem p depends on (seed, p, i, samples) alone. So every rule that is evaluated with the same seed
    sees the same orders (common random numbers), more orders or problems only add to those there are, and a caller
    short of memory takes the problems in chunks through `first_problem`.

    Returns:
        [count, problems, samples]; [count, samples] of one problem when `problems` is None. int16 where that holds
        an index, else int32.

    Raises:
        ValueError: when `count` or `samples` is below one, or `problems` negative.
    """
    if count < 1 or samples < 1 or (problems is not None and problems < 0):
        raise ValueError("permutations needs at least one order and one sample, and no negative number of problems.")
    dtype = np.int16 if samples <= np.iinfo(np.int16).max else np.int32
    identity = np.broadcast_to(np.arange(samples), (count, samples))  # NumPy shuffles machine words twice as fast
    orders = np.empty((count, 1 if problems is None else problems, samples), dtype=dtype)
    for problem in range(orders.shape[1]):
        orders[:, problem] = np.random.default_rng([seed, first_problem + problem]).permuted(identity, axis=1)
    return orders[:, 0] if problems is None else orders
