"""One figure over all tasks: the plain mean, with an interval that combines the tasks' own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perpend.stats import mean_interval, mover
from perpend.study.evaluate import Analysis, mean_at
from perpend.study.results import Headline, HeadlinePoint


def headlines(analyses: Sequence[Analysis]) -> list[Headline]:
    """The plain mean over the tasks that have a strategy, for every N that all of them have."""
    names = dict.fromkeys((each.engine, each.name) for analysis in analyses for each in analysis.evaluated)
    return [_headline(engine, name, analyses) for engine, name in names]


def _headline(engine: str, name: str, analyses: Sequence[Analysis]) -> Headline:
    found = [
        (analysis.name, each)
        for analysis in analyses
        for each in analysis.evaluated
        if (each.engine, each.name) == (engine, name)
    ]
    most = min(each.costs.correct.shape[1] for _, each in found)
    intervals = [mean_interval(each.costs.correct) for _, each in found]
    points = []
    for i in range(most):
        whole = mover([x.estimate[i] for x in intervals], [x.low[i] for x in intervals], [x.high[i] for x in intervals])
        points.append(
            HeadlinePoint(
                n=i + 1,
                accuracy=whole.estimate,
                low=max(whole.low, 0.0),
                high=min(whole.high, 1.0),
                samples=float(np.mean([each.costs.samples[:, i].mean() for _, each in found])),
                **{
                    part: _mean_over_tasks([mean_at(getattr(each.costs, part), i) for _, each in found])
                    for part in ("tokens", "flops", "usd", "latency_seconds", "device_seconds")
                },
            )
        )
    return Headline(
        strategy=name,
        engine=engine,
        oracle=not found[0][1].deployable,
        tasks=[task for task, _ in found],
        points=points,
    )


def _mean_over_tasks(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
