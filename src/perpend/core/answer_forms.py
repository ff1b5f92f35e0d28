r"""Forms that answers are written in, each recognised on its own: LaTeX, intervals, tuples and sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

_SYMBOLS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "×": "*",
        "·": "*",
        "⋅": "*",
        "÷": "/",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "π": "\\pi ",
        "∞": "\\infty ",
        "∪": "\\cup ",
        "°": " degrees",
        "²": "^2",
        "³": "^3",
        "\u00a0": " ",
    }
)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|displaystyle|limits)(?![A-Za-z])\s?", ""),
        (r"(?<!\\)\\!", ""),
        (r"(?<=[0-9])\\,(?=[0-9]{3}(?![0-9]))", ""),
        (r"(?<!\\)\\(?:[,;: ]|quad(?![A-Za-z])|qquad(?![A-Za-z]))|~", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:cdot|times|ast)(?![A-Za-z])\s?", "*"),
        (r"\\div(?![A-Za-z])\s?", "/"),
        (r"\\leq?(?:slant)?(?![A-Za-z])\s?", "<="),
        (r"\\geq?(?:slant)?(?![A-Za-z])\s?", ">="),
        (r"\\lt(?![A-Za-z])\s?", "<"),
        (r"\\gt(?![A-Za-z])\s?", ">"),
        (r"\\neq?(?![A-Za-z])\s?", "!="),
        (r"\\(?:text|mathrm|mbox|textbf|mathbf|textit|mathit|textrm|operatorname)\s?\{([^{}]*)\}", r"\1"),
        (r"\^\s?\{?\\circ\s?\}?(?![A-Za-z])", " degrees"),
        (r"\\([%$#&])", r"\1"),
        (r"\\frac\s?([0-9A-Za-z])\s?([0-9A-Za-z])(?![A-Za-z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s([0-9A-Za-z])\s?\{|\\frac([0-9])\s?\{", r"\\frac{\1\2}{"),
        (r"(\\frac\{[^{}]*\})\s?([0-9])", r"\1{\2}"),
        (r"\\sqrt\s?([0-9])", r"\\sqrt{\1}"),
        (r"(?<![A-Za-z\\])sqrt\s?\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"√\s?\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"√\s?([0-9]+|[A-Za-z])", r"\\sqrt{\1}"),
        (r"\*\*", "^"),
        (r"\^\s?\{\s?([0-9A-Za-z])\s?\}", r"^\1"),
        (r"(?<![A-Za-z\\])(pi|infty|theta)(?![A-Za-z])", r"\\\1"),
        (r"(?:(?<=^)|(?<=[-+(,\[=<>]))\\frac\{(\\?[0-9A-Za-z]+)\}\{(\\?[0-9A-Za-z]+)\}(?![\w\\^({])", r"\1/\2"),
    )
]
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\\boxed{", "}"), ("\\fbox{", "}"))
_ASSIGNED = re.compile(r"(?:[A-Za-z]|[a-z]\([a-z]\))\s?(?:=|\\in(?![A-Za-z]))\s?([^=<>]+)")
_SPACE = re.compile(r"(\\[A-Za-z]+ (?=[A-Za-z]))|\s")
_CONSTANT = re.compile(r"\s?\+\s?(?:C|K|constant|const)$")


def outer_unwrapped(text: str) -> str:
    r"""Without what only sets an answer off: `$…$`, `\boxed{…}`, `**…**`, a final full stop, `x =`, `+ C`."""
    text = text.strip().rstrip(" .,;:")
    for opening, closing in (*_DELIMITERS, ("**", "**")):
        if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            if opening not in inside and (closing != "}" or _balanced(inside)):
                return inside.strip()
    assigned = _ASSIGNED.fullmatch(text)
    if assigned:
        return assigned[1].strip()
    integral = _CONSTANT.sub("", text)
    return integral if re.search(r"(?<![A-Za-z\\])[a-z]", integral) else text


def clean_latex(text: str) -> str:
    """One spelling for symbols and commands that have several; at most one space in a row."""
    text = text.translate(_SYMBOLS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def squeezed(text: str) -> str:
    """Without white space and redundant `*` where it is a formula; words keep single spaces and lose their case."""
    choice = re.fullmatch(r"\(([A-Za-z])\)", text)
    if choice:
        return choice[1]
    prose = re.sub(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+", "", text)
    if re.search(r"[^\W\d_]{3}", prose) or text.casefold() == "no":
        return text if "\\" in text else text.casefold()
    tight = _SPACE.sub(lambda match: match[1] or "", text)
    return re.sub(r"(?<=[0-9A-Za-z)}])\*(?=[A-Za-z\\(])", "", tight)


# --- intervals ------------------------------------------------------------------------------------------------------

_OR = re.compile(r"\s?(?:(?<![A-Za-z\\])or(?![A-Za-z])|\\lor(?![A-Za-z])|\\vee(?![A-Za-z])|\\cup(?![A-Za-z]))\s?")
_VARIABLE = r"(?:[A-Za-z]|\\[a-z]{2,7}\s?)"
_END = r"([^<>=]+?)"
_ONE_SIDED = re.compile(rf"{_VARIABLE}\s?([<>]=?)\s?{_END}|{_END}\s?([<>]=?)\s?{_VARIABLE}")
_TWO_SIDED = re.compile(rf"{_END}\s?([<>]=?)\s?{_VARIABLE}\s?([<>]=?)\s?{_END}")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_WRITTEN = re.compile(r"([\[(])([^,\[\]]+),([^,\[\]]+)([\])])")


class _Interval(NamedTuple):
    opening: str
    low: str
    high: str
    closing: str


def as_intervals(text: str, settle: Callable[[str], str], value: Callable[[str], Fraction | None]) -> str | None:
    """Inequalities, and unions with an inequality or an interval a part, as a sorted union of intervals.

    None for others, and for one interval that is written as such, since `(1, 2)` may be a point.
    """
    parts = _OR.split(text)
    intervals = [_inequality(part) or (_written(part) if len(parts) > 1 else None) for part in parts]
    known = [_Interval(i.opening, settle(i.low), settle(i.high), i.closing) for i in intervals if i is not None]
    if len(known) < len(parts):
        return None
    lows = [Fraction(-(10**400)) if i.low == "-\\infty" else value(i.low) for i in known]
    if None not in lows:
        known = [i for _, i in sorted(zip(lows, known, strict=True))]
    return "\\cup".join(f"{i.opening}{i.low},{i.high}{i.closing}" for i in known)


def _inequality(text: str) -> _Interval | None:
    both = _TWO_SIDED.fullmatch(text)
    if both:
        low, first, second, high = both.groups()
        if first[0] != second[0]:
            return None
        if first[0] == ">":
            low, first, second, high = high, _FLIPPED[second], _FLIPPED[first], low
        return _Interval("[" if first == "<=" else "(", low, high, "]" if second == "<=" else ")")
    one = _ONE_SIDED.fullmatch(text)
    if one is None:
        return None
    sign, end = (one[1], one[2]) if one[1] else (_FLIPPED[one[4]], one[3])
    if re.fullmatch(r"[A-Za-z]", end):
        return None
    if sign[0] == "<":
        return _Interval("(", "-\\infty", end, "]" if sign == "<=" else ")")
    return _Interval("[" if sign == ">=" else "(", end, "\\infty", ")")


def _written(text: str) -> _Interval | None:
    match = _WRITTEN.fullmatch(text.strip())
    return _Interval(match[1], match[2].strip(), match[3].strip(), match[4]) if match else None


# --- tuples and sets ------------------------------------------------------------------------------------------------


class Pieces(NamedTuple):
    """What stands between a pair of brackets, split at its commas."""

    opening: str
    inside: tuple[str, ...]
    closing: str


def as_pieces(text: str) -> Pieces | None:
    r"""A tuple, interval, list or set of two or more; also a set of one, and a bare list; None for others."""
    for opening, closing in (("\\{", "\\}"), ("{", "}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(opening) and text.endswith(closing):
            inside = _split_commas(text[len(opening) : -len(closing)])
            if inside is not None and (len(inside) > 1 or opening == "\\{"):
                return Pieces("\\{" if "{" in opening else opening, inside, "\\}" if "{" in opening else closing)
    bare = _split_commas(text)
    return Pieces("", bare, "") if bare is not None and len(bare) > 1 else None


def join_pieces(pieces: Pieces, settled: Sequence[str]) -> str:
    """The pieces in one spelling; a set's are sorted, and each appears once."""
    if pieces.opening == "\\{":
        settled = sorted(set(settled))
    comma = "," if pieces.opening else ", "
    return f"{pieces.opening}{comma.join(settled)}{pieces.closing}"


def _split_commas(text: str) -> tuple[str, ...] | None:
    """Split at commas outside brackets; None where brackets do not match or a part is empty."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return None
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    stripped = tuple(part.strip() for part in parts)
    return stripped if depth == 0 and all(stripped) else None


def _balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0
