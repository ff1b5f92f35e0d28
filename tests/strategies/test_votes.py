"""The vote's rules: one sample at a time, a whole row at once, the same rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perpend.core import Finish, Sample, Usage
from perpend.stats import vote_winners
from perpend.strategies.votes import Tally, codes, elected

keys = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12)


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
