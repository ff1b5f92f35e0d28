"""The oracle for mathematical answers: one normal form first, then math-verify in processes that can be killed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from perpend.core import Problem, Run, Sample, Score, digest
from perpend.core.answer_units import as_date, split_unit
from perpend.core.answers import LONGEST, exact_number, normalize
from perpend.verifiers.exact import required_key
from perpend.verifiers.killable import Killable

WORKER = Path(__file__).with_name("math_worker.py")
VERSION = 1
"""Of the rules below: scores are stored under it."""
TOO_LONG = "took too long to compare"
REMEMBERED = 100_000
"""Verdicts of math-verify that are kept."""


class Comparison(NamedTuple):
    """A pair that math-verify has to decide; `decimals` of the key, where the answer may be rounded to it."""

    key: str
    answer: str
    decimals: int | None


class Math:
    """1 where the answer equals the key as mathematics, else 0.

    Both go to their normal form (`core/answers.py`); most pairs are decided by that. Beyond it:

    * a unit may be missing on one side, and differ on none: `10 cm` is not `10 m`;
    * a decimal is right for an exact key only if it is exact (`0.785398` is not `π/4`, `0.5` is `1/2`); for a decimal
      key, an exact answer is right where it rounds to it, and a longer decimal where the key has three digits or more;
    * what then needs algebra goes to math-verify. An answer that takes it longer than `seconds` is not equal.

    Args:
        seconds: the deadline of one comparison.
    """

    name = "math"
    oracle = True

    def __init__(self, seconds: float = 1.0) -> None:
        self.fingerprint = digest([self.name, VERSION])
        self._workers = Killable(WORKER, workers=2, seconds=seconds)
        self._known: dict[Comparison, bool | None] = {}

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises VerifierError for a problem without a key."""
        key = required_key(problem, self.name)
        decided = [False if s.answer is None else decide(key, s.answer) for s in samples]
        await self._ask({pair for pair in decided if isinstance(pair, Comparison)})
        verdicts = [self._known[pair] if isinstance(pair, Comparison) else pair for pair in decided]
        return [Score(float(bool(v)), rationale=TOO_LONG if v is None else None) for v in verdicts]

    async def close(self) -> None:
        """End the worker processes."""
        await self._workers.close()

    async def _ask(self, pairs: set[Comparison]) -> None:
        """Have the pairs decided that are not known yet."""
        new = sorted((pair for pair in pairs if pair not in self._known), key=str)
        verdicts: list[Any] = await self._workers.map([pair._asdict() for pair in new])
        if len(self._known) > REMEMBERED:
            self._known = {pair: self._known[pair] for pair in pairs if pair in self._known}
        self._known.update(zip(new, verdicts, strict=True))


@lru_cache(maxsize=REMEMBERED)
def decide(key: str, answer: str) -> bool | Comparison:
    """Whether they are equal, or what math-verify has to compare."""
    key_form, answer_form = normalize(key), normalize(answer)
    if key_form == answer_form:
        return True
    if max(len(key_form), len(answer_form)) > LONGEST:
        return False
    (key_form, key_unit), (answer_form, answer_unit) = split_unit(key_form), split_unit(answer_form)
    if key_unit and answer_unit and key_unit != answer_unit:
        return False
    if key_form == answer_form:
        return True
    if as_date(key_form) or as_date(answer_form) or (_is_words(key_form) and _is_words(answer_form)):
        return False
    return _decide_numbers(key, key_form, answer_form)


def _decide_numbers(key: str, key_form: str, answer_form: str) -> bool | Comparison:
    written = re.search(r"([0-9]*)\.([0-9]+)", key.replace(",", ""))
    decimals = len(written[2]) if written and _is_number(key_form) else None
    if not _is_number(answer_form):
        return Comparison(key_form, answer_form, decimals)
    if decimals is None or written is None:
        return False if _is_number(key_form) or "." in answer_form else Comparison(key_form, answer_form, None)
    digits = len((written[1] + written[2]).lstrip("0"))
    if digits < (2 if "/" in answer_form else 3):
        return False
    given, wanted = exact_number(answer_form), exact_number(key_form)
    assert given is not None
    assert wanted is not None
    longer = "/" in answer_form or len(answer_form.partition(".")[2]) > decimals
    return longer and abs(given - wanted) * 10**decimals * 2 <= 1


def _is_number(form: str) -> bool:
    return exact_number(form) is not None


def _is_words(form: str) -> bool:
    return re.fullmatch(r"[a-z][a-z' -]*[a-z]|[A-Za-z]", form) is not None
