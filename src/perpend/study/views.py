"""Problems with their samples, as the report's browser shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from perpend.core import GREEDY, SAMPLED, Draw, PoolField, Problem, Prompt, Sample, SampleKey
from perpend.store import Store, printable
from perpend.study.plan import Plan, PlannedTask
from perpend.study.pools import TaskPools, load_pools
from perpend.study.record import engines_of
from perpend.study.results import EngineInfo, ProblemView, SampleView


def views(plan: Plan, store: Store) -> Iterator[ProblemView]:
    """Every problem that is in the figures, on every engine, with every sample."""
    engines = engines_of(plan, store)
    for task in plan.tasks:
        for name, pools in load_pools(plan, task, engines, store).items():
            for row, problem in enumerate(pools.problems):
                yield _view(task, engines[name], problem, row, pools)


def _view(task: PlannedTask, engine: EngineInfo, problem: Problem, row: int, pools: TaskPools) -> ProblemView:
    shown = [
        _sample_view(sample, draw, pools.correct, engine.holds)
        for draw, rows in sorted(pools.samples.items(), key=lambda item: item[0] != GREEDY)
        for sample in rows[row]
    ]
    difficulty = problem.data.get("difficulty")
    return ProblemView(
        task=task.task.name,
        engine=engine.name,
        id=problem.id,
        prompt=_prompt_text(task.prompt(problem, SAMPLED)),
        question=str(problem.data.get("question", problem.id)),
        key=problem.key,
        difficulty=None if difficulty is None else str(difficulty),
        samples=shown,
    )


def _sample_view(
    sample: Sample, draw: Draw, correct: Mapping[SampleKey, bool], holds: Collection[PoolField]
) -> SampleView:
    tokens = sample.usage.completion
    return SampleView(
        index=sample.index,
        greedy=draw == GREEDY,
        text=printable(sample.text),
        answer=None if sample.answer is None else printable(sample.answer),
        correct=correct.get(SampleKey(sample.pool, sample.index), False),
        finish=sample.finish.value,
        tokens=tokens if PoolField.TOKENS in holds else None,
        seconds=sample.seconds if PoolField.SECONDS in holds else None,
        mean_logprob=None if sample.logprob is None or not tokens else sample.logprob / tokens,
        error=None if sample.error is None else printable(sample.error),
    )


def _prompt_text(prompt: Prompt) -> str:
    if prompt.text is not None:
        return prompt.text
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in prompt.messages or ())
