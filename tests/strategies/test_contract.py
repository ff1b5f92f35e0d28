"""What every strategy in the registry promises."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpend.core import (
    Cause,
    Charge,
    ConfigError,
    MemoryRecorder,
    Price,
    Result,
    Scope,
    Strategy,
    Sweeping,
    Tunable,
    World,
    perform,
)
from perpend.core.budget import Budget
from perpend.engines.simulated import SimulatedEngine
from perpend.strategies import STRATEGIES, describe
from tests.core.worlds import Counting, Say, Scripted, make_run, make_world

EVERY = STRATEGIES.names()
DEPLOYABLE = [name for name in EVERY if not STRATEGIES.load(name).oracle]
GIVEN = {
    "cascade": "small=small, large=large",
    "rejection_sampling": "verifier=sure",
    "pessimism": "verifier=sure",
}
"""What each must be given in this world."""
ONE_BY_ONE = {
    "adaptive_consistency",
    "best_of_infinity",
    "martingale",
    "pandora",
    "sprt",
    "rejection_sampling",
    "verifier_threshold",
    "timely_vote",
}
"""Those that ask for the next sample when they have seen one."""
RACES = {"short_m_at_k", "timely_vote"}
"""Those that cut what is slower: what is stored from a first run arrives before all else in a second."""


def build(name: str, options: str = "") -> Strategy:
    """With the engines or the verifier that it must be given."""
    given = [GIVEN.get(name, ""), options]
    return STRATEGIES.build(f"{name}({', '.join(filter(None, given))})")


def small(name: str) -> Strategy:
    """With few samples, where it can have them."""
    built = build(name)
    return replace(built, n=6) if any(f.name == "n" for f in fields(built)) else built  # type: ignore[type-var, arg-type]


def alike(a: Result, b: Result) -> bool:
    return (a.answer, a.text, a.stop_reason, a.charge.total.usage) == (
        b.answer,
        b.text,
        b.stop_reason,
        b.charge.total.usage,
    )


@pytest.mark.parametrize("name", EVERY)
def test_it_is_a_frozen_value_that_its_string_builds(name: str):
    strategy = build(name)
    assert strategy.name == name
    assert STRATEGIES.build(describe(strategy)) == strategy
    assert hash(strategy) == hash(build(name))
    with pytest.raises(FrozenInstanceError):
        strategy.extra = 1  # type: ignore[attr-defined]
    assert strategy.draws
    assert inspect.getdoc(type(strategy))


@pytest.mark.parametrize("name", EVERY)
def test_a_sweep_is_of_the_same_strategy_at_other_settings(name: str):
    strategy = build(name)
    if isinstance(strategy, Sweeping):
        settings = strategy.sweep()
        assert len(settings) == len(set(settings)) >= 3
        assert all(setting.name == name and setting.n == strategy.n for setting in settings)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "greedy"])
def test_no_samples_are_no_strategy(name: str):
    with pytest.raises(ConfigError, match="n=0"):
        build(name, "n=0")


@pytest.mark.parametrize("name", [name for name in EVERY if STRATEGIES.load(name).oracle])
async def test_a_ceiling_refuses_to_be_deployed(name: str):
    with pytest.raises(ConfigError, match="not a strategy"):
        await perform(STRATEGIES.build(name), make_run())


@pytest.mark.parametrize("name", DEPLOYABLE)
async def test_its_charge_is_what_the_engine_counted(name: str):
    engine = Counting(SimulatedEngine())
    result = await perform(small(name), make_run(make_world(engine)))
    usage = result.charge.total.usage
    assert usage.completion == engine.usage.completion
    assert usage.prompt == engine.usage.prompt
    cut = result.charge.get(Cause.DISCARDED, Charge()).calls
    assert result.charge.total.calls == len(engine.requests) == len(result.candidates) + cut
    assert cut == 0 or name in RACES
    assert result.answer is not None


@pytest.mark.parametrize("name", DEPLOYABLE)
@settings(max_examples=10, deadline=None)
@given(tokens=st.integers(0, 2000), samples=st.integers(0, 8), failures=st.sampled_from([0.0, 0.4]))
def test_it_never_exceeds_its_budget_and_answers_with_what_it_has(
    name: str, tokens: int, samples: int, failures: float
):
    engine = Counting(SimulatedEngine(failures=failures))
    world = make_world(engine, seed=tokens, price=Price(1e-3, 1e-3, 1e-3))
    job = Scope(Budget(tokens=tokens, samples=samples, usd=tokens * 1e-3))
    result = asyncio.run(perform(small(name), make_run(world, parent=job)))
    assert engine.usage.tokens == job.spent.tokens <= tokens
    assert job.spent.usd <= tokens * 1e-3 + 1e-9
    assert len(result.candidates) <= samples
    if any(sample.key is not None for sample in result.candidates):
        assert result.answer is not None


@pytest.mark.parametrize("name", DEPLOYABLE)
async def test_the_same_seed_gives_the_same_result(name: str):
    def world(seed: int) -> World:
        return make_world(seed=seed)

    first, second = [await perform(small(name), make_run(world(3), number=4)) for _ in range(2)]
    assert alike(first, second)
    others = [await perform(small(name), make_run(world(seed), number=4)) for seed in range(4, 10)]
    assert name == "greedy" or not all(alike(first, other) for other in others)


@pytest.mark.parametrize("name", [name for name in DEPLOYABLE if name not in RACES])
async def test_a_second_run_costs_nothing_and_changes_nothing(name: str):
    engine = Counting(SimulatedEngine())
    world = make_world(engine)
    first = await perform(small(name), make_run(world))
    bought = engine.usage
    second = await perform(small(name), make_run(world))
    assert alike(first, second)
    assert engine.usage == bought


@pytest.mark.parametrize("name", [name for name in DEPLOYABLE if name != "greedy"])
async def test_when_the_time_is_up_it_answers_with_what_has_arrived(name: str):
    says = [Say("41", 400, 9.0), Say("42"), Say("42"), *(Say("43", 400, 9.0) for _ in range(3))]
    if name in ONE_BY_ONE:
        says = [says[1], Say("40"), says[0], *says[3:]]
    world = make_world(Scripted(says))
    result = await asyncio.wait_for(perform(small(name), make_run(world, "seconds=0.1")), 3)
    assert (result.answer, result.stop_reason) == ("42", "seconds")
    assert result.charge[Cause.DISCARDED].usage.completion > 0


@pytest.mark.parametrize("name", DEPLOYABLE)
async def test_with_no_budget_at_all_it_returns_no_answer(name: str):
    result = await perform(small(name), make_run(budget="samples=0"))
    assert (result.answer, result.text, result.candidates) == (None, "", ())


@pytest.mark.parametrize("name", DEPLOYABLE)
async def test_a_unanimous_answer_is_never_changed(name: str):
    engine = Scripted([Say(f"so 007 {'x' * i} 7", 3 + i) for i in range(6)])
    assert (await perform(small(name), make_run(make_world(engine)))).answer == "7"


async def test_temperature_is_chosen_from_a_grid_where_it_is_left_open():
    open_, closed = STRATEGIES.build("weighted_vote(n=5)"), STRATEGIES.build("weighted_vote(temperature=2)")
    assert isinstance(open_, Tunable)
    assert isinstance(closed, Tunable)
    assert closed.grid() == (closed,)
    assert len(set(open_.grid())) == 13
    assert all(setting.n == 5 for setting in open_.grid())
    with pytest.raises(ConfigError, match="temperature"):
        STRATEGIES.build("weighted_vote(temperature=0)")


async def test_greedy_asks_once_at_temperature_zero():
    engine = Counting(SimulatedEngine())
    world = make_world(engine)
    await perform(STRATEGIES.build("greedy"), make_run(world))
    assert [request.prompt.temperature for request in engine.requests] == [0.0]
    assert isinstance(world.recorder, MemoryRecorder)
