"""What a strategy's own code does in every order of a tiny pool, and on average over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from perpend.core import Outcomes, Result, Strategy
from tests.strategies.tiny import RIGHT, Tiny, live, orders_of, pools_of


@dataclass(frozen=True)
class Figures:
    """[problem, N], means over orders."""

    correct: np.ndarray
    samples: np.ndarray
    prompt: np.ndarray
    cached: np.ndarray
    completion: np.ndarray
    stopped: np.ndarray


async def lived(strategy: Strategy, rows: Sequence[Sequence[Tiny]], orders: np.ndarray) -> Figures:
    """By running it live for every N, once in each order: [permutation, problem, sample]."""
    shape = orders.shape
    found = {name: np.zeros(shape) for name in Figures.__annotations__}
    for p, i, k in np.ndindex(shape):
        result = await live(replace(strategy, n=k + 1), rows, i, orders[p, i])  # type: ignore[type-var]
        for name, value in _figures(result).items():
            found[name][p, i, k] = value
    return Figures(**{name: each.mean(axis=0) for name, each in found.items()})


def evaluated(strategy: Strategy, rows: Sequence[Sequence[Tiny]], orders: np.ndarray) -> Figures:
    """By evaluating it."""
    outcomes: Outcomes = strategy.offline(pools_of(rows), orders_of(orders))
    spend = outcomes.spend["replay"]
    stopped = np.zeros(outcomes.correct.shape) if outcomes.stopped is None else outcomes.stopped
    parts = (outcomes.correct, outcomes.samples, spend.prompt, spend.cached, spend.completion, stopped)
    return Figures(*(part.mean(axis=0) for part in parts))


async def check_every_order(strategy: Strategy, rows: Sequence[Sequence[Tiny]], orders: np.ndarray) -> None:
    """What it is evaluated to is what it does, on average."""
    found, expected = evaluated(strategy, rows, orders), await lived(strategy, rows, orders)
    for name in Figures.__annotations__:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6, err_msg=name)


def _figures(result: Result) -> dict[str, float]:
    usage = result.charge.total.usage
    return {
        "correct": float(result.answer == RIGHT),
        "samples": float(len(result.candidates)),
        "prompt": float(usage.prompt),
        "cached": float(usage.cached),
        "completion": float(usage.completion),
        "stopped": float(result.certificate is not None),
    }
