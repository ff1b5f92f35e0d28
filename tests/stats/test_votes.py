"""The literal voting rule."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpend.stats import softmax_vote_winners, vote_winners, votes


def leaders_by_loop(keys, weights):
    totals, leaders = {}, []
    for key, weight in zip(keys, weights, strict=True):
        if key >= 0 and not np.isnan(weight):
            totals[key] = totals.get(key, 0.0) + weight
        leaders.append(max(totals, key=totals.get, default=-1))  # a dict keeps first-seen order, max takes the first
    return leaders


def test_the_leader_changes_only_when_it_is_passed():
    assert vote_winners(np.array([3, 1, 1, 3, 3])).tolist() == [3, 3, 1, 3, 3]


def test_ties_go_to_the_answer_seen_first():
    assert vote_winners(np.array([0, 1, 1, 0])).tolist() == [0, 0, 1, 0]
    assert vote_winners(np.array([2, 1, 0])).tolist() == [2, 2, 2]


def test_abstentions_neither_lead_nor_count():
    assert vote_winners(np.array([-1, -1, 4, -1])).tolist() == [-1, -1, 4, 4]


def test_a_heavier_vote_outweighs_two_light_ones():
    assert vote_winners(np.array([0, 0, 1]), [0.2, 0.2, 0.5]).tolist() == [0, 0, 1]


def test_a_sample_without_a_score_does_not_vote():
    assert vote_winners(np.array([0, 1]), [np.nan, 0.1]).tolist() == [-1, 1]


def test_votes_of_no_weight_still_name_a_leader():
    assert vote_winners(np.array([5, 4, 4]), [0.0, 0.0, 0.0]).tolist() == [5, 5, 5]


@given(
    keys=arrays(np.int16, (4, 9), elements=st.integers(-1, 3)),
    weights=arrays(float, (4, 9), elements=st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, np.nan])),
)
def test_it_equals_a_plain_loop_over_votes(keys, weights):
    by_loop = [leaders_by_loop(*row) for row in zip(keys, weights, strict=True)]
    assert vote_winners(keys.T, weights.T).T.tolist() == by_loop
    assert vote_winners(keys.T).T.tolist() == [leaders_by_loop(row, np.ones(9)) for row in keys]


def test_one_row_equals_its_row_of_many(monkeypatch):
    rng = np.random.default_rng(0)
    keys, weights = rng.integers(-1, 5, (20, 6, 7)), rng.random((20, 1, 7))
    for rule in (vote_winners, partial(softmax_vote_winners, temperature=0.01)):
        together = rule(keys, weights)
        with monkeypatch.context() as patch:
            patch.setattr(votes, "CELLS_AT_ONCE", 64)
            assert np.array_equal(rule(keys, weights), together)
        assert np.array_equal(rule(keys[:, 2, 3], weights[:, 0, 3]), together[:, 2, 3])
        assert together.dtype == keys.dtype


@given(
    votes=st.lists(
        st.tuples(st.integers(-1, 3), st.sampled_from([np.nan, -3.0, -0.5, 0.0, 0.7, 2.0])), min_size=1, max_size=10
    ),
    temperature=st.sampled_from([0.3, 1.0, 10.0]),
)
def test_softmax_weights_are_those_of_the_definition(votes, temperature):
    keys, values = (np.array(column) for column in zip(*votes, strict=True))
    winners = softmax_vote_winners(keys, values, temperature)
    for n in range(1, len(votes) + 1):
        voting = (keys[:n] >= 0) & ~np.isnan(values[:n])
        if not voting.any():
            assert winners[n - 1] == -1
            continue
        weights = np.where(voting, np.exp(np.nan_to_num(values[:n]) / temperature), 0)
        totals = np.array([weights[keys[:n] == key].sum() for key in range(4)]) / weights.sum()
        assert totals[winners[n - 1]] >= totals.max() - 1e-12


def test_no_temperature_is_too_low_for_softmax_weights():
    values = np.array([-400.0, -1e9, -399.9, -399.95, -5.0, np.inf, -np.inf])
    assert softmax_vote_winners(np.arange(7), values, 1e-3).tolist() == [0, 0, 2, 2, 4, 5, 5]
    assert softmax_vote_winners(np.array([0, 1, 1]), [-1e6, -1e6, -1e6], 1e-3).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("keys", "weights", "reason"),
    [
        ([0, -2], None, "−1 for a sample that abstains"),
        ([0, 1], [1.0, -0.1], "must not be negative"),
        ([0.5, 1.0], None, "signed integers"),
        (3, None, "along its first axis"),
        ([0, 1], [1, 1, 1], "broadcast"),
    ],
)
def test_what_is_no_vote_is_refused(keys, weights, reason):
    with pytest.raises(ValueError, match=reason):
        vote_winners(keys, weights)
