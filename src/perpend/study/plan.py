"""From a spec to what will be drawn: tasks, engines, strategies and verifiers by name, and problems in visit order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from perpend.core import (
    ConfigError,
    Draw,
    Engine,
    Message,
    Problem,
    Prompt,
    Strategy,
    Task,
    Verifier,
    digest,
)
from perpend.engines import ENGINES
from perpend.strategies import STRATEGIES, describe
from perpend.study.spec import EngineSpec, Sampling, StudySpec, TaskSpec
from perpend.tasks import TASKS
from perpend.verifiers import resolve_verifier


@dataclass(frozen=True)
class PlannedTask:
    """A task of the study, with all that is resolved for it.

    Attributes:
        task: itself.
        style: how it renders.
        sampling: what overrides its own sampling parameters.
        problems: in visit order, cut at the limit.
        total: how many there are without the limit.
        grader: the oracle verifier's name.
        verifiers: by name, the grader among them.
        strategies: by how the report writes them.
        left_out: strategy string → why this task cannot serve it.
    """

    task: Task
    style: str
    sampling: Sampling
    problems: Sequence[Problem]
    total: int
    grader: str
    verifiers: Mapping[str, Verifier]
    strategies: Mapping[str, Strategy]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def prompt(self, problem: Problem, draw: Draw) -> Prompt:
        """The problem as it is asked for one draw."""
        prompt = self.task.render(problem.without_key(), self.style)
        chosen = {
            name: value
            for name in ("temperature", "top_p", "max_tokens")
            if (value := getattr(self.sampling, name)) is not None
        }
        if draw.temperature is not None:
            chosen["temperature"] = draw.temperature
        if self.sampling.system is not None:
            prompt = with_system(prompt, self.sampling.system, self.task.name)
        return replace(prompt, **chosen)


@dataclass(frozen=True)
class Block:
    """All that a study draws for one problem."""

    task: PlannedTask
    problem: Problem


@dataclass(frozen=True)
class Plan:
    """A whole study, resolved."""

    spec: StudySpec
    engines: Mapping[str, str]
    """Engine strings by name."""
    tasks: Sequence[PlannedTask]

    def draws(self, task: PlannedTask) -> dict[str, list[Draw]]:
        """What is drawn of each problem of a task, by engine, without repeats."""
        wanted: dict[str, list[Draw]] = {name: [] for name in self.engines}
        for strategy in task.strategies.values():
            for draw in strategy.draws:
                for name in [draw.engine] if draw.engine else self.engines:
                    plain = replace(draw, engine=None)
                    if plain not in wanted[name]:
                        wanted[name].append(plain)
        return wanted

    def size(self, draw: Draw) -> int:
        """Samples a problem of a draw."""
        return self.spec.samples if draw.n is None else min(draw.n, self.spec.samples)

    def blocks(self) -> Iterator[Block]:
        """Round-robin over tasks, each in its visit order."""
        rows = zip_longest(*([Block(task, problem) for problem in task.problems] for task in self.tasks))
        return (block for row in rows for block in row if block is not None)

    def digest(self, task: PlannedTask) -> str:
        """Names what is drawn of each problem of a task: a block complete under it need not be visited again."""
        drawn = {name: [(d.temperature, self.size(d)) for d in draws] for name, draws in self.draws(task).items()}
        verifiers = sorted(verifier.fingerprint for verifier in task.verifiers.values())
        return digest([drawn, task.sampling.model_dump(), task.style, verifiers, self.spec.per_problem])


def make_plan(spec: StudySpec) -> Plan:
    """Resolve every name of a spec. Raises ConfigError, TaskError."""
    engines = _engine_strings(spec)
    tasks = [_plan_task(spec, task, engines) for task in spec.task]
    names = [task.task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Two tasks are called {name!r}.", "Study them in folders of their own.")
    _check_served(spec, tasks)
    return Plan(spec, engines, tasks)


def with_system(prompt: Prompt, system: str, task: str) -> Prompt:
    """A chat prompt under another system message. Raises ConfigError for a raw prompt."""
    if prompt.messages is None:
        raise ConfigError(f"Task {task} is asked with a raw prompt, which has no system message.", "Use --style chat.")
    rest = tuple(message for message in prompt.messages if message.role != "system")
    return replace(prompt, messages=(Message("system", system), *rest))


def visit_order(problems: Sequence[Problem], seed: int) -> list[Problem]:
    """By hash(seed, problem id): the same whatever else the task holds, so that more problems extend a study."""
    return sorted(problems, key=lambda p: hashlib.sha256(f"{seed}/{p.task}/{p.id}".encode()).digest())


def build_engines(plan: Plan) -> dict[str, Engine]:
    """The plan's engines, not yet started. Raises ConfigError."""
    reproducible = plan.spec.reproducible
    return {name: ENGINES.build(use, name=name, reproducible=reproducible) for name, use in plan.engines.items()}


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
    style = wanted.style or spec.style or task.style
    if style not in task.styles:
        raise ConfigError(
            f"Task {task.name} cannot be asked in style {style!r}.", f"It knows {', '.join(task.styles)}."
        )
    everything = task.problems()
    limit = wanted.limit or spec.limit
    grader = resolve_verifier(task.grader, task)
    strategies, verifiers, left_out = _strategies(spec, task, engines)
    return PlannedTask(
        task=task,
        style=style,
        sampling=_merged(spec, wanted),
        problems=visit_order(everything, spec.seed)[:limit],
        total=len(everything),
        grader=task.grader,
        verifiers={**verifiers, task.grader: verifiers.get(task.grader, grader)},
        strategies=strategies,
        left_out=left_out,
    )


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
                left_out[text] = str(error)
                continue
        strategies[describe(strategy)] = strategy
    return strategies, verifiers, left_out


def _check_served(spec: StudySpec, tasks: Sequence[PlannedTask]) -> None:
    """A strategy that no task can serve is a mistake, not an omission."""
    for text in spec.strategies:
        reasons = [task.left_out[text] for task in tasks if text in task.left_out]
        if len(reasons) == len(tasks):
            raise ConfigError(f"No task can serve {text!r}. {reasons[0]}")
