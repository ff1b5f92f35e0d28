"""Runs inside a killable worker: whether math-verify takes an answer to be equal to the key."""

from __future__ import annotations

from typing import Any

import sympy
from math_verify import parse, verify


def handle(pair: dict[str, Any]) -> bool:
    """Compare `answer` with `key`; `decimals` is how many the key has, where the answer may be rounded to it."""
    key, answer = _parsed(pair["key"]), _parsed(pair["answer"])
    if not key or not answer:
        return False
    if verify(key, answer, allow_set_relation_comp=True, timeout_seconds=None):
        return True
    return pair["decimals"] is not None and _rounds_to(answer[0], pair["key"], pair["decimals"])


def _parsed(text: str) -> list[Any]:
    parsed: list[Any] = parse(f"${text}$", parsing_timeout=None)
    return parsed


def _rounds_to(answer: Any, key: str, decimals: int) -> bool:
    """Whether an exact number is the key's when written with as many decimals."""
    if not isinstance(answer, sympy.Basic) or not answer.is_number or not answer.is_real:
        return False
    return bool(abs(sympy.N(answer, 30) - sympy.Rational(key)) * 10**decimals * 2 <= 1)


handle({"key": "0.5", "answer": r"\frac{\sqrt{2}}{3}", "decimals": 1})  # the first parse takes half a second
