"""Answers elected by votes and best scores, against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import elected_turns, electing


def merit(votes, best, voters):
    return best + 2 * votes / voters


def by_loop(keys, values):
    counts, best, turns = {}, {}, []
    for turn, (key, value) in enumerate(zip(keys, values, strict=True)):
        if key >= 0 and not np.isnan(value):
            counts[key] = counts.get(key, 0) + 1
            if key not in best or value > values[best[key]]:
                best[key] = turn
        voters = sum(counts.values())
        leader = max(counts, key=lambda k: values[best[k]] + 2 * counts[k] / voters, default=None)
        turns.append(-1 if leader is None else best[leader])
    return turns


@given(
    keys=arrays(np.int16, (9, 4), elements=st.integers(-1, 3)),
    values=arrays(float, (9, 4), elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5, np.nan])),
)
def test_it_equals_a_plain_loop_over_samples(keys, values):
    assert elected_turns(keys, values, merit).T.tolist() == [
        by_loop(*row) for row in zip(keys.T, values.T, strict=True)
    ]


def test_one_row_equals_its_row_of_many(monkeypatch):
    rng = np.random.default_rng(0)
    keys, values = rng.integers(-1, 5, (12, 3, 4)), rng.random((12, 3, 4))
    together = elected_turns(keys, values, merit)
    monkeypatch.setattr(electing, "CELLS_AT_ONCE", 16)
    assert np.array_equal(elected_turns(keys, values, merit), together)
    assert np.array_equal(elected_turns(keys[:, 1, 2], values[:, 1, 2], merit), together[:, 1, 2])


def test_where_nobody_votes_nobody_is_chosen():
    assert elected_turns(np.array([-1, 0]), np.array([1.0, np.nan]), merit).tolist() == [-1, -1]
    assert elected_turns(np.array([-1, -1]), np.array([1.0, 1.0]), merit).tolist() == [-1, -1]


def test_an_endless_score_is_the_best_of_all():
    assert elected_turns(np.array([0, 1, 1]), np.array([-np.inf, 0.0, np.inf]), merit).tolist() == [0, 1, 2]
