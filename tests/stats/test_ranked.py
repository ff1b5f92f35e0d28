"""Ranked votes: textbook elections, and plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perpend.stats import borda, instant_runoff, ranked_winners, reciprocal_rank


def election(*groups):
    """(votes, list) each → [S, 1, places]."""
    lists = [listed for votes, listed in groups for _ in range(votes)]
    width = max(map(len, lists))
    return np.array([[[*listed, *[-1] * (width - len(listed))]] for listed in lists])


TENNESSEE = election((42, (0, 1, 2, 3)), (26, (1, 2, 3, 0)), (15, (2, 3, 1, 0)), (17, (3, 2, 1, 0)))
"""The usual example: Memphis has most first places, Nashville wins by points, Knoxville in the runoff."""


def test_the_rules_differ_where_textbooks_say_so():
    assert ranked_winners(TENNESSEE, borda)[-1] == [1]
    assert ranked_winners(TENNESSEE, instant_runoff)[-1] == [3]
    assert ranked_winners(TENNESSEE, reciprocal_rank)[-1] == [1]  # 56.5, 57.7, 44.5, 48.0


def test_second_places_count():
    ballots = election((2, (0, 2)), (2, (1, 2)), (1, (2,)))
    assert ranked_winners(ballots, borda)[-1] == [2]
    assert ranked_winners(ballots, reciprocal_rank)[-1] == [2]
    assert ranked_winners(ballots, instant_runoff)[-1] == [0]


def test_a_majority_of_first_places_wins_the_runoff():
    assert ranked_winners(election((3, (1, 0)), (2, (0, 1))), instant_runoff)[-1] == [1]


def test_nobody_listed_nobody_elected():
    for rule in (borda, reciprocal_rank, instant_runoff):
        assert ranked_winners(np.full((2, 1, 2), -1), rule).tolist() == [[-1], [-1]]


def by_loop(lists, rule):
    """The winner over all lists, by dictionaries in order of appearance."""
    seen = list(dict.fromkeys(answer for listed in lists for answer in listed))
    if not seen:
        return -1
    if rule is instant_runoff:
        while len(seen) > 1:
            votes = dict.fromkeys(seen, 0)
            for listed in lists:
                choice = next((answer for answer in listed if answer in votes), None)
                if choice is not None:
                    votes[choice] += 1
            seen.remove(min(reversed(seen), key=votes.get))
        return seen[0]
    longest = max(map(len, lists))
    points = (lambda r: longest - r) if rule is borda else (lambda r: 1 / (r + 1))
    total = {answer: sum(points(x.index(answer)) for x in lists if answer in x) for answer in seen}
    return max(seen, key=lambda answer: round(total[answer], 9))


@given(
    st.lists(
        st.permutations(range(4)).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])), min_size=1, max_size=6
    )
)
def test_they_equal_plain_loops_after_every_ballot(lists):
    ballots = np.array([[[*listed, *[-1] * (4 - len(listed))]] for listed in lists])
    for rule in (borda, instant_runoff):
        found = ranked_winners(ballots, rule)[:, 0].tolist()
        assert found == [by_loop(lists[:n], rule) for n in range(1, len(lists) + 1)]
    means = ranked_winners(ballots, reciprocal_rank)[-1, 0]
    assert means == by_loop(lists, reciprocal_rank)
