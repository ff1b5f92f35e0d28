"""Rows as samples: every value read as what its field means, and what cannot be read counted with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from perpend.core import ConfigError, Finish, Message
from perpend.study.importing.fields import FIELDS, SCORE
from perpend.study.importing.formats import Rows
from perpend.study.importing.paths import Position, Unfit, has, spread

T = TypeVar("T")

YES = frozenset({"true", "yes", "right", "correct", "passed", "pass", "c", "1", "1.0"})
NO = frozenset({"false", "no", "wrong", "incorrect", "failed", "fail", "i", "p", "n", "0", "0.0"})
"""Verdicts in words. Inspect writes C, I, P (in part, which is not right) and N (no answer)."""
FINISHES = {
    **dict.fromkeys(("stop", "eos", "end_turn", "stop_sequence", "completed", "complete", "tool_calls"), Finish.STOP),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens", "truncated"), Finish.LENGTH),
    **dict.fromkeys(("content_filter", "filtered", "refusal"), Finish.FILTERED),
    **dict.fromkeys(("error", "failed", "unknown"), Finish.FAILED),
}
"""Reasons to end, as engines and logs write them."""


@dataclass(frozen=True)
class Found:
    """A sample of a problem, or a count of them, as a file tells of it; None is what it does not tell.

    Attributes:
        place: where it stands in the file.
        task, model: None where the file has one.
        problem: its id; None where the file names none.
        prompt: text, or chat turns.
        text, answer, key: as written.
        correct: its verdict in [0, 1].
        scores: by verifier; NaN is no opinion.
        logprob: of the whole completion.
        prompt_tokens, completion_tokens, seconds, finish, index: of this sample.
        probes: answers forced along the trace, None where one is missing.
        probe_every: tokens between two of them.
        n, c: how many samples the problem has, and how many of them are right.
    """

    place: str
    task: str | None = None
    model: str | None = None
    problem: str | None = None
    prompt: str | tuple[Message, ...] | None = None
    text: str | None = None
    answer: str | None = None
    key: str | None = None
    correct: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    logprob: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    finish: Finish | None = None
    index: float | None = None
    probes: tuple[str | None, ...] | None = None
    probe_every: int | None = None
    n: int | None = None
    c: int | None = None


def find(rows: Rows, mapping: Mapping[str, str]) -> tuple[list[Found], list[tuple[str, str]]]:
    """Every sample of the rows, and the places that hold none with the reason.

    Raises ConfigError for a column that is in no row, and for a mapping that no sample can be read by.
    """
    every, paths = _fixed_interval(mapping, rows)
    _check_columns(rows, paths, mapping)
    found: list[Found] = []
    unfit = list(rows.unread)
    for number, row in enumerate(rows.rows):
        try:
            spreads = list(spread(row.value, paths))
        except Unfit as reason:
            unfit.append((row.place, str(reason)))
            continue
        for position, values in spreads:
            place = ", ".join([row.place, *(f"sample {i + 1}" for i in position[-1:])])
            try:
                found.append(_found(place, _numbered(number, position), values, paths, every))
            except Unfit as reason:
                unfit.append((place, str(reason)))
    return found, unfit


def _fixed_interval(mapping: Mapping[str, str], rows: Rows) -> tuple[int | None, dict[str, str]]:
    """The number that stands for a column of `probe_every`, and the paths of the rest."""
    column = mapping.get("probe_every", "")
    if not column.isdecimal() or column in rows.columns:
        return None, dict(mapping)
    return int(column), {name: path for name, path in mapping.items() if name != "probe_every"}


def _check_columns(rows: Rows, paths: Mapping[str, str], mapping: Mapping[str, str]) -> None:
    for name, path in paths.items():
        if not any(has(row.value, path) for row in rows.rows):
            known = ", ".join(rows.columns) or "none, its rows are lists: write . for a row itself"
            raise ConfigError(f"No row has {path!r}, which {name} is mapped to.", f"Columns: {known}.")
    told = mapping.keys()
    if "probes" in told and not {"probe_every", "key"} <= told:
        raise ConfigError(
            "Probes need the tokens between two of them, and a key to be graded by.",
            "Map probe_every=COLUMN, or a number such as probe_every=500, and key=COLUMN.",
        )
    if not told & {"key", "correct"} and not {"n", "c"} <= told:
        raise ConfigError(
            "Nothing tells which samples are right.",
            "Map key=COLUMN (the right answer), correct=COLUMN (a verdict), or n=COLUMN,c=COLUMN (counts).",
        )
    if "correct" not in told and "key" in told and not told & {"answer", "text"}:
        raise ConfigError("There is nothing to compare with the key.", "Map answer=COLUMN or text=COLUMN too.")


def _found(
    place: str, number: str | None, values: Mapping[str, Any], paths: Mapping[str, str], every: int | None
) -> Found:
    """A sample as it was found. Raises Unfit where it cannot be used alone."""
    found = _read_all(place, number, values, every)
    if "problem" in paths and found.problem is None:
        raise Unfit("it names no problem")
    if found.probes is not None and not found.probe_every:
        raise Unfit("it has probes, and no tokens between them")
    if {"n", "c"} <= paths.keys():
        if found.n is None or found.c is None:
            raise Unfit("its counts are missing")
        if not 0 <= found.c <= found.n:
            raise Unfit(f"{found.c} of {found.n} samples cannot be right")
    return found


def _numbered(row: int, position: Position) -> str | None:
    """A name for the problem of a row with lists, by where it stands: the innermost list is that of its samples."""
    return "-".join(map(str, (row, *position[:-1]))) if position else None


def _read_all(place: str, number: str | None, values: Mapping[str, Any], every: int | None) -> Found:
    scores = {_verifier(name): _score(value) for name, value in values.items() if name.partition(".")[0] == SCORE}
    return Found(
        place=place,
        task=_read(values, "task", _text),
        model=_read(values, "model", _text),
        problem=_read(values, "problem", _text) if "problem" in values else number,
        prompt=_read(values, "prompt", _prompt),
        text=_read(values, "text", _text),
        answer=_read(values, "answer", _text),
        key=_read(values, "key", _text),
        correct=_read(values, "correct", _verdict),
        scores=scores,
        logprob=_read(values, "logprob", float),
        prompt_tokens=_read(values, "prompt_tokens", _count),
        completion_tokens=_read(values, "completion_tokens", _count),
        seconds=_read(values, "seconds", float),
        finish=_read(values, "finish", _finish),
        index=_read(values, "index", float),
        probes=_read(values, "probes", _probes),
        probe_every=every or _read(values, "probe_every", _count),
        n=_read(values, "n", _count),
        c=_read(values, "c", _count),
    )


def _read(values: Mapping[str, Any], name: str, convert: Callable[[Any], T]) -> T | None:
    """A field's value, None where it is missing. Raises Unfit where it is there and cannot be read."""
    value = values.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        return convert(value)
    except (TypeError, ValueError, KeyError):
        shown = repr(value)
        short = shown if len(shown) <= 60 else shown[:59] + "…"
        raise Unfit(f"its {name} ({FIELDS[name]}) cannot be {short}") from None


