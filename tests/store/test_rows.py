"""What is stored comes back as it was, whatever a model wrote."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpend.core import Cause, Finish, Likely, Message, Problem, Prompt, Sample, Score, Token, Usage
from perpend.store import Store, printable
from perpend.store.rows import pack_tokens, prompt_from_json, prompt_to_json, unpack_tokens
from tests.store.samples import COST, SOURCE, key, sample

HOSTILE = [
    "",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfff\ud83dy",
    "\ufeffé🦊",
    "'; DROP TABLE samples; --",
    "\r\n",
    "中" * 10_000,
]


def stored(store: Store, value: Sample) -> Sample | None:
    store.settle(store.reserve(key(value.index), SOURCE, COST), [value], Cause.GENERATOR, COST)
    return store.stored_sample(key(value.index))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_a_model_wrote_comes_back_unchanged(store: Store, text: str) -> None:
    written = sample(text=text, answer=text, key=text, error=text)
    assert stored(store, written) == written
    assert list(store.samples()) == [written]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = Store(tmp_path_factory.mktemp("any"))
    written = sample(text=text)
    assert stored(store, written) == written
    store.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": None, "key": None, "logprob": None, "tokens": None, "device_seconds": None},
        {"finish": Finish.FAILED, "error": "context overflow", "text": "", "usage": Usage()},
        {"tokens": ()},
        {"logprob": -math.inf, "parent": "prefix"},
        {"estimated": True, "usage": Usage(completion=5)},
    ],
)
def test_what_is_missing_stays_missing(store: Store, changes: dict[str, object]) -> None:
    written = sample(**changes)
    assert stored(store, written) == written


def test_a_float_that_is_no_number_reads_back_as_unknown(store: Store) -> None:
    assert stored(store, sample(logprob=math.nan)).logprob is None


def test_samples_without_tokens_are_the_same_but_for_them(store: Store) -> None:
    stored(store, sample())
    (lean,) = store.samples(tokens=False)
    assert lean == sample(tokens=None)


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False))))
def test_tokens_keep_their_logprobs_exactly(pairs: list[tuple[int, float]]) -> None:
    tokens = tuple(Token(*pair) for pair in pairs)
    assert unpack_tokens(pack_tokens(tokens)) == tokens


def test_the_most_likely_tokens_come_back_whatever_their_text(store: Store) -> None:
    likely = (Likely("\ud800", -0.1), Likely("4\0", -2.5), Likely("é", -math.inf))
    written = sample(tokens=(Token(7, -0.1, likely), Token(8, -0.3), Token(9, -0.2, likely[:1])))
    assert stored(store, written) == written
    assert [lean.tokens for lean in store.samples(tokens=False)] == [None]


@pytest.mark.parametrize(
    "score",
    [
        Score(0.1 + 0.2),
        Score(-math.inf),
        Score(1.0, probability=0.0, steps=(0.5, 1 / 3), rationale="a\0\ud800"),
        Score(0),
    ],
)
def test_scores_come_back(store: Store, score: Score) -> None:
    stored(store, sample())
    store.record_scores("v1", [(key(), score)])
    assert store.stored_score(key(), "v1") == score
    assert store.scores("v1") == {key(): score}
    assert store.stored_score(key(), "another version of it") is None


def test_a_verifier_without_an_opinion_is_remembered(store: Store) -> None:
    store.record_scores("v1", [(key(), Score(math.nan))])
    assert math.isnan(store.stored_score(key(), "v1").value)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(text="Q: é\0?\nA:", stop=("\n", "Q:"), max_tokens=3, temperature=0.0, top_p=0.95),
        Prompt(messages=(Message("system", "Be brief."), Message("user", "2 + 2")), temperature=1 / 3),
    ],
)
def test_prompts_come_back(prompt: Prompt) -> None:
    assert prompt_from_json(prompt_to_json(prompt)) == prompt


def test_pools_say_what_they_were_drawn_from(store: Store) -> None:
    store.reserve(key(), SOURCE, COST)
    assert [(pool.pool, pool.source) for pool in store.pools("arithmetic")] == [(key().pool, SOURCE)]
    assert store.pools("another task") == []


def test_problems_come_back_as_json_values(store: Store) -> None:
    problem = Problem("p", "t", {"question": "é\ud800\0", "numbers": [1, 2.5], "deep": {"a": None}}, "42")
    store.keep_problems([problem, Problem("q", "t")])
    assert store.problems("t") == {"p": problem, "q": Problem("q", "t")}


def test_printable_text_goes_into_any_file() -> None:
    assert printable("a\ud800b🦊") == "a\ufffdb🦊"
    assert printable("\0é") == "\0é"
