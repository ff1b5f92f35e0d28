"""Ways to take an answer out of what was written."""

import pytest

from perpend.core import ConfigError
from perpend.tasks.reading import READERS, read_by


@pytest.mark.parametrize(
    ("name", "text", "answer", "form"),
    [
        ("final", "so \\boxed{1/2}", "1/2", "0.5"),
        ("final", "The answer is 7.", "7", "7"),
        ("whole", " 1,000 ", "1,000", "1000"),
        ("exact", " 07 ", "07", "07"),
        ("number", "it is 12 cm", "12", "12"),
        ("choice", "The answer is (B).", "B", "B"),
        ("choice", "A is wrong, so C", "C", "C"),
        (r"ANSWER:\s*(\w+)", "ANSWER: x\nANSWER:\tTrue", "True", "true"),
        (r"[a-z]+$", "last letters yajo", "yajo", "yajo"),
    ],
)
def test_a_reader_finds_the_last_answer_and_its_form(name: str, text: str, answer: str, form: str) -> None:
    reader = read_by(name)
    assert reader.extract(text) == answer
    assert reader.canonical(answer) == form


@pytest.mark.parametrize("name", [*READERS, r"x(\d)"])
def test_nothing_is_no_answer(name: str) -> None:
    assert read_by(name).extract("   ") is None


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no way to read"):
        read_by("(")
