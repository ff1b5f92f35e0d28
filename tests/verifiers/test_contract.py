"""What every verifier promises."""

import math
from types import SimpleNamespace

import pytest

from perpend.core import ConfigError, Problem, VerifierError
from perpend.core.simulation import law_of
from perpend.tasks import TASKS
from perpend.verifiers import VERIFIERS, resolve_verifier

WITHOUT_NUMBERED_PROBLEMS = ("jsonl", "csv", "imported", "question", "gsm8k")
RUN = SimpleNamespace()
"""None of these spends a token."""


class Watched(Problem):
    """A problem that remembers whether its key was read."""

    seen = False

    def __getattribute__(self, name):
        if name == "key":
            Watched.seen = True
        return super().__getattribute__(name)


@pytest.fixture
def own_file(tmp_path):
    (tmp_path / "own.py").write_text(
        "def score(problem, text, answer):\n    return 0 if answer is None else len(answer)\n"
    )
    return f"{tmp_path}/own.py"


def case(name, own_file):
    """A verifier, a problem that it can score, and a right and a wrong answer."""
    if name == "check":
        task = TASKS.build("countdown(problems=1, difficulty=1)")
        problem = Problem("c", "countdown", {"question": "", "numbers": [3, 5], "target": 8})
        return VERIFIERS.build(name, task=task), problem, "3 + 5", "5 - 3"
    if name == "simulated":
        problem = TASKS.build("simulated").problems()[0]
        return VERIFIERS.build(name, task=TASKS.build("simulated")), problem, problem.key, "1000"
    text = f"function:{own_file}" if name == "function" else name
    return (
        VERIFIERS.build(text, task=TASKS.build("arithmetic")),
        Problem("a", "arithmetic", {"question": "7 + 7"}, "14"),
        "14.0",
        "9",
    )


@pytest.fixture(params=VERIFIERS.names())
async def scored(request, own_file):
    verifier, problem, right, wrong = case(request.param, own_file)
    yield verifier, problem, right, wrong
    await verifier.close()
    await verifier.close()


async def test_one_score_a_sample_in_order_and_the_same_each_time(scored, sample):
    verifier, problem, right, wrong = scored
    given = problem if verifier.oracle else problem.without_key()
    samples = [sample(right), sample(wrong, index=1), sample(None, index=2), sample(right, index=3, logprob=-2.0)]
    scores = await verifier.score(given, samples, RUN)
    again = await verifier.score(given, list(reversed(samples)), RUN)
    assert len(scores) == len(samples)
    assert str(scores) == str(list(reversed(again)))
    assert await verifier.score(given, [], RUN) == []


async def test_graders_give_one_to_right_answers_and_nothing_to_wrong_or_missing_ones(scored, sample):
    verifier, problem, right, wrong = scored
    if not (verifier.oracle or verifier.name == "check"):
        pytest.skip("no grader")
    scores = await verifier.score(problem, [sample(right), sample(wrong), sample(None)], RUN)
    assert [score.value for score in scores] == [1.0, 0.0, 0.0]


async def test_only_an_oracle_needs_the_key(scored, sample):
    verifier, problem, right, _ = scored
    Watched.seen = False
    keyless = Watched(problem.id, problem.task, problem.data, None)
    if verifier.oracle:
        with pytest.raises(VerifierError, match="has no key"):
            await verifier.score(keyless, [sample(right)], RUN)
    else:
        await verifier.score(keyless, [sample(right)], RUN)
        assert not Watched.seen


def test_fingerprints_differ_and_are_stable(own_file):
    first = {name: case(name, own_file)[0].fingerprint for name in VERIFIERS.names()}
    assert {name: case(name, own_file)[0].fingerprint for name in VERIFIERS.names()} == first
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("task", ["arithmetic", "word_problems", "gsm8k", "simulated"])
def test_check_is_refused_where_it_would_need_the_key(task):
    with pytest.raises(ConfigError, match="without its key"):
        resolve_verifier("check", TASKS.build(task))


async def test_logprob_is_the_mean_over_completion_tokens(sample):
    scores = await VERIFIERS.build("logprob").score(Problem("p", "t"), [sample("1", logprob=-10.0), sample("1")], RUN)
    assert scores[0].value == -2.0
    assert math.isnan(scores[1].value)


async def test_the_simulated_scorer_separates_as_its_law_says(sample):
    problem = TASKS.build("simulated").problems()[3]
    law = law_of(problem.id)
    verifier = VERIFIERS.build("simulated")
    right = await verifier.score(problem, [sample(law.answer, index=i) for i in range(2000)], RUN)
    wrong = await verifier.score(problem, [sample("x", index=i) for i in range(2000)], RUN)
    assert sum(a.value - b.value for a, b in zip(right, wrong, strict=True)) / 2000 == pytest.approx(law.separation)


@pytest.mark.parametrize("name", [name for name in TASKS.names() if name not in WITHOUT_NUMBERED_PROBLEMS])
async def test_the_key_is_right_by_the_task_s_own_grader(name, sample):
    task = TASKS.build(f"{name}(problems=5)")
    verifier = resolve_verifier(task.grader, task)
    for problem in task.problems():
        if problem.key is not None:
            (score,) = await verifier.score(problem, [sample(problem.key)], RUN)
            assert score.value == 1.0
    await verifier.close()
