r"""Answers as text: finding the final one in a completion, and giving it one normal form.

Votes compare normal forms and nothing else, so `normalize` is an equivalence: what two spellings share is decided by
each of them alone. Its policies:

* numbers are exact: `1,234.50`, `\frac{3}{4}`, `1 1/2`, `3 \times 10^8` and `0.75` go to the shortest decimal, or to
  a reduced fraction where none ends; `0.333` is not `1/3`;
* `$`, `dollars`, `%` and `percent` are dropped: the question says which is meant;
* other units stay, under one spelling: `10 cm` is `10 centimeters`, and neither `10 m` nor `10`;
* `x = 5` is `5`; `x^2 + C` is `x^2`; `20 June` is `June 20`; `x ≤ 2 or x ≥ 3` is the union of two intervals;
* sets `\{2, 1\}` are sorted, tuples are not; words lose their case, single letters keep it.
"""

from __future__ import annotations

import re
from collections import deque
from fractions import Fraction

from perpend.core.answer_forms import (
    as_intervals,
    as_pieces,
    clean_latex,
    join_pieces,
    outer_unwrapped,
    squeezed,
)
from perpend.core.answer_units import as_date, split_unit

LONGEST = 2000
"""Characters of an answer beyond which only its white space is normalised."""
MOST_PASSES = 40
"""Rewriting passes; an answer that has not settled by then is left as it was written."""
MOST_DIGITS = 300
MOST_DECIMALS = 60

_UNSIGNED = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_NUMBER = re.compile(rf"(?:(?<![\w)\]}}.])[-−])?\$?(?:{_UNSIGNED})(?:/[0-9]+)?")
_ANSWER_IS = re.compile(r"answer\s{0,9}(?:is|:|=)(?:\s{0,9}:)?", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\n|\.(?=\s|$)")
_DECIMAL = re.compile(r"([-+]?)(\d*)\.?(\d*)(?:(?:\*10\^\{?|e)([-+]?\d{1,3})\}?)?", re.IGNORECASE | re.ASCII)
_FRACTION = re.compile(r"([-+]?)(?:(\d+)\s+)?(\d+)\s?/\s?([-+]?\d+)", re.ASCII)
_LATEX_FRACTION = re.compile(r"([-+]?)(\d*)\s?\\frac\{([-+]?\d+)\}\{([-+]?\d+)\}", re.ASCII)
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:(?:,|\{,\})[0-9]{3})+(?:\.[0-9]*)?")


def extract_final_answer(text: str) -> str | None:
    r"""The final answer of a completion: the last `\boxed{}`, else what follows the last `####`, else the last
    "answer is", else the last number, else the last line that is not empty; None where there is none.
    """
    marked = marked_answer(text)
    if marked is not None:
        return marked
    number = _last_number(text)
    if number is not None:
        return number
    lines = text.strip().rsplit("\n", 1)
    return lines[-1].strip() or None


def final_number(text: str) -> str | None:
    """The final answer of a completion where it must be a number, in its canonical form; None where there is none."""
    marked = marked_answer(text)
    if marked is None:
        found = _last_number(text)
    else:
        whole = canonical_number(marked)
        if whole is not None:
            return whole
        match = _NUMBER.search(marked.rpartition("=")[2])
        found = match.group() if match else None
    return None if found is None else canonical_number(found)


def canonical_number(text: str) -> str | None:
    """The shortest decimal, or the reduced fraction where none ends, of a number; None for what is no number."""
    value = exact_number(text)
    if value is None:
        return None
    shown = _show(value)
    return shown if len(shown) <= MOST_DIGITS else None


def exact_number(text: str) -> Fraction | None:
    """The value of a number as it is written: decimal, fraction, mixed number or power of ten; None for others."""
    text = text.strip()
    if len(text) > MOST_DIGITS:
        return None
    text = clean_latex(text)
    text = re.sub(r"\s?(?:%|(?i:percent|dollars?|usd))$", "", text.replace("$", "").rstrip(" .,;:"))
    if _THOUSANDS.fullmatch(text):
        text = text.replace("{,}", "").replace(",", "")
    value = _decimal(text)
    return _fraction(text) if value is None else value


def normalize(answer: str) -> str:
    """The normal form that votes compare. Idempotent; time is linear in the length of what is given."""
    text = " ".join(answer.split())
    return text if len(text) > LONGEST else _settled(text, depth=3)


def marked_answer(text: str) -> str | None:
    r"""What a completion calls its answer: in `\boxed{}`, after `####` or after "answer is"; None where nothing."""
    boxed = _last_boxed(text)
    if boxed is not None:
        return boxed.strip() or None
    _, marker, after = text.rpartition("####")
    if marker:
        return after.strip().split("\n", 1)[0].strip() or None
    last = _last_match(_ANSWER_IS, text)
    if last is None:
        return None
    sentence = _SENTENCE_END.split(text[last.end() :].lstrip(), maxsplit=1)[0]
    return sentence.strip(" *") or None


def _last_boxed(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for match in re.compile(r"(?<!\\)[{}]").finditer(text, start + 6):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return text[start + 7 : match.start()]
    return None


def _last_number(text: str) -> str | None:
    """Looked for from the end, so that a long completion costs no more than its last lines."""
    for line in filter(None, reversed(text.split("\n"))):
        found = _last_match(_NUMBER, line)
        if found is not None:
            return found.group()
    return None


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _decimal(text: str) -> Fraction | None:
    match = _DECIMAL.fullmatch(text.replace(" ", "") if "10^" in text else text)
    if match is None or not (match[2] or match[3]):
        return None
    sign, whole, decimals, power = match.groups()
    value = Fraction(int(whole + decimals), 10 ** len(decimals)) * Fraction(10) ** int(power or 0)
    return -value if sign == "-" else value


def _fraction(text: str) -> Fraction | None:
    match = _FRACTION.fullmatch(text) or _LATEX_FRACTION.fullmatch(text)
    if match is None or int(match[4]) == 0:
        return None
    part = Fraction(int(match[3]), int(match[4]))
    if match[2] and part < 0:
        return None
    value = int(match[2] or 0) + part
    return -value if match[1] == "-" else value


def _show(value: Fraction) -> str:
    below = value.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    decimals = (
        next((k for k in range(MOST_DECIMALS + 1) if 10**k % value.denominator == 0), None) if below == 1 else None
    )
    if decimals is None:
        return f"{value.numerator}/{value.denominator}"
    if decimals == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).zfill(decimals + 1)
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _settled(text: str, depth: int) -> str:
    """Rewrite until nothing changes; text that does not settle is returned as it came, which keeps this idempotent."""
    now = text
    for _ in range(MOST_PASSES):
        after = _rewritten(now, depth)
        if after == now:
            return now
        now = after
    return text


def _rewritten(text: str, depth: int) -> str:
    text = outer_unwrapped(text)
    number = canonical_number(text)
    if number is not None:
        return number
    text = clean_latex(text)
    date = as_date(text)
    if date is not None:
        return date
    if depth == 0:
        return squeezed(text)
    quantity, unit = split_unit(text)
    if unit is not None:
        return " ".join(filter(None, (_settled(quantity, depth - 1), unit)))
    intervals = as_intervals(text, lambda part: _settled(part, depth - 1), exact_number)
    if intervals is not None:
        return intervals
    pieces = as_pieces(text)
    if pieces is not None:
        return join_pieces(pieces, [_settled(part, depth - 1) for part in pieces.inside])
    return squeezed(text)
