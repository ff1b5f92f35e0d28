"""The forecast of a study beside what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.store import Store
from perpend.study.record import iso
from perpend.study.results import Cost, Forecast, ForecastLine, LedgerLine, PlannedAndActual, TaskResult


def planned_and_actual(
    store: Store, tasks: Sequence[TaskResult], bought: Sequence[LedgerLine], seconds: float
) -> PlannedAndActual | None:
    """The newest forecast, and beside it what was bought and what each strategy was charged; None without one."""
    kept = store.forecast()
    if kept is None:
        return None
    made, forecast = kept[0], Forecast.model_validate_json(kept[1])
    dollars = [line.usd for line in bought]
    actual = Cost(
        calls=sum(line.calls for line in bought),
        tokens=sum(line.prompt_tokens - line.cached_tokens + line.completion_tokens for line in bought),
        usd=None if None in dollars else sum(filter(None, dollars)),
        seconds=seconds,
    )
    charged = [_charged(line, tasks) for line in forecast.strategies]
    return PlannedAndActual(made=iso(made), forecast=forecast, actual=actual, strategies=charged)


def _charged(line: ForecastLine, tasks: Sequence[TaskResult]) -> Cost | None:
    """What a strategy was charged on the problems in the figures, None where it is not in them."""
    points = [
        (task.problems, point)
        for task in tasks
        for curve in task.curves
        if (curve.engine, curve.strategy) == (line.engine, line.strategy)
        for point in curve.points
        if point.n == line.n
    ]
    if not points:
        return None
    dollars = [problems * point.usd for problems, point in points if point.usd is not None]
    return Cost(
        calls=round(sum(problems * point.samples for problems, point in points)),
        tokens=sum(problems * point.tokens for problems, point in points),
        usd=sum(dollars) if len(dollars) == len(points) else None,
        seconds=None,
    )
