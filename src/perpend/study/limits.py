"""What a study's figures cannot say: they are simulated, cut short, or hold for few problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perpend.study.evaluate import Analysis
from perpend.study.results import Curve, Finding, FindingKind, Results, TaskResult


def limits(results: Results, analyses: Sequence[Analysis]) -> Iterator[Finding]:
    """One sentence a limit, the gravest first."""
    if any(engine.simulated for engine in results.engines):
        yield limit("These figures are SIMULATED: no model generated anything.")
    for task in results.tasks:
        yield from _of_task(task)
    for engine in results.engines:
        if engine.exact_replay is False:
            yield limit(f"Engine {engine.name} does not replay exactly here, so a second run may differ. {engine.note}")
    yield from _left_out(analyses)
    problems = max((task.problems for task in results.tasks), default=0)
    yield limit(
        f"The intervals hold for new problems of the same kind; with {problems} problems a task they are what can be "
        f"told. More problems narrow them, more samples a problem hardly do."
    )


def _of_task(task: TaskResult) -> Iterator[Finding]:
    if task.problems < task.problems_total:
        done = f"{task.problems} of {task.problems_total} problems are complete"
        yield limit(f"On {task.task}, {done}; the rest were not bought.")
    for counts in task.counts:
        wanted = task.problems * sum(max(p.n for p in c.points) for c in _drawn(task, counts.engine))
        if counts.samples < wanted:
            had = f"{counts.samples:,} of {wanted:,} samples"
            yield limit(f"On {task.task}, the cap of each problem left {counts.engine} {had}: N is then at most that.")
        if counts.truncated > 0.01:
            share = f"{percent(counts.truncated)} of {counts.engine}'s samples"
            yield limit(f"On {task.task}, {share} were cut at max_tokens and count as wrong.")
        if counts.failed:
            yield limit(f"On {task.task}, {percent(counts.failed)} of {counts.engine}'s requests failed for good.")


def _drawn(task: TaskResult, engine: str) -> list[Curve]:
    """One curve for each pool: the greedy answer's, and the longest of those that share the other samples."""
    own = [curve for curve in task.curves if curve.engine == engine and curve.points]
    greedy = [curve for curve in own if curve.family == "greedy"]
    others = [curve for curve in own if curve.family != "greedy"]
    return greedy[:1] + sorted(others, key=lambda curve: -len(curve.points))[:1]


def _left_out(analyses: Sequence[Analysis]) -> Iterator[Finding]:
    """A sentence for each strategy that some tasks cannot serve."""
    for text in dict.fromkeys(text for analysis in analyses for text in analysis.left_out):
        where = [analysis for analysis in analyses if text in analysis.left_out]
        yield limit(f"{text} was left out on {', '.join(each.name for each in where)}. {where[0].left_out[text]}")


def limit(sentence: str) -> Finding:
    """As a finding."""
    return Finding(kind=FindingKind.LIMIT, task=None, sentence=sentence)


def percent(share: float) -> str:
    """As in 12.5 %."""
    return f"{100 * share:.1f} %"
