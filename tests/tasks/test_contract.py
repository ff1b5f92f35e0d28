"""What every task promises."""

import json
import subprocess
import sys
from itertools import permutations, product

import pytest

from perpend.core import ConfigError, Problem
from perpend.tasks import TASKS

GENERATED = ["arithmetic", "word_problems", "countdown"]


@pytest.fixture
def user_files(tmp_path):
    (tmp_path / "own.jsonl").write_text(
        '{"question": "2 + 2?", "answer": 4}\n{"question": "Capital?", "answer": "Paris"}\n'
    )
    (tmp_path / "own.csv").write_text('question,answer,level\n"2 + 2?",4,1\n"Half, please?",1/2,2\n')
    return tmp_path


NAMED_BY_THEIR_USE = ("question", "imported")
"""The one has no problems of its own, the other those of a folder, under its name."""


@pytest.fixture(params=[name for name in TASKS.names() if name not in NAMED_BY_THEIR_USE])
def task(request, user_files):
    return make(request.param, user_files)


def make(name, user_files):
    target = {"jsonl": ":" + str(user_files / "own.jsonl"), "csv": ":" + str(user_files / "own.csv")}
    return TASKS.build(name + target.get(name, "(problems=30)"))


def solution(problem: Problem) -> str:
    """The key, or for countdown some expression that reaches the target."""
    if problem.key is not None:
        return problem.key
    given = problem.data["numbers"]
    for count in range(2, len(given) + 1):
        for chosen in permutations(given, count):
            for signs in product("+-*/", repeat=count - 1):
                for text in _groupings(chosen, signs):
                    if TASKS.build("countdown").check(problem, text):
                        return text
    raise AssertionError(f"no solution to {problem}")


def _groupings(numbers, signs):
    if len(numbers) == 1:
        yield str(numbers[0])
    for cut in range(1, len(numbers)):
        for left in _groupings(numbers[:cut], signs[: cut - 1]):
            for right in _groupings(numbers[cut:], signs[cut:]):
                yield f"({left}{signs[cut - 1]}{right})"


def test_ids_are_unique_and_stable(task, user_files):
    ids = [problem.id for problem in task.problems()]
    assert len(set(ids)) == len(ids) > 0
    assert [problem.id for problem in make(task.name, user_files).problems()] == ids


def test_problems_name_their_task_and_hold_json(task):
    for problem in task.problems():
        assert problem.task == task.name
        assert problem.data["question"]
        json.dumps(dict(problem.data))


def test_it_renders_in_every_style_it_claims_and_in_no_other(task):
    problem = task.problems()[0]
    assert task.style in task.styles
    for style in task.styles:
        prompt = task.render(problem.without_key(), style)
        assert (prompt.text is not None) == (style == "few-shot")
    with pytest.raises(ConfigError, match="style"):
        task.render(problem, "sonnet")


def test_a_prompt_shows_the_question_and_is_pure(task):
    for problem in task.problems()[:5]:
        for style in task.styles:
            prompt = task.render(problem, style)
            shown = prompt.text or prompt.messages[-1].content
            assert problem.data["question"] in shown
            assert prompt == task.render(problem, style)


def test_few_shot_prompts_end_where_the_model_continues(task):
    if "few-shot" not in task.styles or task.name in ("jsonl", "csv"):
        pytest.skip("no examples")
    prompt = task.render(task.problems()[0], "few-shot")
    assert prompt.text.endswith(("A:", "Answer:"))
    assert prompt.text == prompt.text.rstrip()
    assert prompt.stop


def test_the_right_answer_is_extracted_and_canonical_forms_are_idempotent(task):
    for problem in task.problems():
        answer = solution(problem)
        for text in (f"The answer is {answer}.", f" so\n\n\\boxed{{{answer}}}"):
            found = task.extract(text)
            form = task.canonical(found)
            assert form == task.canonical(answer)
            assert task.canonical(form) == form


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\n", "((((", "\\boxed{", "9" * 100_000, "the answer is", "=" * 1000, "\x00"]
)
def test_nonsense_is_survived(task, text):
    answer = task.extract(text)
    form = None if answer is None else task.canonical(answer)
    assert form is None or isinstance(form, str)


def test_check_decides_exactly_where_it_says_so(task):
    problem = task.problems()[0].without_key()
    verdict = task.check(problem, "12345")
    assert (verdict is not None) == task.deployable_check


def test_no_problem_shows_its_key(task):
    for problem in task.problems():
        assert "answer" not in problem.data


@pytest.mark.parametrize("name", GENERATED)
def test_generated_problems_never_repeat(name):
    questions = [problem.data["question"] for problem in TASKS.build(f"{name}(problems=200)").problems()]
    assert len(set(questions)) == 200


@pytest.mark.parametrize("name", [*GENERATED, "simulated", "gsm8k"])
def test_more_problems_extend_fewer(name):
    few, many = TASKS.build(f"{name}(problems=10)"), TASKS.build(f"{name}(problems=25)")
    assert list(many.problems())[:10] == list(few.problems())
    assert many.fingerprint == few.fingerprint


@pytest.mark.parametrize("name", [*GENERATED, "simulated"])
def test_another_seed_gives_other_problems(name):
    one, other = TASKS.build(f"{name}(problems=20)"), TASKS.build(f"{name}(problems=20, seed=1)")
    assert one.fingerprint != other.fingerprint
    assert {p.id for p in one.problems()}.isdisjoint(p.id for p in other.problems())


@pytest.mark.parametrize("name", [*GENERATED, "gsm8k"])
def test_examples_are_never_among_the_problems(name):
    task = TASKS.build(name if name == "gsm8k" else f"{name}(problems=150)")
    problems = task.problems()
    blank = task.render(Problem("x", name, {"question": "???"}), "few-shot").text
    assert not any(f": {problem.data['question']}\n" in blank for problem in problems)


@pytest.mark.parametrize("name", GENERATED)
def test_difficulty_is_a_level_or_mixed(name):
    assert {p.data["difficulty"] for p in TASKS.build(f"{name}(problems=40)").problems()} == {1, 2, 3, 4, 5}
    assert {p.data["difficulty"] for p in TASKS.build(f"{name}(difficulty=3)").problems()} == {3}
    for bad in ("difficulty=6", "difficulty=hard", "problems=0", "problems=x"):
        with pytest.raises(ConfigError):
            TASKS.build(f"{name}({bad})")


def test_the_same_seed_gives_the_same_problems_in_another_process():
    code = (
        "from perpend.tasks import TASKS; from perpend.core import digest;"
        f"print(digest([[str(p) for p in TASKS.build(n).problems()] for n in {GENERATED}]))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
