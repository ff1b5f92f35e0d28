"""Ways to take an answer out of what was written, by name or by pattern: for samples that others have drawn."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from perpend.core import ConfigError
from perpend.core.answers import canonical_number, extract_final_answer, final_number, normalize

REMEMBERED = 1 << 18
"""Answers whose canonical form is kept."""
_CHOICE = re.compile(r"(?<![A-Za-z])\(?([A-J])\)?(?![A-Za-z'’])")


@dataclass(frozen=True)
class Reader:
    """How answers are found, and when two of them are the same.

    Attributes:
        name: as a user writes it: one of `READERS`, or a regular expression.
        extract: the answer in a text, None where there is none.
        canonical: the form that votes and keys compare, None where the answer cannot be read as one.
    """

    name: str
    extract: Callable[[str], str | None]
    canonical: Callable[[str], str | None]


def read_by(name: str) -> Reader:
    """The reader of a name, or of a regular expression: its last match's first group, or the whole of it.

    Raises ConfigError for what is neither.
    """
    if name in READERS:
        return READERS[name]
    try:
        pattern = re.compile(name)
    except re.error as error:
        raise ConfigError(
            f"{name!r} is no way to read an answer: not one of {', '.join(READERS)}, and no pattern ({error}).",
            "Give one of these names, or a regular expression whose first group is the answer.",
        ) from None
    return Reader(name, lambda text: _last_of(pattern, text), _normal_form)


def _whole(text: str) -> str | None:
    return text.strip() or None


def _choice(text: str) -> str | None:
    """The last capital letter that stands alone, where nothing is marked as the answer."""
    marked = extract_final_answer(text)
    return (_last_of(_CHOICE, marked) if marked else None) or _last_of(_CHOICE, text)


def _last_of(pattern: re.Pattern[str], text: str) -> str | None:
    match = next(iter(deque(pattern.finditer(text), maxlen=1)), None)
    found = None if match is None else match.group(1 if pattern.groups else 0)
    return None if found is None else found.strip() or None


@lru_cache(maxsize=REMEMBERED)
def _normal_form(answer: str) -> str | None:
    return normalize(answer) or None


READERS = {
    reader.name: reader
    for reader in (
        Reader("final", extract_final_answer, _normal_form),
        Reader("whole", _whole, _normal_form),
        Reader("exact", _whole, _whole),
        Reader("number", final_number, canonical_number),
        Reader("choice", _choice, _choice),
    )
}
"""`final`: boxed, marked, or the last number or line. `whole`: all of it, in its normal form. `exact`: all of it, as it
stands. `number`: the final number. `choice`: a letter from A to J."""
