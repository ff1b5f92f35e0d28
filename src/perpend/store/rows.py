"""Values to rows and back."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from perpend.core import Charge, DrawnFrom, Finish, Likely, Message, Problem, Prompt, Sample, Score, Token, Usage

TOKEN = struct.Struct("<id")


def text(value: str | None) -> bytes | None:
    """What is bound to `CAST(? AS TEXT)`, as text may be that a model wrote: NULs and lone surrogates come back."""
    return None if value is None else value.encode("utf-8", "surrogatepass")


def printable(value: str) -> str:
    """Text that any file can hold: what is half of a surrogate pair, and no character, as U+FFFD."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def pack_tokens(tokens: Sequence[Token] | None) -> bytes | None:
    """Token ids as int32 and log-probabilities as float64, interleaved."""
    return None if tokens is None else b"".join(TOKEN.pack(token.id, token.logprob) for token in tokens)


def top_to_json(tokens: Sequence[Token] | None) -> str | None:
    """The most likely tokens in each token's place, as [[[text, log-probability], …], …]; None where there are none."""
    return json.dumps([token.top for token in tokens]) if tokens and any(token.top for token in tokens) else None


def unpack_tokens(blob: bytes | None, top: str | None = None) -> tuple[Token, ...] | None:
    """The inverse of `pack_tokens`, and of `top_to_json`."""
    if blob is None:
        return None
    pairs = list(TOKEN.iter_unpack(blob))
    places = json.loads(top) if top is not None else [()] * len(pairs)
    likely = [tuple(Likely(*each) for each in place) for place in places]
    return tuple(Token(id, logprob, top) for (id, logprob), top in zip(pairs, likely, strict=True))


def prompt_to_json(prompt: Prompt) -> str:
    """A prompt with its sampling parameters, as JSON."""
    return json.dumps(asdict(prompt), ensure_ascii=False, sort_keys=True)


def prompt_from_json(stored: str) -> Prompt:
    """The inverse of `prompt_to_json`."""
    values: dict[str, Any] = json.loads(stored)
    if values["messages"] is not None:
        values["messages"] = tuple(Message(**message) for message in values["messages"])
    values["stop"] = tuple(values["stop"])
    return Prompt(**values)


def charge_to_json(charge: Charge) -> str:
    """A charge, as JSON."""
    return json.dumps(asdict(charge))


def charge_from_json(stored: str) -> Charge:
    """The inverse of `charge_to_json`."""
    values: dict[str, Any] = json.loads(stored)
    return Charge(**{**values, "usage": Usage(**values["usage"])})


def sample_to_row(sample: Sample, run: int) -> tuple[object, ...]:
    """The columns of `samples`, in order."""
    usage = sample.usage
    return (
        sample.pool,
        sample.index,
        run,
        text(sample.text),
        text(sample.answer),
        text(sample.key),
        sample.finish.value,
        usage.prompt,
        usage.cached,
        usage.completion,
        usage.reasoning,
        sample.logprob,
        pack_tokens(sample.tokens),
        sample.parent,
        sample.started,
        sample.ended,
        sample.device_seconds,
        text(sample.error),
        sample.queued_seconds,
        sample.retries,
        top_to_json(sample.tokens),
        sample.choice,
        sample.estimated,
    )


SAMPLE_COLUMNS = (
    "pool",
    "index",
    "run",
    "text",
    "answer",
    "key",
    "finish",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "logprob",
    "tokens",
    "parent",
    "started",
    "ended",
    "device_seconds",
    "error",
    "queued_seconds",
    "retries",
    "top",
    "choice",
    "estimated",
)
"""Of the table `samples`, as `sample_to_row` fills them."""


def sample_from_row(row: sqlite3.Row) -> Sample:
    """A sample from a row of `samples` joined with its pool."""
    return Sample(
        problem=row["problem"],
        pool=row["pool"],
        index=row["index"],
        engine=row["engine"],
        text=row["text"],
        answer=row["answer"],
        key=row["key"],
        finish=Finish(row["finish"]),
        usage=Usage(row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"], row["reasoning_tokens"]),
        logprob=row["logprob"],
        tokens=unpack_tokens(row["tokens"], row["top"]),
        parent=row["parent"],
        started=row["started"],
        ended=row["ended"],
        device_seconds=row["device_seconds"],
        error=row["error"],
        queued_seconds=row["queued_seconds"],
        retries=row["retries"],
        choice=row["choice"],
        estimated=bool(row["estimated"]),
    )


def score_to_columns(score: Score) -> tuple[object, ...]:
    """Value (NaN as NULL), probability, steps, rationale."""
    value = None if math.isnan(score.value) else score.value
    return value, score.probability, None if score.steps is None else json.dumps(score.steps), text(score.rationale)


def score_from_row(row: sqlite3.Row) -> Score:
    """The inverse of `score_to_columns`."""
    return Score(
        value=math.nan if row["value"] is None else row["value"],
        probability=row["probability"],
        steps=None if row["steps"] is None else tuple(json.loads(row["steps"])),
        rationale=row["rationale"],
    )


def problem_to_row(problem: Problem) -> tuple[object, ...]:
    """The columns of `problems`, in order."""
    data = json.dumps(dict(problem.data), ensure_ascii=False)
    return problem.task, problem.id, text(data), text(problem.key)


def pool_to_row(pool: str, source: DrawnFrom) -> tuple[object, ...]:
    """The columns of `pools`, in order."""
    prompt, prefix = text(prompt_to_json(source.prompt)), text(source.prefix)
    return pool, source.task, source.problem, source.engine, source.fingerprint, prompt, prefix


def drawn_from_row(row: sqlite3.Row) -> DrawnFrom:
    """What a pool was drawn from."""
    return DrawnFrom(
        row["task"], row["problem"], row["engine"], row["fingerprint"], prompt_from_json(row["prompt"]), row["prefix"]
    )
