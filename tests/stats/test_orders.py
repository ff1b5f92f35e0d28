"""Seeded orders."""

import numpy as np
import pytest

from perpend.stats import permutations


def test_each_row_is_a_permutation_of_its_own():
    orders = permutations(7, count=5, samples=9, problems=4)
    assert orders.shape == (5, 4, 9)
    assert (np.sort(orders, axis=2) == np.arange(9)).all()
    assert len(np.unique(orders.reshape(20, 9), axis=0)) == 20


def test_the_same_seed_gives_the_same_orders_and_another_seed_others():
    assert np.array_equal(permutations(7, 3, 20, 2), permutations(7, 3, 20, 2))
    assert not np.array_equal(permutations(7, 3, 20, 2), permutations(8, 3, 20, 2))


def test_more_orders_or_problems_only_add_to_those_there_are():
    small, large = permutations(7, 3, 20, 2), permutations(7, 6, 20, 5)
    assert np.array_equal(large[:3, :2], small)


def test_chunks_of_problems_are_the_whole():
    whole = permutations(7, 3, 20, 5)
    chunks = [permutations(7, 3, 20, 2), permutations(7, 3, 20, 3, first_problem=2)]
    assert np.array_equal(np.concatenate(chunks, axis=1), whole)
    assert np.array_equal(permutations(7, 3, 20, first_problem=4), whole[:, 4])


def test_indices_take_two_bytes_where_two_are_enough():
    assert permutations(0, 1, 1000, 1).dtype == np.int16
    assert permutations(0, 1, 40_000, 1).dtype == np.int32


def test_every_order_is_equally_likely():
    orders = permutations(0, 6000, 3)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 150


@pytest.mark.parametrize(("count", "samples", "problems"), [(0, 3, 1), (1, 0, 1), (1, 3, -1)])
def test_nothing_to_order_is_refused(count, samples, problems):
    with pytest.raises(ValueError, match="at least one order and one sample"):
        permutations(0, count, samples, problems)
