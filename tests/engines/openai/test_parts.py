"""The parts that need no server: events, replies, the limit, targets, the cache of abilities, the key."""

from __future__ import annotations

import json
import random
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpend.core import ConfigError, Finish, Usage
from perpend.core.sample import after_thinking
from perpend.engines.openai.abilities import Abilities, AbilityCache, cache_folder
from perpend.engines.openai.failures import (
    Loss,
    Lost,
    Refused,
    of_error,
    of_status,
    pause_before_retry,
    seconds_to_wait,
)
from perpend.engines.openai.limiter import Limiter
from perpend.engines.openai.replies import Working, keep_scored, sound_choices, split, to_completions
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.sse import Events
from perpend.engines.openai.stream import Assembly
from perpend.engines.openai.target import Target
from perpend.engines.openai.wire import Choice, Logprobs, Reply, known_usage, read_reply

WHEN = Working(1.0, 2.0)
USAGE = {"prompt_tokens": 5, "completion_tokens": 10}


def reply(message: dict[str, object], finish: str | None = "stop", usage: dict[str, object] | None = None) -> bytes:
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return json.dumps({"choices": [choice], "usage": USAGE if usage is None else usage or None}).encode()


def completion(data: bytes):
    whole = read_reply(data)
    (only,) = to_completions(sound_choices(whole, 1), whole, WHEN, Secret())
    return only


# --- events ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="aé漢🙂 :", min_size=1), min_size=1), st.data())
def test_events_are_the_same_however_the_stream_is_cut(texts: list[str], data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    stream = "".join(f": comment{ending}event: x{ending}data: {text}{ending}{ending}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    events = Events()
    packets = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [event.decode() for packet in packets for event in events.feed(packet)]
    assert found + [event.decode() for event in events.end()] == texts


def test_an_event_may_have_several_lines_of_data_and_no_end() -> None:
    events = Events()
    assert list(events.feed(b"\xef\xbb\xbfdata: a\ndata: b\n\ndata: c")) == [b"a\nb"]
    assert list(events.end()) == [b"c"]


def test_an_event_with_the_id_of_the_last_is_not_given_again() -> None:
    assert list(Events().feed(b"id: 1\ndata: a\n\nid: 1\ndata: a\n\nid: 2\ndata: a\n\n")) == [b"a", b"a"]


def test_an_event_that_does_not_end_is_given_up() -> None:
    with pytest.raises(Lost, match="without an end"):
        list(Events().feed(b"x" * (17 * 2**20)))


# --- streams --------------------------------------------------------------------------------------------------------


def chunk(text: str | None, finish: str | None = None, **fields: object) -> bytes:
    delta = {} if text is None else {"content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields}).encode()


def assembled(*events: bytes) -> str | None:
    assembly = Assembly(chat=True)
    for event in events:
        list(assembly.read(event))
    (choice,) = assembly.reply().choices or []
    return choice.message.content if choice is not None and choice.message is not None else None


def test_a_token_said_twice_is_kept() -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 3}}).encode()
    assert assembled(chunk("1"), chunk("1"), chunk(None, "stop"), usage) == "11"


def test_a_token_sent_twice_is_dropped() -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()
    assert assembled(chunk("1"), chunk("1"), chunk("2"), chunk("2"), chunk(None, "stop"), usage) == "12"


def test_a_stream_in_which_nobody_can_tell_is_lost_at_its_known_cost() -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 3}}).encode()
    with pytest.raises(Lost) as lost:
        assembled(chunk("1"), chunk("1"), chunk("2"), chunk("2"), chunk(None, "stop"), usage)
    assert lost.value.usage == Usage(1, 0, 3)


def test_a_server_that_cuts_tokens_up_is_believed() -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()
    assert assembled(*(chunk(c) for c in "balloons"), chunk(None, "stop"), usage) == "balloons"


def test_an_error_inside_a_stream_is_an_error() -> None:
    with pytest.raises(Lost, match="died"):
        assembled(chunk("a"), b'{"error": {"message": "died", "code": 500}}')


# --- replies --------------------------------------------------------------------------------------------------------


def test_thinking_told_apart_is_put_back_and_no_answer_is_taken_from_it() -> None:
    both = completion(reply({"content": "4", "reasoning_content": "two and two, 5"}))
    assert both.text == "<think>two and two, 5</think>4"
    assert after_thinking(both.text) == "4"
    assert both.usage.reasoning == round(10 * len("<think>two and two, 5") / len(both.text))
    cut = completion(reply({"content": None, "reasoning": "two and"}, "length"))
    assert (cut.text, cut.finish, after_thinking(cut.text)) == ("<think>two and", Finish.LENGTH, "")
    assert cut.usage.reasoning == 10


