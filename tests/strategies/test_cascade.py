"""A cascade over all orders of two tiny pools is what its live code does on average, at each model's own cost."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from perpend.core import (
    Caps,
    ConfigError,
    Draw,
    MemoryRecorder,
    Orders,
    Outcomes,
    Pools,
    Problem,
    Result,
    Run,
    Scope,
    World,
    perform,
)
from perpend.engines.recording import Recording
from perpend.engines.replay import ReplayEngine
from perpend.strategies.cascade import Cascade
from tests.strategies.tiny import PROMPT, RIGHT, Tiny, TinyTask, _samples, pool_of, tiny_rows

CODES = {"1": 0, "2": 1, "3": 2}
SMALL, LARGE = Draw("small"), Draw("large")


def pools(small: list[list[Tiny]], large: list[list[Tiny]]) -> Pools:
    """Both pools, answers numbered alike."""
    both = {}
    for draw, rows in ((SMALL, small), (LARGE, large)):
        keys = np.array([[CODES.get(tiny.key or "", -1) for tiny in row] for row in rows])
        both[draw] = replace(pool_of(rows), engine=draw.engine, keys=keys)
    return Pools(both)


async def live(
    strategy: Cascade, rows: dict[str, list[list[Tiny]]], number: int, order: dict[str, list[int]]
) -> Result:
    engines = {}
    for name, of in rows.items():
        recording = Recording(dict(_samples(of, number, order[name])), fingerprint=name, caps=Caps(simulated=True))
        engines[name] = ReplayEngine(name=name, source=recording)
    world = World(engines, {}, MemoryRecorder())  # type: ignore[arg-type]
    return await perform(
        strategy, Run(world, TinyTask(), Problem(str(number), "simulated", {}, RIGHT), PROMPT, Scope())
    )


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("agreement", [0.6, 1.0])
async def test_offline_is_the_mean_of_live_runs(agreement: float, pooled: bool):
    small, large = tiny_rows(4, problems=2, samples=3), tiny_rows(9, problems=2, samples=3)
    cascade = Cascade("small", "large", n=3, more=2, agreement=agreement, pooled=pooled)
    every = list(itertools.product(itertools.permutations(range(3)), repeat=2))
    orders = {
        draw: np.repeat(np.array([pair[i] for pair in every])[:, None], 2, axis=1)
        for i, draw in enumerate((SMALL, LARGE))
    }
    found = cascade.offline(pools(small, large), Orders(lambda draw: orders[draw]))
    gone_on = []
    for problem, n in itertools.product(range(2), (1, 2, 3)):
        runs = [
            await live(
                replace(cascade, n=n),
                {"small": small, "large": large},
                problem,
                {"small": list(first), "large": list(second)},
            )
            for first, second in every
        ]
        usages = [run.charge.total.usage for run in runs]
        spend = found.spend.values()
        assert found.correct[0, problem, n - 1] == pytest.approx(np.mean([run.answer == RIGHT for run in runs]))
        assert found.samples[0, problem, n - 1] == pytest.approx(np.mean([len(run.candidates) for run in runs]))
        stopped = np.mean([run.certificate is not None for run in runs])
        assert found.stopped is not None
        assert found.stopped[0, problem, n - 1] == pytest.approx(stopped)
        assert sum(s.tokens[0, problem, n - 1] for s in spend) == pytest.approx(np.mean([u.tokens for u in usages]))
        gone_on.append(1 - stopped)
    assert 0 < np.mean(gone_on) < 1


def test_a_fit_keeps_to_the_share_that_may_go_on():
    def merit(stopped: float, correct: float) -> float:
        one = np.full((1, 4, 1), 1.0)
        outcomes = Outcomes(correct * one, one, {}, one, stopped=stopped * one)
        return float(Cascade("a", "b", escalate=0.3).merit(outcomes)[0])

    assert merit(0.8, 0.6) > merit(0.9, 0.5)  # both may
    assert merit(0.8, 0.6) > merit(0.5, 0.9)  # the second sends on too many
    assert merit(0.5, 0.9) > merit(0.2, 0.9)  # where none may, the one that sends on least


@pytest.mark.parametrize("wrong", [{"small": "a"}, {"small": "a", "large": "a"}, {"agreement": 0.0}, {"escalate": 1.5}])
def test_what_makes_no_cascade_is_refused(wrong: dict[str, str | float]):
    with pytest.raises(ConfigError):
        Cascade(**{"small": "a", "large": "b", **wrong} if "small" not in wrong else wrong)  # type: ignore[arg-type]
