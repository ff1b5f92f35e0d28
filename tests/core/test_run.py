"""Run: what a strategy sees, in which order, when it ends, and what it is charged."""

import asyncio
import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpend.core import (
    Budget,
    Caps,
    Cause,
    Charge,
    ConfigError,
    DrawnFrom,
    EngineError,
    Finish,
    MemoryRecorder,
    Message,
    Price,
    Problem,
    Prompt,
    RequestFailed,
    Result,
    Run,
    Sample,
    SampleKey,
    Scope,
    Score,
    StopReason,
    Usage,
    VerifierError,
    perform,
    pool_key,
)
from perpend.core import run as run_module
from perpend.engines.simulated import SimulatedEngine
from tests.core.worlds import PROMPT, Counting, Exact, Numbers, Say, Scripted, make_run, make_world, problem

SLOW_FIRST = [Say("slow 1", 10, 0.03), Say("quick 2", 5, 0.0), Say("mid 3", 7, 0.01)]


async def drawn(run: Run, n: int, **options: object) -> list[Sample]:
    return [sample async for sample in run.sample(n, **options)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Take:
    """A strategy that returns after `take` of n samples."""

    n: int
    take: int
    order: str = "index"

    async def __call__(self, problem: Problem, run: Run) -> Result:
        seen = []
        async for sample in run.sample(self.n, at_once=self.n, order=self.order):  # type: ignore[arg-type]
            seen.append(sample)
            run.submit(sample, confidence=len(seen))
            if len(seen) == self.take:
                break
        return run.result(seen[-1] if seen else None)


# --- order and concurrency ------------------------------------------------------------------------------------------


async def test_samples_come_in_the_order_of_their_index():
    samples = await drawn(make_run(make_world(Scripted(SLOW_FIRST))), 3, at_once=3)
    assert [s.key for s in samples] == ["1", "2", "3"]


async def test_samples_come_in_the_order_of_their_finish():
    samples = await drawn(make_run(make_world(Scripted(SLOW_FIRST))), 3, at_once=3, order="finish")
    assert [s.key for s in samples] == ["2", "3", "1"]


async def test_those_that_finish_in_neighbouring_turns_keep_their_order():
    says = [Say(str(10 - i), tokens=10 - i) for i in range(8)]
    samples = await drawn(make_run(make_world(Scripted(says))), 8, at_once=8, order="finish")
    assert [s.usage.completion for s in samples] == sorted(10 - i for i in range(8))


@pytest.mark.parametrize("at_once", [1, 3, 8, 20])
async def test_no_more_than_at_once_are_on_their_way(at_once: int):
    engine = Scripted([Say("1", 3) for _ in range(12)])
    await drawn(make_run(make_world(engine)), 12, at_once=at_once)
    assert engine.most_at_once == min(at_once, 12)


async def test_at_once_must_be_positive():
    with pytest.raises(ValueError, match="at_once"):
        await drawn(make_run(), 2, at_once=0)


async def test_equal_requests_are_counted_and_different_ones_are_not_confused():
    engine = Scripted({i: Say(str(i)) for i in range(9)})
    run = make_run(make_world(engine))
    first, second = await drawn(run, 2), await drawn(run, 2)
    other = await drawn(run, 1, prompt=replace(PROMPT, temperature=0.1))
    assert [s.index for s in (*first, *second, *other)] == [0, 1, 2, 3, 0]
    assert other[0].pool != first[0].pool


# --- the end of a budget --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "reason", "least"),
    [("samples=3", StopReason.SAMPLES, 3), ("tokens=1300", StopReason.TOKENS, 1), ("tokens=10", StopReason.TOKENS, 0)],
)
@pytest.mark.parametrize("at_once", [1, 16])
async def test_iterators_end_when_the_budget_ends(budget: str, reason: StopReason, least: int, at_once: int):
    run = make_run(budget=budget)
    samples = await drawn(run, 16, at_once=at_once)
    assert run.stop_reason is reason
    assert least <= len(samples) < 16
    assert [s.index for s in samples] == list(range(len(samples)))


