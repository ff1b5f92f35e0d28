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
) -> Pool:
    """A pool of [problem][sample] answers, None where there is none; without lengths where none were recorded."""
    keys = np.array([coded(row) for row in answers])
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


def coded(row: Sequence[str | None]) -> list[int]:
    """Answers as small integers, in order of first appearance; −1 for none."""
    seen: dict[str, int] = {}
    return [-1 if answer is None else seen.setdefault(answer, len(seen)) for answer in row]
