"""Budgets: what is held, what is spent, who waits, and who is told no."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpend.core import Amount, Budget, ConfigError, Reservation, Scope, StopReason

ONE = Amount(usd=0.1, tokens=10, samples=1)

caps = st.builds(
    Budget,
    usd=st.none() | st.floats(0, 1e6),
    tokens=st.none() | st.integers(0, 10**12),
    seconds=st.none() | st.floats(0, 1e6),
    samples=st.none() | st.integers(0, 10**9),
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def hold(scope: Scope, amount: Amount = ONE) -> Reservation:
    held = await scope.reserve(amount)
    assert isinstance(held, Reservation)
    return held


async def settled(task: asyncio.Task) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


@given(caps)
def test_a_budget_reads_what_it_writes(budget: Budget):
    assert Budget.parse(str(budget)) == budget


def test_a_budget_is_read_as_people_write_it():
    assert Budget.parse("usd=5, tokens=1e6,samples=1_000") == Budget(usd=5, tokens=1_000_000, samples=1000)
    assert Budget.parse("") == Budget()


@pytest.mark.parametrize("text", ["tokens", "tokens=", "token=5", "tokens=-1", "tokens=nan", "usd=inf", "samples=.5"])
def test_a_budget_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(ConfigError, match="NAME=AMOUNT"):
        Budget.parse(text)


async def test_what_is_held_becomes_what_was_spent():
    scope = Scope(Budget(tokens=100))
    held = await hold(scope)
    assert scope.left.tokens == 90
    held.settle(Amount(tokens=4))
    assert (scope.left.tokens, scope.reserved, scope.in_flight) == (96, Amount(), 0)


async def test_spending_counts_in_every_scope_around():
    job = Scope(Budget(tokens=100))
    problem = Scope(Budget(samples=3), job)
    (await hold(problem)).settle(ONE)
    assert (problem.left.samples, problem.left.tokens, job.left.tokens) == (2, 90, 90)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [("usd=.05", "usd"), ("tokens=9", "tokens"), ("samples=0", "samples"), ("seconds=0", "seconds")],
)
async def test_a_scope_says_which_cap_ended_it(budget: str, reason: str):
    scope = Scope(Budget.parse(budget))
    assert await scope.reserve(ONE) is StopReason(reason)
    assert scope.ended


async def test_ten_dimes_fit_a_dollar():
    scope = Scope(Budget(usd=1.0))
    for _ in range(10):
        (await hold(scope)).settle(ONE)
    assert await scope.reserve(ONE) is StopReason.USD


async def test_a_request_that_does_not_fit_waits_for_those_in_flight():
    scope = Scope(Budget(tokens=15))
    first = await hold(scope)
    second = asyncio.create_task(scope.reserve(ONE))
    assert not await settled(second)
    first.settle(Amount(tokens=5))
    assert isinstance(await second, Reservation)


async def test_it_is_refused_when_nothing_is_in_flight_that_could_free_room():
    scope = Scope(Budget(tokens=15))
    first = await hold(scope)
    second = asyncio.create_task(scope.reserve(ONE))
    await settled(second)
    first.settle(ONE)
    assert await second is StopReason.TOKENS


async def test_only_calls_in_the_scope_that_is_full_are_waited_for():
    job = Scope(Budget(tokens=1000))
    full, other = Scope(Budget(tokens=5), job), Scope(None, job)
    await hold(other)
    assert await full.reserve(ONE) is StopReason.TOKENS
    assert full.ended
    assert not job.ended


async def test_those_who_wait_longest_go_first():
    scope = Scope(Budget(tokens=10))
    first = await hold(scope)
    order: list[int] = []

    async def wait(number: int) -> None:
        held = await hold(scope)
        order.append(number)
        await asyncio.sleep(0)
        held.settle(Amount())

    waiters = [asyncio.create_task(wait(number)) for number in range(12)]
    await asyncio.sleep(0)
    first.settle(Amount())
    await asyncio.gather(*waiters)
    assert order == list(range(12))


async def test_waiting_ends_at_the_deadline():
    scope = Scope(Budget(tokens=10, seconds=0.02))
    await hold(scope)
    assert await asyncio.wait_for(scope.reserve(ONE), 1) is StopReason.SECONDS


async def test_past_the_deadline_nobody_waits_even_where_tokens_are_short():
    clock = Clock()
    scope = Scope(Budget(tokens=10, seconds=5), clock=clock)
    await hold(scope)
    clock.now += 5
    assert await asyncio.wait_for(scope.reserve(ONE), 1) is StopReason.SECONDS


async def test_a_waiter_that_is_cancelled_leaves_nothing_behind():
    scope = Scope(Budget(tokens=10))
    first = await hold(scope)
    waiter = asyncio.create_task(scope.reserve(ONE))
    await settled(waiter)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    first.settle(Amount())
    assert (scope.left.tokens, scope.in_flight) == (10, 0)


async def test_seconds_are_summed_over_restarts_and_children_share_the_clock():
    clock = Clock()
    job = Scope(Budget(seconds=10), elapsed=7, clock=clock)
    inner = Scope(Budget(seconds=60), job)
    assert inner.seconds_left() == 3
    clock.now += 3
    assert (inner.elapsed, inner.left.seconds) == (3, 0)
    assert await inner.reserve(ONE) is StopReason.SECONDS
    assert job.ended
    assert not inner.ended


async def test_what_an_earlier_run_spent_counts():
    assert Scope(Budget(tokens=100), spent=Amount(tokens=60)).left.tokens == 40


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 200), st.integers(1, 12))
def test_concurrent_calls_never_overshoot_together(seed: int, tokens: int, samples: int):
    rng = random.Random(seed)
    job = Scope(Budget(tokens=tokens, usd=tokens / 50))
    scopes = [Scope(Budget(samples=samples), job), Scope(Budget(tokens=tokens // 2), job), job]

    def check() -> None:
        for scope in scopes:
            held = scope.spent + scope.reserved
            for cap in ("tokens", "samples", "usd"):
                limit = getattr(scope.budget, cap)
                assert limit is None or getattr(held, cap) <= limit + 1e-9

    async def call(scope: Scope) -> None:
        most = rng.randint(1, 30)
        held = await scope.reserve(Amount(most / 50, most, 1))
        check()
        if isinstance(held, Reservation):
            for _ in range(rng.randint(0, 5)):
                await asyncio.sleep(0)
            used = rng.randint(0, most)
            held.settle(Amount(used / 50, used, rng.randint(0, 1)))
            check()

    async def main() -> None:
        await asyncio.wait_for(asyncio.gather(*(call(rng.choice(scopes)) for _ in range(60))), 5)

    asyncio.run(main())
    assert all(scope.in_flight == 0 and scope.reserved.tokens == 0 for scope in scopes)