async def test_the_deadline_hands_over_what_has_finished_and_cuts_the_rest():
    says = [Say("late 1", 50, 5.0), Say("2"), Say("3")]
    run = make_run(make_world(Scripted(says, caps=Caps(local=True))), "seconds=0.1")
    samples = await drawn(run, 3, at_once=3)
    assert ([s.key for s in samples], run.stop_reason) == (["2", "3"], StopReason.SECONDS)
    await run.close()
    assert 0 < run.charges[Cause.DISCARDED].usage.completion < 50


async def test_a_budget_that_ends_inside_a_verifier_is_the_strategys_reason():
    run = make_run(budget="tokens=700")
    await run.score(await drawn(run, 1), "judge")
    assert run.stop_reason is StopReason.TOKENS


async def test_a_stop_reason_is_complete_where_nothing_ended():
    run = make_run()
    assert len(await drawn(run, 4, at_once=2)) == 4
    assert run.stop_reason is StopReason.COMPLETE


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(0, 6000),
    samples=st.integers(0, 30),
    at_once=st.integers(1, 12),
    failures=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_concurrent_runs_never_overshoot_and_add_up_to_the_engines_own_count(
    seed: int, tokens: int, samples: int, at_once: int, failures: float
):
    engine = Counting(SimulatedEngine(failures=failures))
    world = make_world(engine, seed=seed, price=Price(1e-3, 1e-4, 2e-3))
    job = Scope(Budget(tokens=tokens, samples=samples, usd=tokens * 1e-3))

    async def main() -> None:
        runs = [make_run(world, number=number, parent=job) for number in range(4)]
        await asyncio.wait_for(asyncio.gather(*(drawn(run, 8, at_once=at_once) for run in runs)), 10)

    asyncio.run(main())
    recorder = world.recorder
    assert isinstance(recorder, MemoryRecorder)
    assert job.spent.tokens <= tokens
    assert job.spent.samples <= samples
    assert job.spent.usd <= tokens * 1e-3 + 1e-9
    assert recorder.bought.total.usage == engine.usage
    assert job.spent.tokens == engine.usage.tokens
    assert (job.in_flight, job.reserved.tokens) == (0, 0)


async def test_an_unknown_prompt_is_reserved_at_its_bytes_and_a_known_one_at_its_tokens():
    engine = Scripted([Say("1", 10) for _ in range(3)])
    prompt = Prompt(text="word " * 200, max_tokens=10)
    run = make_run(make_world(engine), "tokens=1035")
    assert len(await drawn(run, 3, prompt=prompt)) == 3, "after the first, 15 tokens are enough for each"


async def test_a_failed_request_does_not_teach_the_length_of_the_prompt():
    says = [Say("", error=RequestFailed("the context is too small")), Say("1")]
    world = make_world(Scripted(says))
    await drawn(make_run(world), 1)
    assert world.prompt_tokens == {}


# --- charges --------------------------------------------------------------------------------------------------------


async def test_the_prompt_is_charged_once_however_the_cache_was():
    run = make_run(make_world(Scripted([Say("1", 10), Say("2", 20), Say("3", 30)])))
    await drawn(run, 3, at_once=3)
    assert run.charges.total.usage == Usage(prompt=15, cached=10, completion=60)
    assert run.charges.total.calls == 3


async def test_scoring_a_text_is_reserved_and_charged_to_whoever_asked():
    price = Price(input=2.0, cached=1.0, output=10.0)
    engine = Scripted([], caps=Caps(loglik=True))
    run = make_run(make_world(engine, price=price), budget="tokens=40")
    assert await run.loglik(PROMPT, "seven") == -1.0
    read = PROMPT.upper_bound_tokens() + len("seven")
    scored = Charge(Usage(prompt=read, completion=1), calls=1, usd=2.0 * read + 10.0, flops=None, device_seconds=None)
    assert run.charges == {Cause.GENERATOR: scored}
    assert run._world.recorder.bought == run.charges  # type: ignore[attr-defined]
    assert run.left.tokens == 40 - read - 1
    assert await run._view(Cause.VERIFIER).loglik(PROMPT, "1") == -1.0
    assert run.charges[Cause.VERIFIER].usage.prompt == read - 4
    assert await run.loglik(PROMPT, "seven") is None
    assert run.stop_reason is StopReason.TOKENS


