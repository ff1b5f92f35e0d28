"""Samples that failed for good, by what went wrong."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from perpend.core import Finish, Sample
from perpend.store import printable
from perpend.study.pools import TaskPools
from perpend.study.results import Failure

MOST_NAMED = 10
"""Problems of one failure that are named; the rest are counted."""


def failures(engine: str, pools: TaskPools) -> list[Failure]:
    """The failures of one engine on one task, the most frequent first.

    Errors that differ in numbers alone, such as the tokens of a prompt, are one.
    """
    groups: dict[str, list[tuple[int, Sample]]] = defaultdict(list)
    for rows in pools.samples.values():
        for row, samples in enumerate(rows):
            for sample in samples:
                if sample.finish is Finish.FAILED:
                    groups[re.sub(r"\d+", "#", sample.error or "")].append((row, sample))
    return [_failure(engine, pools, group) for group in sorted(groups.values(), key=lambda group: -len(group))]


def _failure(engine: str, pools: TaskPools, group: Sequence[tuple[int, Sample]]) -> Failure:
    failed = [pools.problems[row].id for row in sorted({row for row, _ in group})]
    return Failure(
        engine=engine,
        error=printable(group[0][1].error or "no reason given"),
        samples=len(group),
        problems=failed[:MOST_NAMED],
        problems_total=len(failed),
    )
