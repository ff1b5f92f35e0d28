"""Names: one grammar, and errors that say what would have worked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.core import Call, ConfigError, Registry, parse_call, split_top_level
from perpend.strategies import STRATEGIES, describe

names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(exclude_characters="'\"(),", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@dataclass(frozen=True)
class Thing:
    """A thing with options."""

    folder: str = ""
    size: int = 1
    rate: float | None = None
    on: bool = False
    hook: Callable[[], None] | None = None


@dataclass(frozen=True)
class Demanding:
    """A thing that needs something."""

    folder: str
    size: int


THINGS: Registry[Thing] = Registry(
    "thing", "perpend.nothing", {"thing": f"{__name__}:Thing", "demanding": f"{__name__}:Demanding"}
)


@given(names, st.dictionaries(names, values, max_size=4))
def test_options_are_read_back(name: str, options: dict[str, str]):
    text = f"{name}({', '.join(f'{k}={v}' for k, v in options.items())})"
    assert parse_call(text) == Call(name, None, options)


@given(st.lists(values, max_size=5))
def test_splitting_undoes_joining(parts: list[str]):
    calls = [f"{part}(a=1,b=(2,3))" for part in parts]
    assert split_top_level(",".join(calls)) == calls


def test_targets_keep_everything_after_the_colon():
    assert parse_call("openai:http://host:8000/v1#model(1)") == Call("openai", "http://host:8000/v1#model(1)")
    assert parse_call(" embedded ") == Call("embedded")


def test_quotes_protect_commas_and_come_off():
    assert parse_call("""jsonl(path='a,b (1).json', x="it's")""").options == {"path": "a,b (1).json", "x": "it's"}


@pytest.mark.parametrize("text", ["", "a(b", "(a=1)", "a(b)", "a(1=2)", "a(b=1, b=2)", "a b", "a(b='c)", "a(b=c))"])
def test_what_is_no_name_is_refused(text: str):
    with pytest.raises(ConfigError):
        parse_call(text)


def test_values_take_the_type_of_the_option():
    assert THINGS.build("thing(size=3, rate=.5, on=true)") == Thing(size=3, rate=0.5, on=True)
    assert THINGS.build("thing:a/b") == Thing("a/b")


def test_defaults_fill_what_is_left_open_and_only_what_is_taken():
    assert THINGS.build("thing(size=3)", size=9, rate=2.0, colour="red") == Thing(size=3, rate=2.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("thong", "Known: thing, demanding"),
        ("thing(sise=3)", "Known: folder, size, rate, on, hook"),
        ("thing(size=three)", "size='three' does not fit: Input should be a valid integer"),
        ("demanding", "Write demanding:FOLDER"),
        ("demanding:a", "needs 'size'. Write demanding"),
        ("demanding(folder=a)", r"Write demanding\(size=…\)"),
    ],
)
def test_errors_teach(text: str, says: str):
    with pytest.raises(ConfigError, match=says):
        THINGS.build(text)


def test_an_option_that_is_no_text_is_refused_in_words():
    with pytest.raises(ConfigError, match="hook"):
        THINGS.build("thing(hook=print)")


def test_things_are_imported_when_first_asked_for():
    registry: Registry[object] = Registry("thing", "perpend.nothing", {"late": "this_module_is_missing:X"})
    assert registry.names() == ["late"]
    assert "this_module_is_missing" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "greedy",
        "majority",
        "coverage",
        "best_of_n(verifier=check)",
        "weighted_vote(verifier=logprob)",
        "weighted_vote(verifier=prm, temperature=0.002)",
    ],
)
def test_a_strategy_is_described_by_the_string_that_builds_it(text: str):
    built = STRATEGIES.build(text)
    assert describe(built) == text
    assert STRATEGIES.build(describe(built)) == built


def test_a_description_gives_n_where_it_is_asked_for():
    assert describe(STRATEGIES.build("best_of_n"), n=8) == "best_of_n(n=8, verifier=logprob)"
    assert describe(STRATEGIES.build("greedy"), n=1) == "greedy"
