"""Pools, draws and orders."""

import numpy as np
import pytest

from perpend.core import GREEDY, SAMPLED, Draw, Orders, Pools, Prompt
from tests.strategies.tiny import pool_of, tiny_rows


def test_a_draw_changes_the_temperature_and_nothing_else():
    prompt = Prompt(text="?", temperature=0.7, top_p=0.9, max_tokens=9)
    assert SAMPLED.of(prompt) is prompt
    assert GREEDY.of(prompt) == Prompt(text="?", temperature=0.0, top_p=0.9, max_tokens=9)


def test_rows_of_a_pool_are_a_pool():
    pool = pool_of(tiny_rows(0, problems=5, probabilities="some"))
    part = pool.rows(np.array([3, 1]))
    assert part.problems == ("3", "1")
    assert part.samples == pool.samples
    np.testing.assert_array_equal(part.keys, pool.keys[[3, 1]])
    np.testing.assert_array_equal(part.scores["known"], pool.scores["known"][[3, 1]])
    np.testing.assert_array_equal(part.probabilities["known"], pool.probabilities["known"][[3, 1]])


def test_orders_are_made_once_a_draw():
    made: list[Draw] = []

    def make(draw: Draw) -> np.ndarray:
        made.append(draw)
        return np.zeros((1, 1, 1), dtype=np.int64)

    orders = Orders(make)
    assert orders.of(SAMPLED) is orders.of(Draw())
    assert orders.of(GREEDY) is not orders.of(SAMPLED)
    assert made == [SAMPLED, GREEDY]


def test_the_only_pool_is_refused_where_there_are_two():
    pool = pool_of(tiny_rows(0))
    assert Pools({SAMPLED: pool}).only is pool
    with pytest.raises(ValueError, match="too many"):
        Pools({SAMPLED: pool, GREEDY: pool}).only  # noqa: B018