def test_thinking_within_the_text_is_the_same() -> None:
    found = completion(reply({"content": "<think>5</think>4"}))
    assert found.text == "<think>5</think>4"
    assert 0 < found.usage.reasoning < 10
    assert [after_thinking(text) for text in ("4", "no</think> 4", "<think>4")] == ["4", " 4", ""]


def test_reasoning_and_cached_tokens_are_the_servers() -> None:
    usage = {
        **USAGE, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}
    }  # fmt: skip
    assert completion(reply({"content": "4"}, usage=usage)).usage == Usage(5, 4, 10, 3)


def test_reasoning_counted_apart_is_part_of_the_completion() -> None:
    usage = read_reply(reply({"content": "4"}, usage={**USAGE, "total_tokens": 40})).usage
    assert known_usage(usage) == Usage(5, 0, 35)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b" ", Loss.EMPTY),
        (b"null", Loss.NULL),
        (b"{}", Loss.MALFORMED),
        (b"[]", Loss.MALFORMED),
        (b"\xff", Loss.MALFORMED),
        (b'{"choices": [null]}', Loss.NULL),
        (b'{"choices": []}', Loss.EMPTY),
        (reply({"content": None}), Loss.NULL),
        (reply({"content": ""}, usage={}), Loss.EMPTY),
        (reply({"content": "a"}, None), Loss.CUT),
        (reply({"content": "a"}, "abort"), Loss.ABORTED),
    ],
)
def test_what_is_no_answer_is_never_taken_for_one(data: bytes, kind: Loss) -> None:
    with pytest.raises(Lost) as lost:
        completion(data)
    assert lost.value.kind is kind


def test_a_model_may_say_nothing_and_a_filter_may_withhold_all() -> None:
    assert completion(reply({"content": ""})).finish is Finish.STOP
    assert completion(reply({"content": None}, "content_filter")).finish is Finish.FILTERED
    assert completion(reply({"content": None, "refusal": "I won't."})).text == "I won't."


@given(st.integers(0, 10_000), st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_tokens_are_divided_without_remainder(total: int, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    assert min(parts) >= 0


# --- failures -------------------------------------------------------------------------------------------------------


def test_retry_after_is_seconds_or_a_date() -> None:
    assert [seconds_to_wait(h) for h in (None, "3", "0.5", "-1", "soon", "nan")] == [None, 3.0, 0.5, 0.0, None, None]
    assert seconds_to_wait(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)


def test_pauses_double_with_jitter_and_what_is_asked_for_is_never_undercut() -> None:
    rng = random.Random(0)
    assert all(0.5 * 0.05 * 2**n <= pause_before_retry(n + 1, None, rng) <= 0.05 * 2**n for n in range(8))
    assert pause_before_retry(99, None, rng) <= 20
    assert 7 <= pause_before_retry(1, 7.0, rng) <= 7.7


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "maximum context length is 8", "code": "context_length_exceeded"}},
        {"object": "error", "message": "This model's maximum context length is 8 tokens", "code": 400},
        {"error": "the request exceeds the available context size"},
        {"detail": "prompt is too long"},
    ],
)
def test_a_context_overflow_is_known_in_every_dialect(body: object) -> None:
    failure = of_status(400, json.dumps(body).encode(), None)
    assert isinstance(failure, Refused)
    assert failure.overflow


def test_a_quota_that_is_used_up_does_not_pass() -> None:
    body = json.dumps({"error": {"message": "no", "code": "insufficient_quota"}}).encode()
    used_up, too_fast = of_status(429, body, None), of_status(429, b"slow down", "2")
    assert isinstance(used_up, Refused)
    assert not used_up.passing
    assert isinstance(too_fast, Refused)
    assert too_fast.passing
    assert too_fast.retry_after == 2


def test_an_error_in_a_good_reply_counts_as_its_own_status() -> None:
    assert isinstance(of_error({"message": "no", "code": 401}), Refused)
    assert isinstance(of_error("no"), Lost)


# --- the limit ------------------------------------------------------------------------------------------------------


