"""A replay gives back what was recorded, in the order in which it would have finished, and says when it runs dry."""

import asyncio
import heapq
from dataclasses import replace
from pathlib import Path

import pytest

from perpend.core import Budget, ConfigError, EngineError, Finish, Run, Scope, World, perform
from perpend.engines import ENGINES
from perpend.engines.recording import SampleName
from perpend.engines.replay import ReplayEngine
from perpend.engines.simulated import SimulatedEngine
from perpend.store import Store
from perpend.strategies import STRATEGIES
from tests.core.worlds import PROMPT, MeanLogprob, Numbers, make_world, problem
from tests.engines.contract import complete
from tests.engines.recordings import PROBLEM, recording, request


async def test_it_says_what_was_said():
    tape = await recording()
    engine = ReplayEngine(source=tape)
    for name, sample in tape.samples.items():
        completion, _ = await complete(engine, request(name.index, 0.0 if name.greedy else 0.7))
        assert (completion.text, completion.usage, completion.logprob) == (sample.text, sample.usage, sample.logprob)
        assert completion.ended - completion.started == pytest.approx(sample.seconds)


async def test_it_is_the_engine_that_was_recorded():
    tape = await recording()
    engine = ReplayEngine(source=tape, name="again")
    assert (engine.name, engine.fingerprint, engine.version, engine.shape) == (
        "again", tape.fingerprint, tape.version, tape.shape
    )  # fmt: skip
    assert engine.caps.simulated
    assert engine.caps.exact_replay
    assert not engine.caps.continuation


async def test_an_exhausted_pool_says_how_many_there_were():
    engine = ReplayEngine(source=await recording(samples=6, greedy=False))
    with pytest.raises(EngineError, match=f"has 6 samples of problem {PROBLEM} of task simulated; index 6 was asked"):
        await complete(engine, request(6))
    with pytest.raises(EngineError, match="has 0 greedy samples"):
        await complete(engine, request(0, 0.0))


async def test_samples_finish_in_the_order_of_their_tokens():
    tape = await recording()
    engine = ReplayEngine(source=tape)
    finished: list[tuple[int, int]] = []

    async def one(index: int) -> None:
        completion, _ = await complete(engine, request(index))
        finished.append((completion.usage.completion, index))

    await asyncio.gather(*(one(index) for index in range(6)))
    assert finished == sorted(finished)
    assert [index for _, index in finished] != list(range(6))


async def test_what_is_cut_has_the_tokens_that_had_passed():
    tape = await recording()
    engine = ReplayEngine(source=tape)
    lengths = {name.index: s.usage.completion for name, s in tape.samples.items() if not name.greedy}
    shortest, longest = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    unwanted = engine.generate(request(longest))

    async def first() -> None:
        await complete(engine, request(shortest))
        unwanted.cancel()

    async def other() -> tuple[int, Finish]:
        items = [item async for item in unwanted]
        return items[-1].usage.completion, items[-1].finish  # type: ignore[union-attr]

    _, cut = await asyncio.gather(first(), other())
    assert cut == (lengths[shortest], Finish.CANCELLED)


async def test_a_stored_study_is_an_engine(tmp_path: Path):
    store = Store(tmp_path)
    world = make_world(SimulatedEngine(name="small"), recorder=store)
    strategies = [STRATEGIES.build(text) for text in ("greedy", "best_of_n(n=5)", "majority(n=5)")]
    before = [await perform(s, Run(world, Numbers(), problem(), PROMPT, Scope())) for s in strategies]
    store.close()

    engine = ENGINES.build(f"replay:{tmp_path}#small")
    await engine.start()
    assert engine.fingerprint == SimulatedEngine().fingerprint
    replayed = World({engine.name: engine}, {"logprob": MeanLogprob()}, make_world().recorder)
    other_prompt = replace(PROMPT, text="Asked in other words")
    after = [await perform(s, Run(replayed, Numbers(), problem(), other_prompt, Scope(Budget()))) for s in strategies]
    assert [r.answer for r in after] == [r.answer for r in before]
    assert [r.charge.total.usage for r in after] == [r.charge.total.usage for r in before]


async def test_a_folder_that_is_no_study_and_an_engine_that_is_not_in_it_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="holds no study"):
        await ReplayEngine(str(tmp_path / "none")).start()
    store = Store(tmp_path)
    for name in ("small", "larger"):
        world = make_world(SimulatedEngine(name=name, failures=0.01 * len(name)), recorder=store)
        await perform(STRATEGIES.build("greedy"), Run(world, Numbers(), problem(), PROMPT, Scope()))
    store.close()
    with pytest.raises(ConfigError, match="several engines"):
        await ReplayEngine(str(tmp_path)).start()
    with pytest.raises(ConfigError, match="no engine 'huge'"):
        await ReplayEngine(f"{tmp_path}#huge").start()
    with pytest.raises(ConfigError, match="needs the folder"):
        ReplayEngine()


@pytest.mark.parametrize("at_once", [1, 2, 4, 6])
async def test_fewer_at_once_finish_as_on_as_many_slots(at_once: int):
    tape = await recording()
    lengths = [tape.samples[SampleName("simulated", PROBLEM, False, i)].usage.completion for i in range(6)]
    slots, expected = [0] * at_once, []
    for index, tokens in enumerate(lengths):
        end = heapq.heappop(slots) + tokens
        heapq.heappush(slots, end)
        expected.append((end, index))
    world = make_world(ReplayEngine(source=tape))
    run = Run(world, Numbers(), problem(3), PROMPT, Scope())
    finished = [sample.index async for sample in run.sample(6, at_once=at_once, order="finish")]
    assert finished == [index for _, index in sorted(expected)]
