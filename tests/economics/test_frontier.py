"""The frontier holds what nothing beats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.economics import pareto

points = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30)


def dominates(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(points)
def test_the_frontier_is_every_point_that_none_dominates(found: list[tuple[int, int]]):
    kept = [found[i] for i in pareto([c for c, _ in found], [a for _, a in found])]
    assert set(kept) == {p for p in found if not any(dominates(q, p) for q in found)}
    assert len(kept) == len(set(kept))
    assert kept == sorted(kept)


def test_the_first_of_equal_points_stays_and_unknown_ones_go():
    assert pareto([1, 1, 2], [0.5, 0.5, 0.4]) == [0]
    assert pareto([math.nan, 2, 3], [0.9, 0.5, math.nan]) == [1]
    assert pareto([], []) == []


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="do not belong"):
        pareto([1], [])
