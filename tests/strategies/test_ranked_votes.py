"""Ranked votes live, over every order, and from a study's folder."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from perpend.core import ConfigError, Finish, Sample, Usage
from perpend.strategies import STRATEGIES
from perpend.strategies.majority import Majority
from perpend.strategies.ranked_votes import RankedVotes, ranked_answers
from perpend.study import run_study
from perpend.study.rankings import ranking_arrays
from perpend.tasks import TASKS
from tests.strategies.every_order import check_every_order, evaluated
from tests.strategies.tiny import Tiny, all_orders, live, tiny_rows
from tests.study.studies import spec

LISTS = ["1", "2", "3>1", "2>1", "2>3>1", "3>2", None]


@pytest.mark.parametrize("rule", ["borda", "runoff", "reciprocal"])
async def test_it_is_what_live_runs_do_on_average(rule: str):
    rng = random.Random(rule)
    rows = [[Tiny(rng.choice(LISTS), rng.randint(1, 9), 0.0) for _ in range(4)] for _ in range(3)]
    await check_every_order(RankedVotes(rule=rule), rows, all_orders(4, 3))


def test_with_one_answer_each_it_is_the_plain_vote():
    rows, orders = tiny_rows(3, samples=5), all_orders(5, 3)
    for rule in ("borda", "runoff", "reciprocal"):
        found, plain = evaluated(RankedVotes(rule=rule), rows, orders), evaluated(Majority(), rows, orders)
        # a runoff of single answers puts out whoever came last, which is the plurality rule too
        assert found.correct == pytest.approx(plain.correct, abs=1e-6)


async def test_second_places_elect_an_answer_that_nobody_put_first():
    row = [Tiny("2>1", 1, 0), Tiny("3>1", 1, 0), Tiny("4>1", 1, 0)]
    result = await live(RankedVotes(n=3), [row], 0, range(3))
    assert result.answer == "1"
    assert result.text == "2>1#0"
    assert (await live(Majority(n=3), [row], 0, range(3))).answer == "2>1"


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ("A > B > C", ["A", "B", "C"]),
        ('["7", "7.0", "1/2"]', ["7", "1/2"]),
        ("[3, 4]", ["3", "4"]),
        ("42", ["42"]),
        ("[1, 2", ["[1, 2"]),
        (" > ", []),
        (None, []),
    ],
)
def test_what_counts_as_a_list(answer: str | None, listed: list[str]):
    sample = Sample("p", "pool", 0, "e", "", answer, answer, Finish.STOP, Usage())
    assert ranked_answers(sample) == listed


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match="no rule"):
        STRATEGIES.build("ranked_votes(rule=condorcet)")


async def test_a_study_leaves_it_out_where_samples_list_nothing(tmp_path: Path):
    results = await run_study(spec(problems=3, samples=2, strategies=("majority", "ranked_votes")), tmp_path)
    assert [curve.strategy for curve in results.tasks[0].curves] == ["majority"]
    assert any("ranked lists of answers" in finding.sentence for finding in results.findings)


def test_a_list_is_graded_answer_by_answer():
    task = TASKS.build("simulated(problems=2)")
    problems = task.problems()
    key = problems[0].key
    rows = [
        [Sample("p", "pool", 0, "e", "", f"999 > {key}", "k", Finish.STOP, Usage())],
        [Sample("q", "pool", 1, "e", "", json.dumps([key]), "k", Finish.STOP, Usage())],
    ]
    rankings = ranking_arrays(task, [problems[0], problems[0]], rows, 2)
    assert rankings is not None
    assert rankings.keys.tolist() == [[[0, 1], [-1, -1]], [[-1, -1], [0, -1]]]
    assert rankings.correct.tolist() == [[[False, True], [False, False]], [[False, False], [True, False]]]
    assert ranking_arrays(task, problems, [[], []], 2) is None
