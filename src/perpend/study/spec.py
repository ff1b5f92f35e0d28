"""What a study is asked to do: a TOML file, flags or a Python call, all of which become a `StudySpec`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from perpend.core import Budget, ConfigError, parse_call

DEFAULT_STRATEGIES = (
    "greedy",
    "majority",
    "adaptive_consistency",
    "weighted_vote",
    "best_of_n",
    "best_of_n(verifier=check)",
    "coverage",
)


class Part(BaseModel):
    """Frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(Part):
    """Sampling parameters; what is None is the task's own, and `thinking_tokens` the model's.

    `logprobs` says of how many of the most likely tokens log-probabilities are kept, beside each token's own.
    """

    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    system: str | None = None
    thinking_tokens: Annotated[int, Field(gt=0)] | None = None
    logprobs: Annotated[int, Field(ge=0)] | None = None

    def of_prompt(self) -> dict[str, Any]:
        """What overrides a prompt's own parameters."""
        return self.model_dump(exclude_none=True, exclude={"system"})

    def law(self) -> dict[str, Any]:
        """What a text depends on of this; what stored blocks do not know yet is left out where it is not set."""
        values = self.model_dump(exclude={"logprobs"})
        if self.thinking_tokens is None:
            del values["thinking_tokens"]
        return values


class TaskSpec(Sampling):
    """One task: `use` is its string (`gsm8k`, `jsonl:FILE`); the rest overrides the study's."""

    use: str
    style: str | None = None
    limit: Annotated[int, Field(gt=0)] | None = None


SPEC = "study.toml"
"""Where a study's folder keeps its spec."""
SETTLED = (*Sampling.model_fields, "limit")
"""What a task takes from its study where it says nothing itself. (A style it takes only where it can.)"""


class EngineSpec(Part):
    """One engine: `use` is its string; `name` is what strategies and the report call it; `price` is as of `--price`."""

    use: str
    name: str | None = None
    price: str | None = None


class StudySpec(Sampling):
    """A whole study.

    Attributes:
        title: heads the report.
        task: the tasks.
        engine: the engines; every task is studied on each.
        strategies: strategy strings; one that a task cannot serve is left out there, and the report says so.
        samples: the pool's size: samples a problem, and so the largest N.
        seed: of everything random.
        budget: of the whole job, "usd=…,tokens=…,seconds=…,samples=…".
        per_problem: of each problem.
        limit: problems a task, the first in visit order.
        style: how tasks render, where they can.
        max_connections: samples in flight at once.
        reproducible: ask engines for exact replay.
        hourly: dollars an hour that a local machine is taken to cost; None for the documented assumption.
        price: dollars per million tokens, "IN,CACHED,OUT" or "NAME=IN,CACHED,OUT", or price files, each.
    """

    title: str = "Study"
    task: tuple[TaskSpec, ...]
    engine: tuple[EngineSpec, ...] = (EngineSpec(use="embedded"),)
    strategies: tuple[str, ...] = DEFAULT_STRATEGIES
    samples: Annotated[int, Field(gt=0, le=100_000)] = 16
    seed: Annotated[int, Field(ge=0)] = 0
    budget: str | None = None
    per_problem: str | None = None
    limit: Annotated[int, Field(gt=0)] | None = None
    style: str | None = None
    max_connections: Annotated[int, Field(gt=0)] = 64
    reproducible: bool = True
    hourly: Annotated[float, Field(ge=0)] | None = None
    price: tuple[str, ...] = ()

    @field_validator("price", mode="before")
    @classmethod
    def _one_price(cls, said: Any) -> Any:
        return (said,) if isinstance(said, str) else said

    @classmethod
    def load(cls, path: Path) -> StudySpec:
        """Read a TOML file. Raises ConfigError."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"There is no study file {path}.", "Give a TOML file, or flags instead.") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.", "Give a TOML file.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}.", "See the guide for an example.") from None
        return cls.of(values)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> StudySpec:
        """Check plain values. Raises ConfigError that names the first field at fault."""
        try:
            spec = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the study"
            raise ConfigError(f"Setting {where}: {first['msg']}.", f"Known: {', '.join(cls.model_fields)}.") from None
        for kind, plural in (("task", "tasks"), ("engine", "engines"), ("strategies", "strategies")):
            if not getattr(spec, kind):
                raise ConfigError(f"A study needs at least one of {plural}.", f"See `perpend list {plural}`.")
        Budget.parse(spec.budget or "")
        Budget.parse(spec.per_problem or "")
        return spec

    def extend(self, older: StudySpec) -> StudySpec:
        """This spec with what an older one of the same folder has besides: tasks, engines, strategies, samples.

        What this one leaves unsaid is as it was: no default is added to a folder that was drawn without it. A task
        that is not named again stays as it was. One that is goes by this spec, but keeps as many problems.
        """
        said = self.model_fields_set
        before, now = older.settled_tasks(), self.settled_tasks()
        for name in before.keys() & now.keys():
            limits = before[name].limit, now[name].limit
            most = None if None in limits else max(filter(None, limits))
            now[name] = now[name].model_copy(update={"limit": most})
        engines = _extended(older.engine, self.engine if "engine" in said else ())
        strategies = (*older.strategies, *(self.strategies if "strategies" in said else ()))
        return self.model_copy(
            update={
                **{name: getattr(older, name) for name in StudySpec.model_fields if name not in said},
                "task": tuple({**before, **now}.values()),
                "engine": engines,
                "strategies": tuple(dict.fromkeys(strategies)),
                "samples": max(older.samples, self.samples) if "samples" in said else older.samples,
                **dict.fromkeys(SETTLED),
            }
        )

    def settled_tasks(self) -> dict[str, TaskSpec]:
        """Each task with all that the study says of it, so that it reads the same in another study; by its string."""
        return {_base(task.use): task.model_copy(update=self._said_of(task)) for task in self.task}

    def _said_of(self, task: TaskSpec) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTLED if getattr(task, name) is None}

    def to_toml(self) -> str:
        """As `load` reads it; what is not set is left out."""
        return tomli_w.dumps(self.model_dump(exclude_none=True, mode="json"))


def _extended(older: Sequence[EngineSpec], newer: Sequence[EngineSpec]) -> tuple[EngineSpec, ...]:
    """The engines of both. One without a name takes the place of the one of its kind that is there and not asked for.

    (Whether it is the same model is seen once it has started.) Another model beside it needs a name.
    """
    engines = {engine.name or engine.use: engine for engine in older}
    asked = {engine.use for engine in newer}
    for engine in newer:
        place = engine.name or engine.use
        if engine.name is None and place not in engines:
            kind = parse_call(engine.use).name
            free = ((key, e) for key, e in engines.items() if e.name is None and e.use not in asked)
            place = next((key for key, e in free if parse_call(e.use).name == kind), place)
        known = engines.get(place)
        engines[place] = engine.model_copy(update={"price": engine.price or (known.price if known else None)})
    return tuple(engines.values())


def _base(use: str) -> str:
    """A task string without its options: `arithmetic(problems=80)` takes the place of `arithmetic`."""
    call = parse_call(use)
    return f"{call.name}:{call.target or call.options.get('path', '')}"
