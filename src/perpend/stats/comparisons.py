"""Whether one strategy beats another: sign-flip permutation tests, and Holm's correction for a family of them."""

import numpy as np
from numpy.typing import ArrayLike

from perpend.stats.arrays import Floats

ENUMERATED = 16
FLIPS_AT_ONCE = 1 << 22


def sign_flip_test(differences: ArrayLike, draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of "the per-problem differences [P] are symmetric about zero".

    Every pattern of signs is enumerated when at most 16 differences are not zero; otherwise `draws` seeded ones are
    drawn and p = (1 + hits) / (1 + draws), which keeps the test valid. Differences are fractions in general, so
    McNemar's test, for single outcomes, does not apply.

    Raises:
        ValueError: for an empty or non-finite vector.

    Source: Fisher, The Design of Experiments (1935), section 21; Phipson and Smyth (2010) for the +1.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError("differences must be a vector of finite numbers, one a problem.")
    moving = values[values != 0]
    observed = abs(moving.sum()) - 1e-12 * np.abs(moving).sum()
    if len(moving) <= ENUMERATED:
        return float(np.mean(np.abs(_all_signed_sums(moving)) >= observed))
    hits = int(np.count_nonzero(np.abs(_some_signed_sums(moving, draws, seed)) >= observed))
    return (1 + hits) / (1 + draws)


def holm(pvalues: ArrayLike) -> Floats:
    """Holm's step-down adjusted p-values of one family, in the order given: reject where adjusted ≤ level.

    Raises:
        ValueError: for anything outside [0, 1].

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    p = np.asarray(pvalues, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must be a vector of probabilities.")
    ranking = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[ranking] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[ranking] = np.minimum(stepped, 1.0)
    return adjusted


def _all_signed_sums(values: Floats) -> Floats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _some_signed_sums(values: Floats, draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    at_once = max(1, FLIPS_AT_ONCE // len(values))
    parts = [min(at_once, draws - start) for start in range(0, draws, at_once)]
    return np.concatenate(
        [(2.0 * rng.integers(0, 2, (part, len(values)), dtype=np.int8) - 1) @ values for part in parts]
    )