@pytest.mark.parametrize(("local", "cause"), [(False, Cause.UNCERTAIN), (True, Cause.DISCARDED)])
async def test_a_score_that_breaks_is_charged_where_it_may_have_been_billed(local: bool, cause: Cause):
    class Broken(Scripted):
        async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:
            raise EngineError("It broke.")

    run = make_run(make_world(Broken([], caps=Caps(loglik=True, local=local))))
    with pytest.raises(EngineError, match="It broke"):
        await run.loglik(PROMPT, "seven")
    assert list(run.charges) == [cause]
    assert (run.charges[cause].usage == Usage()) is local
    with pytest.raises(EngineError, match="cannot score"):
        await make_run(make_world(Scripted([]))).loglik(PROMPT, "seven")


@pytest.mark.parametrize("cached", [0, 3, 5])
async def test_dollars_take_of_a_repeated_prompt_what_the_engine_had_cached(cached: int):
    class Caching(Scripted):
        async def _stream(self, *args: object):
            async for item in super()._stream(*args):  # type: ignore[arg-type]
                yield replace(item, usage=replace(item.usage, cached=cached)) if hasattr(item, "usage") else item

    price = Price(input=2.0, cached=1.0, output=10.0)
    run = make_run(make_world(Caching([Say("1")] * 3), price=price))
    assert len([sample async for sample in run.sample(3)]) == 3
    assert run.charges.total.usage == Usage(prompt=15, cached=10, completion=30)
    assert run.charges.total.usd == pytest.approx(10 + 2 * (2 * (5 - cached) + cached) + 300)


async def test_what_is_cut_is_charged_as_discarded_and_seen_by_nobody():
    says = [Say("1", 4), *(Say("2", 400, 4.0) for _ in range(3))]
    world = make_world(Scripted(says))
    result = await perform(Take(4, 1), make_run(world))
    assert (result.answer, len(result.candidates)) == ("1", 1)
    assert result.charge[Cause.GENERATOR].usage.completion == 4
    assert 0 < result.charge[Cause.DISCARDED].usage.completion < 1200
    assert isinstance(world.recorder, MemoryRecorder)
    assert len(world.recorder.samples) == 1
    assert world.recorder.bought.total.usage.completion == result.charge.total.usage.completion


async def test_what_finished_and_was_never_seen_is_kept_but_charged_as_discarded():
    world = make_world(Scripted([Say("1", 4), Say("2", 4), Say("3", 4)]))
    result = await perform(Take(3, 1), make_run(world))
    assert len(result.candidates) == 1
    assert result.charge[Cause.DISCARDED].usage.completion == 8
    assert isinstance(world.recorder, MemoryRecorder)
    assert len(world.recorder.samples) == 3


async def test_leaving_an_iterator_cuts_what_it_had_on_its_way():
    engine = Scripted([Say("1", 4), *(Say("2", 400, 40.0) for _ in range(3))])
    run = make_run(make_world(engine))
    samples = run.sample(4, at_once=4)
    await anext(samples)
    await samples.aclose()  # type: ignore[attr-defined]
    for _ in range(200):
        await asyncio.sleep(0.001)
    assert engine.at_once == 0


async def test_a_hanging_engine_is_abandoned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_module, "CLOSE_SECONDS", 0.05)
    local = Scripted([Say("1", 2), Say("2", 6, hang=True)], caps=Caps(local=True))
    result = await asyncio.wait_for(perform(Take(2, 1), make_run(make_world(local))), 5)
    assert 0 < result.charge[Cause.DISCARDED].usage.completion <= 6
    remote = Scripted([Say("1", 2), Say("2", 6, hang=True)])
    world = make_world(remote)
    run = make_run(world)
    result = await asyncio.wait_for(perform(Take(2, 1), run), 5)
    assert result.charge[Cause.UNCERTAIN].usage.completion == PROMPT.max_tokens
    assert isinstance(world.recorder, MemoryRecorder)
    assert world.recorder.bought[Cause.UNCERTAIN].usage.completion == PROMPT.max_tokens


async def test_a_lost_engine_ends_the_run_and_its_call_is_uncertain():
    world = make_world(Scripted([Say("1"), Say("2", error=EngineError("gone"))]))
    run = make_run(world, "tokens=2000")
    with pytest.raises(EngineError, match="gone"):
        await perform(Take(2, 2), run)
    assert isinstance(world.recorder, MemoryRecorder)
    assert world.recorder.bought[Cause.UNCERTAIN].usage.completion == PROMPT.max_tokens
    assert run.charges[Cause.UNCERTAIN].usage.completion == PROMPT.max_tokens


