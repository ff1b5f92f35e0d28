"""Difficulty bins that are not made of the samples they are judged on.

Binning problems by the very samples that are then evaluated manufactures difficulty: a constant p = .3 yields
"quintiles" from .15 to .46. So bins come from one random half of each problem's samples and are evaluated on the
other; the halves are swapped and the two averaged.

Source of the five bins: Snell et al., arXiv 2408.03314, section 3.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perpend.stats.arrays import Floats, matrix
from perpend.stats.bootstrap import weighted_mean_interval
from perpend.stats.intervals import Interval
from perpend.stats.orders import permutations


@dataclass(frozen=True)
class Half:
    """One way round: bins from one half of the samples, to be evaluated on the other."""

    bin_of: NDArray[np.int64]
    """[P] the bin of each problem, 0 = easiest."""
    columns: NDArray[np.integer[Any]]
    """[P, S // 2] the samples to evaluate, in random order."""

    def take(self, values: NDArray[Any]) -> NDArray[Any]:
        """The evaluation half of any per-sample array [P, S]."""
        return np.take_along_axis(values, self.columns, axis=1)


@dataclass(frozen=True)
class DifficultyBins:
    """Problems by difficulty, both ways round."""

    halves: tuple[Half, Half]
    bins: int
    quantiles: bool
    """True: bins of equal size. False: ties prevented that, and bins are equal ranges of p̂ in [0, 1]."""

    def means(self, evaluate: Callable[[Half], Floats], level: float = 0.95, seed: int = 0) -> list[Interval | None]:
        """Mean of `evaluate` in each bin, easiest first, with intervals over problems; None for an empty bin.

        `evaluate` maps a half to per-problem values in [0, 1], [P] or [P, N], computed from its columns alone, such as
        `lambda half: coverage_curve(half.take(correct))`. A problem that changes bins between halves counts one half
        in each; both its halves are resampled together.
        """
        values = [evaluate(half).reshape(len(half.bin_of), -1) for half in self.halves]
        return [self._mean_of(bin_, values, level, seed) for bin_ in range(self.bins)]

    def _mean_of(self, bin_: int, values: list[Floats], level: float, seed: int) -> Interval | None:
        inside = [(half.bin_of == bin_)[:, None] / 2 for half in self.halves]
        weight = inside[0] + inside[1]
        present = weight[:, 0] > 0
        if not present.any():
            return None
        total = inside[0] * values[0] + inside[1] * values[1]
        return weighted_mean_interval(total[present] / weight[present], weight[present], level=level, seed=seed)


def difficulty_bins(correct: ArrayLike, seed: int, bins: int = 5) -> DifficultyBins:
    """Split-half bins of problems by the share of correct samples p̂, from `correct` [P, S]; easiest first.

    Bins of equal size (quintiles) where no tie in p̂ straddles an edge in either half, else equal ranges of p̂. With an
    odd S one random sample of each problem is left out. Scores in [0, 1] in place of correctness give predicted bins.

    Raises:
        ValueError: for fewer than two samples, fewer than one bin, or values outside [0, 1].
    """
    flags = matrix(correct, "correct")
    problems, samples = flags.shape
    if samples < 2 or bins < 1 or not ((flags >= 0) & (flags <= 1)).all():
        raise ValueError("difficulty_bins needs two samples or more with values in [0, 1], and at least one bin.")
    order = permutations(seed, 1, samples, problems)[0]
    columns = order[:, : samples // 2], order[:, samples // 2 : samples // 2 * 2]
    shares = [np.take_along_axis(flags, half, axis=1).mean(axis=1) for half in columns]
    quantiles = all(_splits_evenly(share, bins) for share in shares)
    first, second = (_by_rank(share, bins) if quantiles else _by_range(share, bins) for share in shares)
    return DifficultyBins((Half(first, columns[1]), Half(second, columns[0])), bins, quantiles)


def _splits_evenly(share: Floats, bins: int) -> bool:
    ranked = np.sort(share)[::-1]
    edges = _first_ranks(len(share), bins)[1:]
    return len(share) >= bins and bool(np.all(ranked[edges - 1] > ranked[edges]))


def _by_rank(share: Floats, bins: int) -> NDArray[np.int64]:
    rank = np.empty(len(share), dtype=np.int64)
    rank[np.argsort(-share, kind="stable")] = np.arange(len(share))
    return np.asarray(np.searchsorted(_first_ranks(len(share), bins), rank, side="right") - 1)


def _by_range(share: Floats, bins: int) -> NDArray[np.int64]:
    return np.asarray(np.minimum(np.floor((1 - share) * bins + 1e-9), bins - 1).astype(np.int64))


def _first_ranks(problems: int, bins: int) -> NDArray[np.int64]:
    return np.arange(bins) * problems // bins
