"""How a strategy is written in results, policies and legends: the string that builds it again."""

from __future__ import annotations

from dataclasses import Field, fields, is_dataclass
from typing import Any

from perpend.core import Strategy


def describe(strategy: Strategy, n: int | None = None) -> str:
    """The strategy's string: `best_of_n(verifier=logprob)`, or `best_of_n(n=8, verifier=logprob)` with n = 8.

    Settings that have their default are left out, except the verifier. Without `n` the string names the strategy at
    every N, as a curve does.
    """
    if not is_dataclass(strategy):
        return strategy.name
    told = [f"{f.name}={_value(strategy, f, n)}" for f in fields(strategy) if _is_told(strategy, f, n)]
    return f"{strategy.name}({', '.join(told)})" if told else strategy.name


def _is_told(strategy: Strategy, field: Field[Any], n: int | None) -> bool:
    if field.name == "n":
        return n is not None
    return field.name == "verifier" or getattr(strategy, field.name) != field.default


def _value(strategy: Strategy, field: Field[Any], n: int | None) -> object:
    return n if field.name == "n" else getattr(strategy, field.name)
