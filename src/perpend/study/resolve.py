"""From a spec to a plan: every name resolved, and what cannot work refused before anything is bought."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from perpend.core import ConfigError, Engine, Problem, Scored, Strategy, Task, TaskError, Verifier, parse_call
from perpend.engines import ENGINES
from perpend.engines.recording import Held, held_by
from perpend.strategies import STRATEGIES, describe
from perpend.study.located import located_call
from perpend.study.plan import Plan, PlannedTask
from perpend.study.spec import DEFAULT_STRATEGIES, EngineSpec, Sampling, StudySpec, TaskSpec
from perpend.tasks import TASKS
from perpend.verifiers import resolve_verifier


def make_plan(spec: StudySpec, folder: Path | None = None) -> Plan:
    """Resolve every name of a spec, for the study in a folder. Raises ConfigError, TaskError, StoreError."""
    engines = _engine_strings(spec)
    held = _held(engines, folder)
    tasks = [_plan_task(spec, task, engines, held, folder) for task in spec.task]
    clash = _twice(task.task.name for task in tasks)
    if clash is not None:
        raise ConfigError(f"Two tasks are called {clash!r}.", "Study them in folders of their own.")
    _check_style(spec, tasks)
    _check_served(spec, tasks)
    return Plan(spec, engines, tasks)


def visit_order(problems: Sequence[Problem], seed: int) -> list[Problem]:
    """By hash(seed, problem id): the same whatever else the task holds, so that more problems extend a study."""
    return sorted(problems, key=lambda p: hashlib.sha256(f"{seed}/{p.task}/{p.id}".encode()).digest())


def build_engines(plan: Plan, folder: Path | None = None) -> dict[str, Engine]:
    """The plan's engines, not yet started. Raises ConfigError."""
    spec = plan.spec
    given = {"reproducible": spec.reproducible, "max_connections": spec.max_connections, "study_folder": _text(folder)}
    return {name: ENGINES.build(use, name=name, **given) for name, use in plan.engines.items()}


def _text(folder: Path | None) -> str:
    return "" if folder is None else str(folder)


def _held(engines: Mapping[str, str], folder: Path | None) -> dict[str, Held]:
    """What there is to play of the engines that play recorded samples, by name."""
    found = {}
    for name, use in engines.items():
        call = parse_call(use)
        if call.name == "replay":
            place, _, recorded = (call.target or call.options.get("folder", "")).partition("#")
            if place or folder:
                found[name] = held_by(place or _text(folder), recorded)
    return found


def _engine_strings(spec: StudySpec) -> dict[str, str]:
    strings: dict[str, str] = {}
    for number, wanted in enumerate(spec.engine):
        name = wanted.name or _engine_name(wanted, number)
        if name in strings:
            raise ConfigError(f"Two engines are called {name!r}.", "Give one of them a name: --engine NAME=ENGINE.")
        strings[name] = located_call(wanted.use)
    return strings


def _engine_name(spec: EngineSpec, number: int) -> str:
    kind = spec.use.partition(":")[0].partition("(")[0]
    return kind if number == 0 else f"{kind}-{number + 1}"


def _plan_task(
    spec: StudySpec, wanted: TaskSpec, engines: Mapping[str, str], held: Mapping[str, Held], folder: Path | None
) -> PlannedTask:
    task = TASKS.build(located_call(wanted.use), study_folder=_text(folder))
    absent = frozenset(name for name, of in held.items() if task.name not in of.tasks)
    _check_engines(task, engines, absent, held)
    everything = task.problems()
    limit = wanted.limit or spec.limit
    grader = resolve_verifier(task.grader, task)
    _check_problems(task, everything, grader)
    style, sampling = _style(spec, wanted, task), _merged(spec, wanted)
    asked = task.render(everything[0].without_key(), style)
    if asked.text == "":
        _check_only_played(task, engines.keys() - held.keys())
    temperature = asked.temperature if sampling.temperature is None else sampling.temperature
    playing = {name: held.get(name) for name in engines if name not in absent}
    strategies, verifiers, left_out = _strategies(spec, task, engines, partial(_not_held, task, playing, temperature))
    return PlannedTask(
        task=task,
        style=style,
        sampling=sampling,
        problems=visit_order(everything, spec.seed)[:limit],
        total=len(everything),
        grader=task.grader,
        verifiers={**verifiers, task.grader: verifiers.get(task.grader, grader)},
        strategies=strategies,
        left_out=left_out,
        absent=absent,
    )


def _check_engines(task: Task, engines: Mapping[str, str], absent: frozenset[str], held: Mapping[str, Held]) -> None:
    """Some engine must be able to answer the task."""
    if engines.keys() == absent:
        known = sorted({name for of in held.values() for name in of.tasks})
        raise ConfigError(
            f"There are no samples of task {task.name} to play again.", f"The folder has {', '.join(known)}."
        )


def _check_only_played(task: Task, live: Iterable[str]) -> None:
    """A task without prompts cannot be asked."""
    for name in live:
        raise ConfigError(
            f"Task {task.name} came without prompts, so engine {name} cannot be asked.",
            "Import it with prompt=COLUMN, or play its samples again: --engine replay:DIR.",
        )


def _not_held(task: Task, playing: Mapping[str, Held | None], temperature: float, strategy: Strategy) -> str | None:
    """Why recorded samples cannot serve a strategy; None where they can. Engines that can draw hold None."""
    for draw in strategy.draws:
        greedy = (temperature if draw.temperature is None else draw.temperature) == 0
        for name in [draw.engine] if draw.engine else playing:
            held = playing.get(name, Held({}))
            if held is not None and greedy not in held.tasks.get(task.name, ()):
                return f"Engine {name} has no {'greedy sample' if greedy else 'samples'} of it."
    return None


def _check_problems(task: Task, problems: Sequence[Problem], grader: Verifier) -> None:
    """Before anything is bought: there are problems, each has a name of its own, and all can be graded."""
    if not problems:
        raise TaskError(f"Task {task.name} has no problems.", "Give it some.")
    clash = _twice(problem.id for problem in problems)
    if clash is not None:
        raise TaskError(f"Two problems of task {task.name} are called {clash!r}.", "Give each an id of its own.")
    graded = isinstance(task, Scored) and task.grader in task.scored_by
    keyless = [problem.id for problem in problems if problem.key is None] if grader.oracle and not graded else []
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
    spec: StudySpec, task: Task, engines: Mapping[str, str], not_held: Callable[[Strategy], str | None]
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
        reason = not_held(strategy)
        if reason is not None:
            left_out[text] = reason
            continue
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
