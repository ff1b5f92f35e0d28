"""Arithmetic expressions that somebody else wrote: read with `ast`, never run; exact values; one normal form."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction

LONGEST = 200
"""Characters; a longer text is no expression."""
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def parse(text: str) -> ast.expr | None:
    """Whole numbers, + − × ÷ and parentheses; None for anything else."""
    text = text.translate(_SPELLINGS).strip()
    if not text or len(text) > LONGEST:
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if _is_arithmetic(tree) else None


def value(tree: ast.expr) -> Fraction | None:
    """The exact value; None where it divides by zero."""
    if isinstance(tree, ast.Constant):
        return Fraction(int(str(tree.value)))
    assert isinstance(tree, ast.BinOp)
    left, right = value(tree.left), value(tree.right)
    if left is None or right is None:
        return None
    match tree.op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case _:
            return left / right if right else None


def numbers(tree: ast.expr) -> list[int]:
    """The numbers that it uses, each as often as it does."""
    return [int(str(node.value)) for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def normal_form(tree: ast.expr) -> str:
    """One spelling for all orders and groupings of the same sums and products: `2+(7-3)` and `7+2-3` are one."""
    if isinstance(tree, ast.Constant):
        return str(tree.value)
    sign = _sign(tree)
    first, second = ("+", "-") if sign in "+-" else ("*", "/")
    joined: list[str] = []
    undone: list[str] = []
    for part, inverse in _operands(tree, first, second, inverse=False):
        text = normal_form(part)
        grouped = f"({text})" if first == "*" and _sign(part) in ("+", "-") else text
        (undone if inverse else joined).append(grouped)
    parts = [sorted(some, key=lambda t: (len(t), t)) for some in (joined, undone)]
    return first.join(parts[0]) + "".join(second + text for text in parts[1])


def _operands(tree: ast.expr, first: str, second: str, inverse: bool) -> Iterator[tuple[ast.expr, bool]]:
    """What a chain of one kind of operator combines, each with whether it is subtracted (divided by)."""
    if _sign(tree) not in (first, second):
        yield tree, inverse
        return
    assert isinstance(tree, ast.BinOp)
    yield from _operands(tree.left, first, second, inverse)
    yield from _operands(tree.right, first, second, inverse ^ (_sign(tree) == second))


def _sign(tree: ast.expr) -> str:
    return _SIGNS[type(tree.op)] if isinstance(tree, ast.BinOp) else "number"


def _is_arithmetic(tree: ast.expr) -> bool:
    if isinstance(tree, ast.Constant):
        return type(tree.value) is int
    return (
        isinstance(tree, ast.BinOp)
        and type(tree.op) in _SIGNS
        and _is_arithmetic(tree.left)
        and _is_arithmetic(tree.right)
    )