def _verifier(name: str) -> str:
    """`score.rm` → rm; a lone score is called score."""
    return name.partition(".")[2] or SCORE


def _score(value: Any) -> float:
    """A number, or the mean of a list of verdicts, those that are missing left out; NaN where there is none."""
    numbers = [_read({SCORE: each}, SCORE, _number) for each in (value if isinstance(value, list) else [value])]
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known else math.nan


def _number(value: Any) -> float:
    return _verdict(value) if isinstance(value, str) and value.lower() in YES | NO else float(value)


def _text(value: Any) -> str:
    """As it stands; a number without its trailing `.0`."""
    if isinstance(value, dict | list):
        raise TypeError
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _prompt(value: Any) -> str | tuple[Message, ...]:
    if isinstance(value, list):
        return tuple(Message(str(turn["role"]), _content(turn["content"])) for turn in value)
    return _text(value)


def _content(value: Any) -> str:
    """A turn's text, which some logs keep in parts."""
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value)
    return str(value)


def _verdict(value: Any) -> float:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in YES | NO:
            return float(word in YES)
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _count(value: Any) -> int:
    number = float(value)
    if number < 0 or not number.is_integer():
        raise ValueError
    return int(number)


def _finish(value: Any) -> Finish:
    return FINISHES[str(value).strip().lower()]


def _probes(value: Any) -> tuple[str | None, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError
    return tuple(None if each is None else _text(each) for each in value)
