"""The user's own files: every line is used or complained about."""

import pytest

from perpend.core import ConfigError, TaskError
from perpend.tasks import TASKS

GOOD = b'{"question": "2 + 2?", "answer": "4"}\n'


@pytest.fixture
def build(tmp_path):
    def made(content: bytes, options: str = "", kind: str = "jsonl"):
        (tmp_path / f"own.{kind}").write_bytes(content)
        return TASKS.build(f"{kind}(path={tmp_path}/own.{kind}{', ' + options if options else ''})")

    return made


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nope", "line 2: it is not JSON"),
        (b"[1]", "line 2: it is a list, not an object"),
        (b'{"question": ""}', "line 2: it has no text in 'question'"),
        (b'{"question": 5, "answer": "4"}', "line 2: it has no text in 'question'"),
        (b'{"question": "3?", "answer": [4]}', "line 2: its 'answer' is neither"),
        (b'{"question": "3?"}', "line 2: it has no 'answer', where other lines have one"),
        (b'{"question": "\xff"}', "line 2: it is not UTF-8"),
        (b'{"question": "\\ud800", "answer": "1"}', "line 2: it holds half of a surrogate pair"),
        (b'{"question": "' + b"x" * 2**20 + b'"}', "line 2: it has 1,048,592 bytes"),
        (b"[" * 100_000, "line 2: it is not JSON"),
        (b'{"question": ' + b"9" * 10_000 + b"}", "line 2: it is not JSON"),
    ],
)
def test_a_bad_line_is_reported_with_its_number_and_reason(build, line, reason):
    with pytest.raises(TaskError) as caught:
        build(GOOD + line + b"\n" + GOOD)
    assert reason in str(caught.value)
    assert "own.jsonl" in str(caught.value)


def test_many_bad_lines_are_counted(build):
    with pytest.raises(TaskError, match=r"7 lines cannot be used: line 1: .*; line 2: .*; line 3: .*; and 4 more"):
        build(b"x\n" * 7)


def test_a_repeated_id_names_both_lines(build):
    row = b'{"id": "a", "question": "2?", "answer": 1}\n'
    with pytest.raises(TaskError, match="line 3: id 'a' is also on line 1"):
        build(row + b"\n" + row)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_empty_or_missing_file_is_one_clear_sentence(build, tmp_path, kind):
    with pytest.raises(TaskError, match="is empty"):
        build(b"\n", kind=kind)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        TASKS.build(f"{kind}:{tmp_path}/none")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        TASKS.build(f"{kind}:{tmp_path}")


def test_a_missing_column_names_those_there_are(build):
    with pytest.raises(TaskError, match=r"no column 'question' \(it has 'prompt', 'gold'\)"):
        build(b'{"prompt": "2?", "gold": 2}\n')
    with pytest.raises(TaskError, match="no column 'question'"):
        build(b"prompt,gold\n2?,2\n", kind="csv")


def test_columns_can_be_named(build):
    (problem,) = build(
        b'{"prompt": "2?", "gold": 2, "n": 7, "level": 3}\n', "question=prompt, answer=gold, id=n"
    ).problems()
    assert (problem.id, problem.key) == ("7", "2")
    assert problem.data == {"question": "2?", "prompt": "2?", "level": 3}


def test_csv_reads_quotes_line_breaks_and_a_byte_order_mark(build):
    task = build('\ufeffquestion,answer\r\n"a, ""b""\nc?",1\r\n\r\nd?,2\r\n'.encode(), kind="csv")
    assert [p.data["question"] for p in task.problems()] == ['a, "b"\nc?', "d?"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"question,answer\na?,1\nb?\n", "line 3: it has 1 fields, where the header has 2"),
        (b'question,answer\n"a?\n', "it is not CSV"),
        (b"question,answer\na?,1\n\xff,2\n", "line 3 is not UTF-8"),
        (b"question,answer\n", "holds no problems"),
        (b"question,answer\na?," + b"1" * 2**21 + b"\n", "it is not CSV"),
    ],
)
def test_bad_csv_is_reported(build, content, reason):
    with pytest.raises(TaskError) as caught:
        build(content, kind="csv")
    assert reason in str(caught.value)


def test_a_checker_decides_without_the_key(build, tmp_path):
    (tmp_path / "own_check.py").write_text("def even(problem, answer):\n    return int(answer) % 2 == 0\n")
    task = build(b'{"question": "Name an even number."}\n', f"checker={tmp_path}/own_check.py:even")
    (problem,) = task.problems()
    assert task.grader == "check"
    assert task.deployable_check
    assert task.check(problem, "4") is True
    assert task.check(problem, "5") is False
    with pytest.raises(TaskError, match=r"own_check.py:2, in even: ValueError"):
        task.check(problem, "five")


def test_a_checker_that_is_not_there_is_a_config_error(build, tmp_path):
    for checker in ("none.py:even", f"{tmp_path}/own.jsonl", "word"):
        with pytest.raises(ConfigError):
            build(GOOD, f"checker={checker}")


def test_a_system_message_comes_first(build):
    task = build(GOOD, "system=Be brief.")
    prompt = task.render(task.problems()[0], "chat")
    assert [m.role for m in prompt.messages] == ["system", "user"]
    assert task.fingerprint != build(GOOD).fingerprint


def test_gsm8k_is_the_whole_test_split(shared_data):
    import json

    rows = [json.loads(line) for line in (shared_data / "gsm8k" / "test.jsonl").read_text().splitlines()]
    problems = TASKS.build("gsm8k").problems()
    assert [p.data["question"] for p in problems] == [row["question"] for row in rows]
    assert all(p.key is not None for p in problems)
