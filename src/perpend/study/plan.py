"""What a study will draw: tasks, engines, strategies and verifiers by name, and problems in visit order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from perpend.core import (
    Budget,
    ConfigError,
    Draw,
    DrawnFrom,
    Message,
    Problem,
    Prompt,
    Strategy,
    Task,
    Verifier,
    digest,
    parse_call,
)
from perpend.study.spec import Sampling, StudySpec


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
        absent: engines that play recorded samples and have none of this task.
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
    absent: frozenset[str] = frozenset()

    def needs_key(self, strategy: Strategy) -> bool:
        """Whether a strategy is an oracle, or selects by one."""
        return strategy.oracle or (strategy.verifier is not None and self.verifiers[strategy.verifier].oracle)

    def prompt(self, problem: Problem, draw: Draw) -> Prompt:
        """The problem as it is asked for one draw."""
        prompt = self.task.render(problem.without_key(), self.style)
        chosen = self.sampling.of_prompt()
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

    @property
    def name(self) -> tuple[str, str]:
        """The task's name and the problem's id."""
        return self.task.task.name, self.problem.id

    def source(self, draw: Draw, engine: str, fingerprint: str) -> DrawnFrom:
        """What one of its draws is drawn from; the digest of that names the pool."""
        prompt = self.task.prompt(self.problem, draw)
        return DrawnFrom(self.task.task.name, self.problem.id, engine, fingerprint, prompt)


@dataclass(frozen=True)
class Plan:
    """A whole study, resolved."""

    spec: StudySpec
    engines: Mapping[str, str]
    """Engine strings by name."""
    tasks: Sequence[PlannedTask]

    def engines_of(self, task: PlannedTask) -> list[str]:
        """The engines that a task is studied on."""
        return [name for name in self.engines if name not in task.absent]

    def plays_itself(self, engine: str) -> bool:
        """Whether an engine's samples are those that the folder was made with, so that there will never be more."""
        call = parse_call(self.engines[engine])
        return call.name == "replay" and (call.target or "").startswith("#")

    def draws(self, task: PlannedTask) -> dict[str, list[Draw]]:
        """What is drawn of each problem of a task, by engine, without repeats."""
        wanted: dict[str, list[Draw]] = {name: [] for name in self.engines}
        for strategy in task.strategies.values():
            for draw in strategy.draws:
                for name in [draw.engine] if draw.engine else self.engines_of(task):
                    plain = replace(draw, engine=None)
                    if plain not in wanted[name]:
                        wanted[name].append(plain)
        return wanted

    def size(self, draw: Draw) -> int:
        """Samples a problem of a draw."""
        return self.spec.samples if draw.n is None else min(draw.n, self.spec.samples)

    def first(self, problems: int) -> Plan:
        """The same plan for the first so many problems of each task."""
        return replace(self, tasks=[replace(task, problems=task.problems[:problems]) for task in self.tasks])

    def block_size(self, task: PlannedTask) -> int:
        """Samples of one problem over all draws and engines."""
        return sum(self.size(draw) for draws in self.draws(task).values() for draw in draws)

    def blocks(self) -> Iterator[Block]:
        """Round-robin over tasks, each in its visit order."""
        rows = zip_longest(*([Block(task, problem) for problem in task.problems] for task in self.tasks))
        return (block for row in rows for block in row if block is not None)

    def digest(self, task: PlannedTask) -> str:
        """Names what is drawn of each problem of a task: a block complete under it need not be visited again."""
        drawn = {name: [(d.temperature, self.size(d)) for d in draws] for name, draws in self.draws(task).items()}
        cap = str(Budget.parse(self.spec.per_problem or ""))
        return digest([drawn, task.sampling.law(), task.style, cap])


def with_system(prompt: Prompt, system: str, task: str) -> Prompt:
    """A chat prompt under another system message. Raises ConfigError for a raw prompt."""
    if prompt.messages is None:
        raise ConfigError(f"Task {task} is asked with a raw prompt, which has no system message.", "Use --style chat.")
    rest = tuple(message for message in prompt.messages if message.role != "system")
    return replace(prompt, messages=(Message("system", system), *rest))
