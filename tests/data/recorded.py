"""From recorded answers to a pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perpend.core import MEASURED, Pool, PoolField


def pool_of(
    name: str,
    answers: Sequence[Sequence[str | None]],
    right: Sequence[str],
    tokens: Sequence[Sequence[int]] | None = None,
    codes: Sequence[dict[str, int]] | None = None,
) -> Pool:
    """A pool of [problem][sample] answers, None where there is none; without lengths where none were recorded.

    `codes` numbers each problem's answers; pools that share it have the same number for the same answer.
    """
    codes = [{} for _ in answers] if codes is None else codes
    keys = np.array([coded(row, seen) for row, seen in zip(answers, codes, strict=True)])
    nothing = np.zeros(keys.shape)
    return Pool(
        engine=name,
        problems=tuple(map(str, range(len(keys)))),
        keys=keys,
        correct=np.array([[answer == gold for answer in row] for row, gold in zip(answers, right, strict=True)]),
        scores={},
        prompt_tokens=np.zeros(len(keys), np.int64),
        completion_tokens=np.array(tokens) if tokens is not None else nothing.astype(np.int64),
        seconds=nothing,
        device_seconds=nothing,
        mask=np.ones(keys.shape, bool),
        fields=MEASURED - {PoolField.SECONDS} - (set() if tokens is not None else {PoolField.TOKENS}),
    )


def coded(row: Sequence[str | None], seen: dict[str, int]) -> list[int]:
    """Answers as small integers, in order of first appearance in `seen`, which learns them; −1 for none."""
    return [-1 if answer is None else seen.setdefault(answer, len(seen)) for answer in row]
