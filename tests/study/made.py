"""Strategies with accuracies made up, problem by problem."""

from __future__ import annotations

import numpy as np

from perpend.core import Floats
from perpend.strategies import STRATEGIES, describe
from perpend.study.costs import Costs
from perpend.study.evaluate import Analysis, Evaluated, curve
from perpend.study.results import EngineInfo, HowItWasRun, Results, SampleCounts, TaskResult


def evaluated(text: str, correct: Floats, tokens: float = 100.0, *, oracle: bool = False) -> Evaluated:
    """A strategy with [P, N] correctness, at so many tokens a sample."""
    strategy = STRATEGIES.build(text)
    n = np.arange(1.0, correct.shape[1] + 1)
    drawn = np.broadcast_to(n, correct.shape)
    costs = Costs(correct, drawn, drawn * tokens, None, None, None, None)
    return Evaluated(describe(strategy), strategy, "small", costs, None, oracle or strategy.oracle)


def analysis(*each: Evaluated, task: str = "sums") -> Analysis:
    problems = len(each[0].costs.correct) if each else 0
    result = TaskResult(
        task=task,
        style="chat",
        grader="exact",
        problems=problems,
        problems_total=problems,
        counts=[
            SampleCounts(
                engine="small",
                samples=17 * problems,
                answered=1,
                truncated=0,
                failed=0,
                mean_completion_tokens=1,
                prompt_tokens=1,
            )
        ],
        curves=[curve(one) for one in each],
        gaps=[],
        difficulty=[],
        comparisons=[],
        recommendations=[],
        frontier=[],
    )
    return Analysis(task, each, result)


def results(*analyses: Analysis, simulated: bool = False, exact: bool | None = True) -> Results:
    engine = EngineInfo(
        name="small",
        spec="embedded",
        fingerprint="sha",
        version="1",
        simulated=simulated,
        exact_replay=exact,
        note="Probed.",
        shape=None,
        price=None,
    )
    how = HowItWasRun(
        command="perpend study",
        seed=0,
        samples=4,
        temperature="0.7",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        restarts=0,
        stop_reason="complete",
        versions={},
        hardware={},
    )
    tasks = [each.result for each in analyses]
    return Results(title="Made up", findings=[], tasks=tasks, headlines=[], engines=[engine], bought=[], how=how)
