"""Ranked lists of answers as arrays, each of their answers held against the problem's key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perpend.core import Problem, Rankings, Sample, Task
from perpend.core.answers import normalize
from perpend.strategies.ranked_votes import may_be_list, ranked_answers


def ranking_arrays(
    task: Task, problems: Sequence[Problem], rows: Sequence[Sequence[Sample]], size: int
) -> Rankings | None:
    """The lists of a pool, None where no sample lists more than one answer.

    Graders see whole answers only, so the answers of a list are right where their normal form is the key's, or where
    the task's own check accepts them.

    Args:
        task: whose problems they are.
        problems: one a row.
        rows: the pool's samples, problem by problem.
        size: samples a problem.
    """
    if not any(may_be_list(sample) for row in rows for sample in row):
        return None
    lists = [{sample.index: ranked_answers(sample) for sample in row} for row in rows]
    width = max((len(answers) for row in lists for answers in row.values()), default=0)
    if width < 2:
        return None
    keys = np.full((len(rows), size, width), -1, np.int64)
    correct = np.zeros(keys.shape, bool)
    for p, row in enumerate(lists):
        seen: dict[str, int] = {}
        for index, answers in row.items():
            for place, answer in enumerate(answers):
                keys[p, index, place] = seen.setdefault(normalize(answer), len(seen))
                correct[p, index, place] = _is_right(task, problems[p], answer)
    return Rankings(keys, correct)


def _is_right(task: Task, problem: Problem, answer: str) -> bool:
    if problem.key is None:
        return bool(task.check(problem, answer))
    return normalize(answer) == normalize(problem.key)
