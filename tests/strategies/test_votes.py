"""The vote's rules: one sample at a time, a whole row at once, and by softmax, all the same rule."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perpend.core import Finish, Sample, Usage
from perpend.stats import vote_winners
from perpend.strategies.votes import Tally, codes, elected, softmax_winners

keys = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12)
scored = st.lists(
    st.tuples(st.integers(-1, 3), st.sampled_from([float("nan"), -3.0, -0.5, 0.0, 0.7, 2.0])), min_size=1, max_size=10
)


def samples(keys: list[str | None]) -> list[Sample]:
    return [Sample("p", "pool", i, "e", "", key, key, Finish.STOP, Usage()) for i, key in enumerate(keys)]


@given(keys)
def test_counting_one_by_one_is_the_rule_for_a_row(keys: list[str | None]):
    drawn, tally = samples(keys), Tally()
    for i, winner in enumerate(vote_winners(codes(drawn))):
        tally.add(drawn[i])
        assert tally.leader is elected(drawn[: i + 1], int(winner))


def test_a_tie_goes_to_the_answer_seen_first_and_its_first_sample_is_returned():
    drawn, tally = samples(["a", "b", "b", "a"]), Tally()
    for sample in drawn:
        tally.add(sample)
    assert tally.leader is drawn[0]


def test_codes_number_answers_as_they_appear():
    assert codes(samples(["b", None, "a", "b"])).tolist() == [0, -1, 1, 0]


@given(scored, st.sampled_from([0.3, 1.0, 10.0]))
def test_softmax_weights_are_those_of_the_definition(votes: list[tuple[int, float]], temperature: float):
    keys, values = (np.array(column) for column in zip(*votes, strict=True))
    winners = softmax_winners(keys, values, temperature)
    for n in range(1, len(votes) + 1):
        voting = (keys[:n] >= 0) & ~np.isnan(values[:n])
        if not voting.any():
            assert winners[n - 1] == -1
            continue
        weights = np.where(voting, np.exp(np.nan_to_num(values[:n]) / temperature), 0)
        totals = np.array([weights[keys[:n] == key].sum() for key in range(4)]) / weights.sum()
        assert totals[winners[n - 1]] >= totals.max() - 1e-12


def test_rows_do_not_see_each_other():
    rng = np.random.default_rng(0)
    keys, values = rng.integers(-1, 4, (5, 6, 7)), rng.normal(size=(5, 6, 7)) * 100
    together = softmax_winners(keys, values, 0.01)
    alone = [softmax_winners(keys[i, j], values[i, j], 0.01) for i in range(5) for j in range(6)]
    np.testing.assert_array_equal(together.reshape(30, 7), alone)