async def test_a_failed_request_is_a_sample_without_an_answer_that_costs_nothing():
    world = make_world(Scripted([Say("1", error=RequestFailed("too long")), Say("2")]))
    samples = await drawn(make_run(world), 2, at_once=2)
    assert [(s.finish, s.key, s.error) for s in samples] == [
        (Finish.FAILED, None, "too long"),
        (Finish.STOP, "2", None),
    ]
    assert isinstance(world.recorder, MemoryRecorder)
    assert world.recorder.bought.total.usage == Usage(prompt=5, completion=10)


async def test_the_prompt_is_charged_by_the_first_sample_that_has_one():
    world = make_world(Scripted([Say("1", error=RequestFailed("too long")), Say("2"), Say("3")]))
    run = make_run(world)
    await drawn(run, 3)
    assert (run.charges.total.usage.prompt, run.charges.total.usage.cached) == (10, 5)


async def test_verifier_tokens_are_booked_as_such_and_its_calls_are_no_candidates():
    run = make_run(budget="samples=2")
    samples = await drawn(run, 2)
    before = run.charges.total.usage.completion
    await run.score(samples, "judge")
    assert run.charges[Cause.VERIFIER].usage.completion > 0
    assert run.charges[Cause.GENERATOR].usage.completion == before
    assert run.samples == samples, "and they count as no samples of the budget"


async def test_dollars_and_flops_are_charged_where_they_are_known():
    priced = make_run(make_world(SimulatedEngine(), price=Price(output=1e-6)))
    await drawn(priced, 1)
    total = priced.charges.total
    assert total.usd == pytest.approx(total.usage.completion * 1e-6)
    assert total.flops is not None
    assert total.flops > 2 * 135e6 * total.usage.tokens
    free = make_run(make_world(Scripted([Say("1")])))
    await drawn(free, 1)
    assert (free.charges.total.usd, free.charges.total.flops) == (None, None)


# --- the store ------------------------------------------------------------------------------------------------------


async def test_stored_samples_are_not_bought_again():
    engine = Counting(SimulatedEngine())
    world = make_world(engine)
    first = await drawn(make_run(world), 4, at_once=4)
    again = make_run(world, "tokens=0")
    assert await drawn(again, 4, at_once=4) == first
    assert len(engine.requests) == 4
    assert again.charges.total.usage.completion == sum(s.usage.completion for s in first)


async def test_two_runs_at_once_never_buy_the_same_sample():
    engine = Counting(SimulatedEngine(pace=0.001))
    world = make_world(engine)
    one, two = await asyncio.gather(drawn(make_run(world), 6, at_once=6), drawn(make_run(world), 8, at_once=8))
    assert two[:6] == one
    assert len(engine.requests) == 8


async def test_whoever_waits_for_a_sample_draws_it_when_the_other_gives_up():
    engine = Scripted([Say("1", 50, 0.05)])
    world = make_world(engine)
    impatient, patient = make_run(world, "seconds=0.01"), make_run(world)
    none, one = await asyncio.gather(drawn(impatient, 1), drawn(patient, 1))
    assert (none, [s.key for s in one]) == ([], ["1"])


async def test_a_sample_is_stored_before_anyone_sees_it():
    world = make_world()
    run = make_run(world)
    async for sample in run.sample(3, at_once=3):
        assert world.recorder.stored_sample(SampleKey(sample.pool, sample.index)) == sample


async def test_a_sample_that_another_name_of_the_engine_drew_is_used():
    world = make_world(Scripted([Say("1")]))
    await drawn(make_run(world), 1)
    renamed = make_world(Scripted([Say("1")], name="renamed"), recorder=world.recorder)
    run = make_run(renamed)
    (sample,) = await drawn(run, 1)
    assert sample.engine == "renamed"


