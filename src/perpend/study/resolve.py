"""From a spec to a plan: every name resolved, and what cannot work refused before anything is bought."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from perpend.core import ConfigError, Engine, Problem, Strategy, Task, TaskError, Verifier
from perpend.engines import ENGINES
from perpend.strategies import STRATEGIES, describe
from perpend.study.plan import Plan, PlannedTask
from perpend.study.spec import DEFAULT_STRATEGIES, EngineSpec, Sampling, StudySpec, TaskSpec
from perpend.tasks import TASKS
from perpend.verifiers import resolve_verifier


def make_plan(spec: StudySpec) -> Plan:
    """Resolve every name of a spec. Raises ConfigError, TaskError."""
    engines = _engine_strings(spec)
    tasks = [_plan_task(spec, task, engines) for task in spec.task]
    clash = _twice(task.task.name for task in tasks)
    if clash is not None:
        raise ConfigError(f"Two tasks are called {clash!r}.", "Study them in folders of their own.")
    _check_style(spec, tasks)
    _check_served(spec, tasks)
    return Plan(spec, engines, tasks)


def visit_order(problems: Sequence[Problem], seed: int) -> list[Problem]:
    """By hash(seed, problem id): the same whatever else the task holds, so that more problems extend a study."""
    return sorted(problems, key=lambda p: hashlib.sha256(f"{seed}/{p.task}/{p.id}".encode()).digest())


def build_engines(plan: Plan) -> dict[str, Engine]:
    """The plan's engines, not yet started. Raises ConfigError."""
    spec = plan.spec
    return {
        name: ENGINES.build(use, name=name, reproducible=spec.reproducible, max_connections=spec.max_connections)
        for name, use in plan.engines.items()
    }


def _engine_strings(spec: StudySpec) -> dict[str, str]:
    strings: dict[str, str] = {}
    for number, wanted in enumerate(spec.engine):
        name = wanted.name or _engine_name(wanted, number)
        if name in strings:
            raise ConfigError(f"Two engines are called {name!r}.", "Give one of them a name: --engine NAME=ENGINE.")
        strings[name] = wanted.use
    return strings


def _engine_name(spec: EngineSpec, number: int) -> str:
    kind = spec.use.partition(":")[0].partition("(")[0]
    return kind if number == 0 else f"{kind}-{number + 1}"


def _plan_task(spec: StudySpec, wanted: TaskSpec, engines: Mapping[str, str]) -> PlannedTask:
    task = TASKS.build(wanted.use)
    everything = task.problems()
    limit = wanted.limit or spec.limit
    grader = resolve_verifier(task.grader, task)
    _check_problems(task, everything, grader)
    strategies, verifiers, left_out = _strategies(spec, task, engines)
    return PlannedTask(
        task=task,
        style=_style(spec, wanted, task),
        sampling=_merged(spec, wanted),
        problems=visit_order(everything, spec.seed)[:limit],
        total=len(everything),
        grader=task.grader,
        verifiers={**verifiers, task.grader: verifiers.get(task.grader, grader)},
        strategies=strategies,
        left_out=left_out,
    )


def _check_problems(task: Task, problems: Sequence[Problem], grader: Verifier) -> None:
    """Before anything is bought: there are problems, each has a name of its own, and all can be graded."""
    if not problems:
        raise TaskError(f"Task {task.name} has no problems.", "Give it some.")
    clash = _twice(problem.id for problem in problems)
    if clash is not None:
        raise TaskError(f"Two problems of task {task.name} are called {clash!r}.", "Give each an id of its own.")
    keyless = [problem.id for problem in problems if problem.key is None] if grader.oracle else []
    if keyless:
        some = f"{len(keyless)} of {len(problems)} problems of task {task.name} have no answer ({keyless[0]!r}, …)"
        raise TaskError(
            f"{some}, and its grader {grader.name!r} needs one.",
            "Add the answers, or grade by a checker of your own: --checker file.py:function.",
        )


def _twice(names: Iterable[str]) -> str | None:
    """The first name that occurs twice."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _style(spec: StudySpec, wanted: TaskSpec, task: Task) -> str:
    """As the task was told, else as the study was where the task can, else its own."""
    if wanted.style is not None and wanted.style not in task.styles:
        raise ConfigError(
            f"Task {task.name} cannot be asked in style {wanted.style!r}.", f"It knows {', '.join(task.styles)}."
        )
    return wanted.style or (spec.style if spec.style in task.styles else None) or task.style


def _check_style(spec: StudySpec, tasks: Sequence[PlannedTask]) -> None:
    """A style that no task can be asked in is a mistake, not an omission."""
    known = sorted({style for task in tasks for style in task.task.styles})
    if spec.style is not None and spec.style not in known:
        raise ConfigError(f"No task can be asked in style {spec.style!r}.", f"Known here: {', '.join(known)}.")


def _merged(spec: StudySpec, wanted: TaskSpec) -> Sampling:
    values = {name: getattr(wanted, name) for name in Sampling.model_fields}
    return Sampling(**{name: getattr(spec, name) if value is None else value for name, value in values.items()})


def _strategies(
    spec: StudySpec, task: Task, engines: Mapping[str, str]
) -> tuple[dict[str, Strategy], dict[str, Verifier], dict[str, str]]:
    strategies: dict[str, Strategy] = {}
    verifiers: dict[str, Verifier] = {}
    left_out: dict[str, str] = {}
    for text in spec.strategies:
        strategy = STRATEGIES.build(text, n=spec.samples)
        if strategy.n > spec.samples:
            remedy = f"Raise --samples to {strategy.n}, or leave n out."
            raise ConfigError(f"{text!r} wants more samples a problem than the study's {spec.samples}.", remedy)
        for draw in strategy.draws:
            if draw.engine is not None and draw.engine not in engines:
                raise ConfigError(f"Strategy {text!r} names engine {draw.engine!r}.", f"Here: {', '.join(engines)}.")
        if strategy.verifier is not None and strategy.verifier not in verifiers:
            try:
                verifiers[strategy.verifier] = resolve_verifier(strategy.verifier, task)
            except ConfigError as error:
                left_out[text] = error.message
                continue
        name = describe(strategy)  # without n: the longest of equal curves holds the others
        strategies[name] = max(strategies.get(name, strategy), strategy, key=lambda each: each.n)
    return strategies, verifiers, left_out


def _check_served(spec: StudySpec, tasks: Sequence[PlannedTask]) -> None:
    """A strategy that no task can serve is a mistake, not an omission, unless it is there by default."""
    nothing = not any(task.strategies for task in tasks)
    for text in spec.strategies:
        reasons = [task.left_out[text] for task in tasks if text in task.left_out]
        if len(reasons) == len(tasks) and (nothing or text not in DEFAULT_STRATEGIES):
            raise ConfigError(f"No task can serve {text!r}. {reasons[0]}", "Leave it out, or correct what it names.")
