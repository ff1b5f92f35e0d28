"""Dotted paths, and rows with lists spread into samples."""

import pytest

from perpend.study.importing.paths import Unfit, has, spread


def values(row, **paths):
    return [found for _, found in spread(row, {name.replace("__", "."): path for name, path in paths.items()})]


def test_a_path_reaches_into_objects_and_names_may_have_dots():
    row = {"doc": {"id": 3}, "Num. Samples": 9}
    assert values(row, problem="doc.id", n="Num. Samples") == [{"problem": 3, "n": 9}]
    assert has(row, "doc.id")
    assert not has(row, "doc.name")
    assert not has(row, "doc.id.more")


def test_lists_of_samples_are_gone_through_side_by_side_and_the_rest_stands():
    row = {"id": 7, "said": ["x", "y"], "checks": [{"ok": 1}, {"ok": 0}]}
    assert values(row, problem="id", text="said", correct="checks.ok") == [
        {"problem": 7, "text": "x", "correct": 1},
        {"problem": 7, "text": "y", "correct": 0},
    ]


def test_lists_in_lists_have_positions_and_the_last_is_the_sample():
    row = {"sets": [{"items": [{"q": "p", "answers": ["1", "2"]}, {"q": "r", "answers": ["3"]}]}]}
    found = list(spread(row, {"prompt": "sets.items.q", "answer": "sets.items.answers"}))
    assert found == [
        ((0, 0, 0), {"prompt": "p", "answer": "1"}),
        ((0, 0, 1), {"prompt": "p", "answer": "2"}),
        ((0, 1, 0), {"prompt": "r", "answer": "3"}),
    ]


def test_stars_are_an_objects_values_by_name_and_at_its_names():
    row = {"said": {"b": ["2"], "a": ["1"]}, "right": {"a": [True], "b": [False]}}
    assert values(row, problem="said.@", answer="said.*", correct="right.*") == [
        {"problem": "a", "answer": "1", "correct": True},
        {"problem": "b", "answer": "2", "correct": False},
    ]


def test_a_row_may_be_a_list_of_samples_itself():
    assert values(["True", "False"], answer=".") == [{"answer": "True"}, {"answer": "False"}]


def test_probes_messages_and_verdicts_stay_lists_of_one_sample():
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    row = {"chat": chat, "answer": "1", "along": ["0", "1"], "votes": [1, 0]}
    (found,) = values(row, prompt="chat", answer="answer", probes="along", score="votes")
    assert found == {"prompt": chat, "answer": "1", "probes": ["0", "1"], "score": [1, 0]}
    many = values({"answer": ["1", "2"], "along": [["0"], ["0", "2"]]}, answer="answer", probes="along")
    assert [each["probes"] for each in many] == [["0"], ["0", "2"]]


def test_lists_of_different_lengths_and_lists_of_keys_are_unfit():
    with pytest.raises(Unfit, match="2 of answer and 1 of correct"):
        values({"answer": ["1", "2"], "ok": [True]}, answer="answer", correct="ok")
    with pytest.raises(Unfit, match="key is a list of 2"):
        values({"answer": "1", "gold": ["1", "one"]}, answer="answer", key="gold")