def test_a_pool_key_depends_on_the_law_and_not_on_names():
    source = DrawnFrom("task", "problem", "engine", "weights", PROMPT)
    assert pool_key(source) == pool_key(replace(source, engine="other"))
    changes = [
        {"task": "t"},
        {"problem": "p"},
        {"fingerprint": "f"},
        {"prefix": "x"},
        {"prompt": replace(PROMPT, max_tokens=1)},
        {"prompt": replace(PROMPT, stop=("\n",))},
        {"prompt": replace(PROMPT, temperature=0.0)},
        {"prompt": replace(PROMPT, thinking_tokens=64)},
        {"prompt": replace(PROMPT, thinking_tokens=65)},
    ]
    keys = {pool_key(replace(source, **change)) for change in changes}  # type: ignore[arg-type]
    assert len(keys | {pool_key(source)}) == len(changes) + 1
    assert pool_key(replace(source, prompt=replace(PROMPT, logprobs=5))) == pool_key(source)


def test_a_pool_without_a_thinking_budget_keeps_the_key_that_it_had_before_there_was_one():
    source = DrawnFrom("t", "p", "e", "f", Prompt(messages=(Message("user", "x"),)))
    assert pool_key(source) == "ebb79267951b3b12c91d312f835fbb63"


@pytest.mark.parametrize(
    ("prompt", "thinking", "kind"),
    [(Prompt(messages=(Message("user", "x"),)), False, "chat"), (Prompt(text="x"), True, "raw")],
)
async def test_thinking_that_cannot_be_bounded_is_refused_before_anything_is_reserved(
    prompt: Prompt, thinking: bool, kind: str
) -> None:
    engine = Scripted([Say("1")], caps=Caps(seeds=True, thinking=thinking))
    world = make_world(engine)
    run = make_run(world)
    with pytest.raises(EngineError, match=f"Engine scripted cannot bound the thinking of a {kind} prompt"):
        await drawn(run, 1, prompt=replace(prompt, thinking_tokens=64))
    assert engine.asked == []
    assert world.recorder.bought.total.calls == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("able", "said"), [(1, "those of the chosen token at best"), (4, "3 are the most")])
async def test_log_probabilities_that_an_engine_does_not_give_are_refused_before_anything_is_reserved(
    able: int, said: str
) -> None:
    engine = Scripted([Say("1")], caps=Caps(seeds=True, logprobs=able))
    world = make_world(engine)
    with pytest.raises(EngineError, match=f"Engine scripted .* of the 5 most likely tokens; .*{said}"):
        await drawn(make_run(world), 1, prompt=replace(PROMPT, logprobs=5))
    assert engine.asked == []
    await drawn(make_run(world), 1, prompt=replace(PROMPT, logprobs=able - 1))
    assert [request.logprobs for request in engine.asked] == [able]


async def test_seeds_come_from_the_study_and_the_sample_and_never_from_the_strategy():
    def seeds(engine: Counting) -> list[int]:
        return [request.seed for request in sorted(engine.requests, key=lambda r: r.index)]

    engines = [Counting(SimulatedEngine()) for _ in range(3)]
    await perform(Take(4, 4), make_run(make_world(engines[0], seed=1)))
    await drawn(make_run(make_world(engines[1], seed=1)), 4)
    await drawn(make_run(make_world(engines[2], seed=2)), 4)
    assert seeds(engines[0]) == seeds(engines[1])
    assert len(set(seeds(engines[0]))) == 4
    assert not set(seeds(engines[1])) & set(seeds(engines[2]))


# --- scores ---------------------------------------------------------------------------------------------------------


async def test_scores_are_stored_and_not_asked_for_twice():
    world = make_world()
    run = make_run(world)
    samples = await drawn(run, 3)
    exact = world.verifiers["exact"]
    assert isinstance(exact, Exact)
    first = await run.score(samples[:2], "exact")
    assert (await run.score(samples, "exact"))[:2] == first
    assert exact.scored == 3


async def test_only_oracles_are_shown_the_key():
    run = make_run()
    assert run.problem.key is None
    samples = await drawn(run, 2)
    await run.score(samples, "logprob")
    assert [score.value for score in await run.score(samples, "exact")] == [
        float(s.key == problem().key) for s in samples
    ]


