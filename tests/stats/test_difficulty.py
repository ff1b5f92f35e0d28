"""Split-half difficulty."""

import numpy as np
import pytest

from perpend.stats import coverage_curve, difficulty_bins


def pool(problems: int = 200, samples: int = 16, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.random((problems, samples)) < rng.beta(1, 1, (problems, 1))


def test_bins_never_see_the_samples_they_are_evaluated_on():
    correct = pool()
    split = difficulty_bins(correct, seed=1)
    for half, other in zip(split.halves, split.halves[::-1], strict=True):
        together = np.sort(np.concatenate([half.columns, other.columns], axis=1), axis=1)
        assert (together == np.arange(16)).all()
        share = other.take(correct).mean(axis=1)
        easier = [share[half.bin_of == bin_].min(initial=2) for bin_ in range(5)]
        harder = [share[half.bin_of == bin_].max(initial=-1) for bin_ in range(5)]
        assert all(low > high for low, high in zip(easier[:-1], harder[1:], strict=True))


def test_difficulty_is_not_manufactured_where_there_is_none():
    correct = np.random.default_rng(2).random((2000, 16)) < 0.3
    split = difficulty_bins(correct, seed=0)
    means = split.means(lambda half: half.take(correct).mean(axis=1))
    assert all(mean is None or abs(mean.estimate[0] - 0.3) < 0.05 for mean in means if mean is None or mean.n > 100)


def test_ties_turn_quantiles_into_fixed_ranges():
    split = difficulty_bins(pool(samples=8), seed=0)
    assert not split.quantiles
    share = split.halves[1].take(pool(samples=8)).mean(axis=1)
    assert (split.halves[0].bin_of == np.minimum(4, np.floor((1 - share) * 5 + 1e-9))).all()


def test_without_ties_bins_are_equal_in_size():
    scores = np.random.default_rng(3).random((50, 10))
    split = difficulty_bins(scores, seed=0)
    assert split.quantiles
    assert all(np.bincount(half.bin_of).tolist() == [10] * 5 for half in split.halves)


def test_any_curve_can_be_evaluated_on_the_held_half():
    correct = pool(problems=400)
    split = difficulty_bins(correct, seed=1)
    means = [mean for mean in split.means(lambda half: coverage_curve(half.take(correct))) if mean is not None]
    assert [mean.estimate.shape for mean in means] == [(8,)] * 5
    first = [mean[0].estimate for mean in means]
    assert first == sorted(first, reverse=True)
    assert all(mean.low[0] < mean.estimate[0] < mean.high[0] for mean in means)


def test_the_mean_over_bins_is_the_mean_over_problems():
    scores = np.random.default_rng(3).random((50, 10))
    means = difficulty_bins(scores, seed=0).means(lambda half: half.take(scores).mean(axis=1))
    assert np.mean([mean.estimate[0] for mean in means if mean]) == pytest.approx(scores.mean())


def test_empty_bins_have_no_mean():
    correct = np.ones((10, 8), dtype=bool)
    means = difficulty_bins(correct, seed=0).means(lambda half: half.take(correct).mean(axis=1))
    assert means[0] is not None
    assert means[0].estimate[0] == 1
    assert means[1:] == [None] * 4


def test_an_odd_sample_is_left_out():
    assert difficulty_bins(pool(samples=9), seed=0).halves[0].columns.shape[1] == 4


@pytest.mark.parametrize(("values", "bins"), [(np.ones((3, 1)), 5), (np.ones((3, 4)), 0), (np.full((3, 4), 2.0), 5)])
def test_what_cannot_be_split_is_refused(values, bins):
    with pytest.raises(ValueError, match="two samples or more"):
        difficulty_bins(values, seed=0, bins=bins)