def settle(slots: int, most: int = 256, refuses: bool = False, calls: int = 6000) -> int:
    """The limit after many calls to a server that serves so many at once, and makes others wait or refuses them."""
    limiter, rng = Limiter(most), random.Random(0)
    for _ in range(calls // max(1, limiter.limit)):
        level, batch = limiter.level, limiter.limit
        for _ in range(batch):
            limiter.enter()
        for place in range(batch):
            if refuses and place >= slots:
                limiter.refused(level)
            else:
                limiter.answered(level, max(1.0, batch / slots) * rng.uniform(0.9, 1.1), rng.randint(50, 150))
            limiter.leave()
    return limiter.limit


def test_the_limit_grows_while_latency_stands_still() -> None:
    assert settle(slots=10_000) == 256


def test_the_limit_stops_where_latency_grows_with_it() -> None:
    assert 48 <= settle(slots=64) <= 160


def test_the_limit_falls_where_many_calls_are_refused() -> None:
    assert 8 <= settle(slots=16, refuses=True) <= 32


def test_a_few_refusals_are_noise() -> None:
    limiter = Limiter(64)
    for number in range(2000):
        level = limiter.level
        while limiter.free:
            limiter.enter()
        limiter.refused(level) if number % 10 == 0 else limiter.answered(level, 1.0, 10)
        limiter.leave()
    assert limiter.limit == 64


# --- targets, the cache, the key ------------------------------------------------------------------------------------


def test_a_target_is_urls_and_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Target.parse("http://a:1/v1#m/x") == Target(("http://a:1/v1",), "m/x")
    assert Target.parse("http://a:1, http://b:2/api/v2/#m") == Target(("http://a:1/v1", "http://b:2/api/v2"), "m")
    assert Target.parse("http://a:1/v1").model is None
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert Target.parse("gpt-x") == Target(("https://api.openai.com/v1",), "gpt-x")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://c:3/v1")
    assert Target.parse("#m") == Target(("http://c:3/v1",), "m")


@pytest.mark.parametrize("text", ["ftp://a#m", "http://user:hunter2@a/v1#m", "http://a/v1?key=hunter2#m", "http://#m"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Target.parse(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["localhost", "localhost:8000", "localhost:8000/v1", "127.0.0.1", "10.0.0.7:80/v1#m", "gpu-box.lan:8000#m"]
)
def test_an_address_without_its_scheme_is_not_taken_for_a_model(text: str) -> None:
    with pytest.raises(ConfigError, match="is a server's address") as refused:
        Target.parse(text)
    assert f"openai:http://{text.partition('#')[0]}" in refused.value.remedy


@pytest.mark.parametrize("model", ["gpt-4.1", "llama3:8b", "qwen2.5", "ft:gpt-4o-mini:org::id", "org/model", "4"])
def test_a_models_name_is_not_taken_for_an_address(model: str) -> None:
    assert Target.parse(model).model == model


def test_abilities_are_remembered_by_server_and_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    able = Abilities(n=True, logprobs=5, context=4096)
    AbilityCache("http://a/v1", "m").write(able)
    assert AbilityCache("http://a/v1", "m").read() == able
    assert AbilityCache("http://a/v1", "other").read() is None
    (path,) = (tmp_path / "cache" / "openai").iterdir()
    path.write_text("{")
    assert AbilityCache("http://a/v1", "m").read() is None
    monkeypatch.delenv("PERPEND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "perpend"


def test_replicas_can_together_what_each_can() -> None:
    both = Abilities(n=True, logprobs=20, context=8192) & Abilities(n=False, logprobs=5, context=4096)
    assert (both.n, both.logprobs, both.context) == (False, 5, 4096)


def test_a_key_is_taken_from_the_environment_and_hides() -> None:
    key = Secret.from_environment({"OPENAI_API_KEY": "sk-openai-12345", "PERPEND_API_KEY": "sk-perpend-12345"})
    assert key.headers() == {"Authorization": "Bearer sk-perpend-12345"}
    assert key.scrub("my sk-perpend-12345!") == "my [API key]!"
    assert "12345" not in f"{key!r} {key}"
    assert Secret("none").scrub("none of them") == "none of them"
    assert Secret.from_environment({}).headers() == {}
    with pytest.raises(ConfigError, match="OPENAI_API_KEY holds a line break"):
        Secret.from_environment({"OPENAI_API_KEY": "sk-openai\n12345"})


def test_scores_of_tokens_that_begin_in_the_text_are_kept_and_a_reply_without_any_is_lost() -> None:
    scored = Choice(text="ab", logprobs=Logprobs(text_offset=[0, 2, 5, 9], token_logprobs=[None, -1.0, -2.0, -4.0]))
    keep_scored([scored], 2, 9, Reply())
    assert [token.logprob for token in scored.tokens] == [-1.0, -2.0]
    with pytest.raises(Lost, match="did not score"):
        keep_scored([Choice(text="ab", logprobs=Logprobs(token_logprobs=[-1.0]))], 0, 2, Reply())
