"""Small studies on the simulated engine, and what to look at in their folders."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from perpend.core import Delta, Request, Sample
from perpend.study import EngineSpec, StudySpec, TaskSpec
from perpend.study.meter import Meter
from perpend.study.results import Curve, Results

STRATEGIES = ("greedy", "majority", "weighted_vote(verifier=simulated)", "best_of_n(verifier=simulated)", "coverage")


def spec(problems: int = 12, samples: int = 6, engine: str = "simulated", **more: Any) -> StudySpec:
    values = {
        "task": (TaskSpec(use=f"simulated(problems={problems})"),),
        "engine": (EngineSpec(use=engine),),
        "strategies": STRATEGIES,
        "samples": samples,
    }
    return StudySpec(**{**values, **more})


class Watch:
    """A study listener that counts."""

    def __init__(self) -> None:
        self.bought: list[Sample] = []
        self.found: list[Sample] = []
        self.blocks = (0, 0)
        self.plans: list[tuple[int, int, int]] = []

    def delta(self, request: Request, delta: Delta) -> None: ...

    def sample(self, sample: Sample, bought: bool) -> None:
        (self.bought if bought else self.found).append(sample)

    def phase(self, text: str) -> None: ...

    def planned(self, samples: int, stored: int, problems: int) -> None:
        self.plans.append((samples, stored, problems))

    def block(self, done: int, total: int) -> None:
        self.blocks = (done, total)

    def metered(self, meter: Meter) -> None: ...


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(folder / "traces.db")
    database.text_factory = bytes
    found = database.execute(sql).fetchall()
    database.close()
    return found


def bought_tokens(results: Results) -> int:
    return sum(line.prompt_tokens - line.cached_tokens + line.completion_tokens for line in results.bought)


def bought_calls(results: Results) -> int:
    return sum(line.calls for line in results.bought)


def curve(results: Results, strategy: str, engine: str | None = None, task: int = 0) -> Curve:
    return next(c for c in results.tasks[task].curves if c.strategy == strategy and engine in (None, c.engine))
