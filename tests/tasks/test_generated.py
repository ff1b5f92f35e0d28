"""Arithmetic, word problems and countdown: what is asked is what is graded."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.core import Problem, TaskError
from perpend.tasks import TASKS
from perpend.tasks.expressions import normal_form, numbers, parse, value
from perpend.tasks.word_problems import templates

COUNTDOWN = TASKS.build("countdown")
PROBLEM = Problem("p", "countdown", {"question": "", "numbers": [3, 5, 5, 2], "target": 10})

EXPRESSIONS = st.recursive(
    st.integers(0, 30).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({''.join(t)})"),
)


@pytest.mark.parametrize("answer", ["5 + 5", "5*2", "(3 + 2) × 5 ÷ 5 * 2", "5 × 2", "2*5"])
def test_countdown_judges_expressions(answer):
    uses = sorted(numbers(parse(answer)))
    allowed = all(uses.count(n) <= PROBLEM.data["numbers"].count(n) for n in uses)
    assert COUNTDOWN.check(PROBLEM, answer) == (allowed and value(parse(answer)) == 10)


@pytest.mark.parametrize(
    "answer",
    ["2+2+2+2+2", "10", "5+5+0", "5/0", "5**2", "__import__('os')", "5+-5", "3.0+7", "(" * 500, "", "True+9", "5+5 "],
)
def test_countdown_accepts_nothing_else(answer):
    assert COUNTDOWN.check(PROBLEM, answer) is (answer.strip() == "5+5")


def test_countdown_targets_are_reached_by_no_single_number():
    for problem in TASKS.build("countdown(problems=200)").problems():
        assert problem.data["target"] not in problem.data["numbers"]
        assert problem.key is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" 3 + 5 = 8", "3 + 5"),
        ("8 = 3 + 5", "3 + 5"),
        ("First 3 + 5 is 8.\nThe answer is (3 + 5) \\times 2.", "(3 + 5) * 2"),
        ("\\boxed{3+5}", "3+5"),
        (" 8", None),
        (" no idea", None),
    ],
)
def test_countdown_finds_the_expression(text, answer):
    assert COUNTDOWN.extract(text) == answer


@pytest.mark.parametrize(
    ("one", "other"),
    [("2+(7-3)", "7+2-3"), ("7-(3-2)", "2+7-3"), ("6/(2/3)", "3*6/2"), ("(1+2)*3", "3*(2+1)"), ("2*(3*4)", "4*3*2")],
)
def test_votes_see_one_expression_in_every_order(one, other):
    assert normal_form(parse(one)) == normal_form(parse(other))


@given(EXPRESSIONS)
def test_a_normal_form_keeps_the_value_and_is_idempotent(text):
    tree = parse(text)
    if tree is None:
        return
    again = parse(normal_form(tree))
    assert normal_form(again) == normal_form(tree)
    assert sorted(numbers(again)) == sorted(numbers(tree))
    if value(tree) is not None and value(again) is not None:
        assert value(again) == value(tree)


def test_arithmetic_keys_are_right():
    for problem in TASKS.build("arithmetic(problems=200)").problems():
        assert value(ast.parse(problem.data["question"], mode="eval").body) == int(problem.key)
        assert int(problem.key) >= 0


def test_word_problems_use_every_template_and_have_small_whole_answers():
    problems = TASKS.build("word_problems(problems=300)").problems()
    assert all(1 <= int(problem.key) <= 200 for problem in problems)
    assert not any("{" in problem.data["question"] for problem in problems)
    assert {problem.data["steps"] for problem in problems} == {1, 2, 3}
    assert len(templates()) >= 15


def test_a_level_without_enough_problems_says_so():
    with pytest.raises(TaskError, match="no more than"):
        TASKS.build("arithmetic(problems=500, difficulty=1)").problems()


def test_a_mixture_goes_on_with_harder_levels():
    assert len(TASKS.build("arithmetic(problems=380)").problems()) == 380
