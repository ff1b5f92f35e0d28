"""What a study's figures cannot say: they are simulated, cut short, or hold for few problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perpend.core import Budget, StopReason
from perpend.study.evaluate import Analysis
from perpend.study.record import INTERRUPTED
from perpend.study.results import Curve, Failure, Finding, FindingKind, HowItWasRun, Results, TaskResult

CAPS = {"usd": "${:,.10g}", "tokens": "{:,} tokens", "seconds": "{:,.10g} seconds", "samples": "{:,} samples"}
"""How the parts of a budget are written; a study that one of them ended names it as its stop reason."""
ERROR_SHOWN = 300
"""Characters of an engine's own words."""


def limits(results: Results, analyses: Sequence[Analysis]) -> Iterator[Finding]:
    """One sentence a limit, the gravest first."""
    if any(engine.simulated for engine in results.engines):
        yield limit("These figures are SIMULATED: no model generated anything.")
    yield from _stopped(results)
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


def _stopped(results: Results) -> Iterator[Finding]:
    """Why a study has fewer problems than it was asked for, and how to go on."""
    done, total = sum(t.problems for t in results.tasks), sum(t.problems_total for t in results.tasks)
    reason = results.how.stop_reason
    if done == total or reason == StopReason.COMPLETE:
        return
    if reason in CAPS:
        what, remedy = f"The budget{_cap(results.how)} ran out", "start again with a larger --budget"
    elif reason == INTERRUPTED:
        what, remedy = "The study was interrupted", "start it again"
    else:
        what, remedy = f"The study could not go on ({reason.rstrip('.')})", "start it again once that is mended"
    yield limit(f"{what} after {done} of {total} problems; {remedy}: nothing is bought twice.")


def _cap(how: HowItWasRun) -> str:
    """The part of the budget that ran out; nothing where the folder's budget has been changed since."""
    amount = getattr(Budget.parse(how.budget or ""), how.stop_reason)
    return "" if amount is None else f" of {CAPS[how.stop_reason].format(amount)}"


def _of_task(task: TaskResult) -> Iterator[Finding]:
    if task.unit == "samples":
        yield limit(f"On {task.task}, tokens were not recorded: budgets, costs and the frontier count samples.")
    elif any(counts.prompt_tokens is None for counts in task.counts):
        yield limit(f"On {task.task}, tokens of prompts were not recorded: a question is charged its completions only.")
    if task.problems < task.problems_total:
        yield limit(f"On {task.task}, {task.problems} of {task.problems_total} problems are in the figures.")
    for counts in task.counts:
        wanted = task.problems * sum(max(p.n for p in c.points) for c in _drawn(task, counts.engine))
        if counts.samples < wanted:
            had = f"{counts.samples:,} of {wanted:,} samples"
            yield limit(f"On {task.task}, the cap of each problem left {counts.engine} {had}: N is then at most that.")
        if counts.truncated is not None and counts.truncated > 0.01:
            share = f"{percent(counts.truncated)} of {counts.engine}'s samples"
            yield limit(f"On {task.task}, {share} were cut at max_tokens and count as wrong.")
        if counts.estimated:
            share = f"{percent(counts.estimated)} of {counts.engine}'s samples"
            yield limit(
                f"On {task.task}, the server did not count the tokens of {share}: the figures estimate them, and what "
                "was bought has the most that they can be."
            )
    for failure in task.failures:
        yield limit(_failed(task.task, failure))


def _failed(task: str, failure: Failure) -> str:
    """What went wrong with some samples, where, and how they count."""
    n, many = failure.samples, failure.problems_total
    unnamed = many - len(failure.problems)
    error = " ".join("".join(c if c.isprintable() else " " for c in failure.error).split()).rstrip(".")
    said = error if len(error) <= ERROR_SHOWN else error[: ERROR_SHOWN - 1] + "…"
    where = f"problem{'s' * (many > 1)} {', '.join(failure.problems)}{f' and {unnamed:,} more' if unnamed else ''}"
    return (
        f"On {task}, {n:,} sample{'s' * (n > 1)} of {failure.engine} failed for good ({said}), on {where}; "
        f"{'they count' if n > 1 else 'it counts'} as wrong, with what {'they' if n > 1 else 'it'} cost."
    )


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
