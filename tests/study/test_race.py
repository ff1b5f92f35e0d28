"""One vote as it ran: which problem it is, how its answers stood, and where rules would have stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perpend.core import Finish, PoolField, Sample, Strategy, Usage
from perpend.strategies import STRATEGIES
from perpend.study.race import race
from perpend.study.results import VoteRace
from tests.study.test_stopping import pool_of


def run(keys: list[list[int]], *texts: str, known: bool = True) -> VoteRace | None:
    pool = pool_of(keys)
    samples = [
        [
            Sample(f"p{p}", "pool", i, "small", "", f"answer {k}", str(k), Finish.STOP, Usage())
            for i, k in enumerate(row)
        ]
        for p, row in enumerate(keys)
    ]
    strategies: dict[str, Strategy] = {text: STRATEGIES.build(text) for text in texts}
    return race("small", pool if known else replace(pool, fields=frozenset({PoolField.TOKENS})), samples, strategies)


STEADY, TURNS, WRONG = [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 1, 0], [1, 2, 2, 1, 1, 2]


def test_it_is_the_problem_whose_lead_changes_most_among_those_with_a_right_answer() -> None:
    found = run([STEADY, WRONG, TURNS])
    assert found is not None
    assert (found.problem, found.lead_changes) == ("p2", 2)
    only_wrong = run([[1] * 6, WRONG])
    assert only_wrong is not None
    assert only_wrong.problem == "p1"
    assert not any(answer.right for answer in only_wrong.answers)


def test_votes_are_counted_in_stored_order_the_winner_first() -> None:
    found = run([[1, 0, -1, 0]])
    assert found is not None
    assert [(a.answer, a.right, a.votes) for a in found.answers] == [
        ("answer 0", True, [0, 1, 1, 2]),
        ("answer 1", False, [1, 1, 1, 1]),
    ]
    assert found.voters == [1, 2, 2, 3]


def test_a_right_answer_is_shown_however_few_votes_it_has() -> None:
    found = run([[k for k in range(1, 9) for _ in range(2)] + [0]])
    assert found is not None
    assert len(found.answers) == 6
    assert [answer.right for answer in found.answers] == [False] * 5 + [True]


def test_rules_stop_where_they_stop_live_and_those_that_do_not_are_left_out() -> None:
    found = run([[1] + [0] * 9], "adaptive_consistency", "early_stopping(window=3)", "martingale", "majority")
    assert found is not None
    assert {stop.strategy: stop.samples for stop in found.stops} == {
        "adaptive_consistency": 7,
        "early_stopping(window=3)": 6,
    }


def test_rules_that_look_at_lengths_or_scores_have_no_place_in_stored_order() -> None:
    found = run([[0] * 8], "short_m_at_k", "adaptive_consistency(order=finish)", "greedy", "verifier_threshold")
    assert found is not None
    assert found.stops == []


def test_without_a_vote_there_is_no_race() -> None:
    assert run([[-1, -1]]) is None
    assert run([[0, 0]], known=False) is None


def test_a_sample_that_was_never_drawn_has_no_turn() -> None:
    pool = pool_of([[0, 0, 1, 1]])
    mask = np.array([[True, False, True, True]])
    samples = [
        [
            Sample("p0", "pool", i, "small", "", str(k), str(k), Finish.STOP, Usage())
            for i, k in ((0, 0), (2, 1), (3, 1))
        ]
    ]
    found = race("small", replace(pool, mask=mask), samples, {})
    assert found is not None
    assert (found.samples, found.voters) == (3, [1, 2, 3])
    assert [(a.answer, a.votes) for a in found.answers] == [("1", [0, 1, 2]), ("0", [1, 1, 1])]
