"""Scores for samples that are stored without them: a new verifier, or a changed one, needs no new sample."""

from __future__ import annotations

from collections.abc import Mapping

from perpend.core import SAMPLED, Run, Sample, SampleKey, Scope, World
from perpend.store import Store
from perpend.study.plan import Plan, PlannedTask
from perpend.study.probes import probe_answers


async def score_missing(plan: Plan, store: Store, worlds: Mapping[str, World]) -> None:
    """Have every verifier of the plan score what it has not scored yet, and the graders what probes gave.

    Raises VerifierError.
    """
    for task in plan.tasks:
        for name, verifier in task.verifiers.items():
            unscored: dict[str, list[Sample]] = {}
            for sample in store.unscored(task.task.name, verifier.fingerprint):
                unscored.setdefault(sample.problem, []).append(sample)
            if name == task.grader:
                known = store.scores(verifier.fingerprint)
                for sample in probe_answers(task.task.name, store):
                    if SampleKey(sample.pool, sample.index) not in known:
                        unscored.setdefault(sample.problem, []).append(sample)
            await _score(task, name, unscored, worlds[task.task.name])


async def _score(task: PlannedTask, verifier: str, unscored: Mapping[str, list[Sample]], world: World) -> None:
    problems = [problem for problem in task.problems if problem.id in unscored]
    for problem in problems:
        run = Run(world, task.task, problem, task.prompt(problem, SAMPLED), Scope())
        await run.score(unscored[problem.id], verifier)
