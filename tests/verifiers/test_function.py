"""The user's own scorer, and what it is told when it fails."""

import pytest

from perpend.core import ConfigError, Problem, VerifierError
from perpend.tasks import TASKS
from perpend.verifiers import resolve_verifier

PROBLEM = Problem("p", "t", {"question": "2 + 2?"}, key="4")
TASK = TASKS.build("arithmetic")


@pytest.fixture
def build(tmp_path):
    def made(body: str, name: str = "score"):
        (tmp_path / "mine.py").write_text(body)
        return resolve_verifier(f"{tmp_path}/mine.py:{name}", TASK)

    return made


@pytest.mark.parametrize("word", ["def", "async def"])
async def test_it_may_be_sync_or_async_and_sees_question_text_and_answer(build, sample, word):
    verifier = build(
        f"{word} score(problem, text, answer):\n    return len(problem['question']) + len(text) + len(answer)\n"
    )
    (score,) = await verifier.score(PROBLEM, [sample("4")], None)
    assert score.value == len("2 + 2?") + len("The answer is 4.") + 1
    assert verifier.name == "mine.py:score"
    assert not verifier.oracle


async def test_it_never_sees_the_key_even_if_handed_one(build, sample):
    verifier = build("def score(problem, text, answer):\n    return 'key' in problem or '4' in problem.values()\n")
    assert (await verifier.score(PROBLEM, [sample("9")], None))[0].value == 0


async def test_it_cannot_change_the_problem_for_the_next_sample(build, sample):
    verifier = build(
        "def score(problem, text, answer):\n    problem['n'] = n = problem.get('n', 0) + 1\n    return n\n"
    )
    assert [s.value for s in await verifier.score(PROBLEM, [sample("1"), sample("2")], None)] == [1, 1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("\n    raise ValueError('no')", r"mine.py:3, in score: ValueError: no \(problem p, sample 0\)"),
        ("\n    return 'high'", "returned 'high', which is no number"),
        ("\n    return None", "returned None"),
    ],
)
async def test_what_goes_wrong_names_file_function_and_reason(build, sample, body, message):
    verifier = build(f"def score(problem, text, answer):\n{body}\n")
    with pytest.raises(VerifierError, match=message):
        await verifier.score(PROBLEM, [sample("4")], None)


def test_files_that_cannot_be_used_are_config_errors(build, tmp_path):
    with pytest.raises(ConfigError, match="defines no function 'other'"):
        build("x = 1\n", "other")
    with pytest.raises(ConfigError, match="cannot be run: ZeroDivisionError"):
        build("1 / 0\n")
    with pytest.raises(ConfigError, match="There is no file"):
        resolve_verifier(f"{tmp_path}/none.py:score", TASK)


def test_the_fingerprint_follows_the_file(build):
    one = build("def score(problem, text, answer):\n    return 1\n").fingerprint
    two = build("def score(problem, text, answer):\n    return 2\n").fingerprint
    assert one != two
    assert one == build("def score(problem, text, answer):\n    return 1\n").fingerprint
