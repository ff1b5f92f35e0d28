"""The running vote against a plain count of the first t votes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perpend.stats import running_vote


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=12))
def test_it_is_a_count_of_the_first_votes(keys: list[int]):
    vote = running_vote(np.array(keys))
    for t in range(len(keys)):
        counts = Counter(key for key in keys[: t + 1] if key >= 0)  # in order of first appearance
        ranked = sorted(counts.items(), key=lambda each: -each[1])  # stable: ties go to the first seen
        (leader, top), (runner_up, second) = [*ranked, (-1, 0), (-1, 0)][:2]
        found = {name: int(part[t]) for name, part in vars(vote).items()}
        assert found == {
            "key": keys[t],
            "count": counts[keys[t]],
            "leader": leader,
            "top": top,
            "runner_up": runner_up,
            "second": second,
            "distinct": len(counts),
            "voters": sum(counts.values()),
        }


def test_rows_are_counted_apart():
    keys = np.random.default_rng(0).integers(-1, 4, (3, 5, 20))
    vote = running_vote(keys)
    for row in np.ndindex(3, 5):
        alone = running_vote(keys[row])
        for name, part in vars(vote).items():
            np.testing.assert_array_equal(part[:, *row], getattr(alone, name))