async def test_an_unknown_verifier_and_a_wrong_count_are_said_in_words():
    class Lazy(Exact):
        fingerprint = "lazy"

        async def score(self, *_: object) -> list[Score]:
            return []

    run = make_run(make_world(verifiers={"lazy": Lazy()}))
    samples = await drawn(run, 1)
    with pytest.raises(ConfigError, match="no verifier 'prm'"):
        await run.score(samples, "prm")
    with pytest.raises(VerifierError, match="0 scores for 1 samples"):
        await run.score(samples, "lazy")


async def test_continuing_a_text_is_refused_where_the_engine_cannot():
    with pytest.raises(ConfigError, match="cannot continue"):
        [s async for s in make_run(make_world(Scripted([], caps=Caps()))).extend("So", 1)]


async def test_a_sample_grows_piece_by_piece_and_stays_one():
    engine = Counting(SimulatedEngine())
    run = make_run(make_world(engine), "samples=1")
    sample = await run.grow(10)
    assert sample is not None
    while sample.finish is Finish.LENGTH:
        longer = await run.grow(10, sample)
        assert longer is not None
        assert longer.text.startswith(sample.text)
        sample = longer
    assert run.samples == [sample]
    assert sample.answer is not None
    assert sample.usage.completion == len(sample.text.split()) == run.charges.total.usage.completion
    assert run.charges.total.usage.tokens == sample.usage.tokens  # what it continues is in the cache
    assert len(engine.requests) == -(-sample.usage.completion // 10)
    assert await run.grow(10) is None  # no second one fits


async def test_a_probe_is_charged_and_the_sample_stays_as_it_was():
    run = make_run(budget="samples=1")
    sample = await run.grow(10)
    assert sample is not None
    probe = await run.probe(sample)
    assert probe is not None
    assert probe.key is not None
    assert probe.tokens == run.charges[Cause.VERIFIER].usage.tokens == 1
    assert run.samples == [sample]
    assert sample.answer is None


async def test_a_truncated_completion_has_no_answer():
    run = make_run(make_world(Scripted([Say("1", finish=Finish.LENGTH)])))
    (sample,) = await drawn(run, 1)
    assert (sample.finish, sample.answer, sample.key) == (Finish.LENGTH, None, None)


# --- perform --------------------------------------------------------------------------------------------------------


async def test_what_was_submitted_is_the_result_when_time_runs_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_module, "GRACE_SECONDS", 0.02)

    class Slow:
        async def __call__(self, problem: Problem, run: Run) -> Result:
            samples = await drawn(run, 3)
            for sample, confidence in zip(samples, [0.5, 0.9, 0.9], strict=True):
                run.submit(sample, confidence)
            await asyncio.sleep(10)
            return run.result(None)

    result = await perform(Slow(), make_run(make_world(Scripted([Say("1"), Say("2"), Say("3")])), "seconds=0.1"))  # type: ignore[arg-type]
    assert (result.answer, result.stop_reason) == ("3", StopReason.SECONDS)
    assert 0.1 <= result.charge.total.latency_seconds < 1


async def test_a_time_out_of_the_strategys_own_is_not_mistaken_for_the_deadline():
    class Broken:
        async def __call__(self, problem: Problem, run: Run) -> Result:
            raise TimeoutError("a socket of mine")

    with pytest.raises(TimeoutError, match="socket"):
        await perform(Broken(), make_run(budget="seconds=5"))  # type: ignore[arg-type]


async def test_a_cancelled_run_still_settles_everything():
    world = make_world(Scripted([Say("1", 400, 4.0) for _ in range(4)]))
    scope = Scope()
    running = asyncio.create_task(perform(Take(4, 4), Run(world, Numbers(), problem(), PROMPT, scope)))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (scope.in_flight, scope.reserved.tokens, world.in_flight) == (0, 0, {})


async def test_many_strategies_of_one_problem_leave_nothing_in_flight():
    rng = random.Random(0)
    world = make_world(SimulatedEngine(pace=0.0005))
    job = Scope(Budget(tokens=8000))
    takes = [Take(rng.randint(1, 9), rng.randint(1, 9), rng.choice(["index", "finish"])) for _ in range(12)]
    runs = [make_run(world, number=i % 3, parent=job) for i in range(12)]
    await asyncio.gather(*(perform(take, run) for take, run in zip(takes, runs, strict=True)))  # type: ignore[arg-type]
    assert (job.in_flight, world.in_flight) == (0, {})
    assert job.spent.tokens <= 8000
