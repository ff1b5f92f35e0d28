"""What the browser of problems and samples reads: columns a problem, packed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perpend.report.assets import packed
from perpend.study.results import ProblemView, SampleView

COLUMNS = ("index", "greedy", "text", "answer", "correct", "finish", "tokens", "seconds", "mean_logprob", "error")


def pack(problems: Iterable[ProblemView]) -> tuple[str, int, int]:
    """(packed text, problems, samples)."""
    rows, drawn = [], 0
    for problem in problems:
        rows.append(_problem(problem))
        drawn += len(problem.samples)
    return packed({"columns": COLUMNS, "problems": rows}), len(rows), drawn


def _problem(problem: ProblemView) -> dict[str, object]:
    return {
        "task": problem.task, "engine": problem.engine, "id": problem.id, "prompt": problem.prompt,
        "question": problem.question, "key": problem.key, "difficulty": problem.difficulty,
        "samples": _columns(problem.samples),
    }  # fmt: skip


def _columns(samples: Sequence[SampleView]) -> dict[str, list[object]]:
    return {column: [_short(getattr(sample, column)) for sample in samples] for column in COLUMNS}


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
