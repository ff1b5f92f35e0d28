"""What every engine promises, as functions that take a started engine and a request that it can answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from perpend.core import Completion, Delta, Engine, EngineError, Finish, Prompt, Request


@dataclass(frozen=True)
class Case:
    """An engine, and how to ask it for a problem's samples."""

    engine: Engine
    request: Request

    def at(self, index: int, **prompt: object) -> Request:
        """The request for another sample."""
        changed: Prompt = replace(self.request.prompt, **prompt)  # type: ignore[arg-type]
        return replace(self.request, index=index, seed=self.request.seed + 31 * index, prompt=changed)


async def complete(engine: Engine, request: Request) -> tuple[Completion, list[Delta]]:
    """The only completion of a request, and what came before it."""
    items = [item async for item in engine.generate(request)]
    deltas, completions = [i for i in items if isinstance(i, Delta)], [i for i in items if isinstance(i, Completion)]
    assert len(completions) == 1
    assert items[-1] is completions[0], "the completion comes last"
    return completions[0], deltas


async def describes_itself(case: Case) -> None:
    engine = case.engine
    assert engine.name
    assert engine.fingerprint
    assert engine.version
    assert engine.caps.exact_replay is not None or not engine.caps.seeds or engine.caps.note


async def starts_and_closes_twice(case: Case) -> None:
    before = case.engine.fingerprint
    await case.engine.start()
    await case.engine.start()
    assert case.engine.fingerprint == before
    await case.engine.close()
    await case.engine.close()


async def says_in_pieces_what_it_says_as_a_whole(case: Case) -> None:
    completion, deltas = await complete(case.engine, case.request)
    assert "".join(delta.text for delta in deltas) == completion.text
    assert sum(delta.tokens for delta in deltas) == completion.usage.completion


async def counts_its_tokens(case: Case) -> None:
    for index in range(3):
        completion, _ = await complete(case.engine, case.at(index))
        usage = completion.usage
        assert 0 < usage.prompt <= case.request.prompt.upper_bound_tokens()
        assert 0 <= usage.cached <= usage.prompt
        assert 0 <= usage.reasoning <= usage.completion <= case.request.prompt.max_tokens
        assert completion.finish in (Finish.STOP, Finish.LENGTH)
        assert completion.ended >= completion.started


async def gives_log_probabilities_where_it_says_so(case: Case) -> None:
    if case.engine.caps.logprobs == 0:
        return
    completion, _ = await complete(case.engine, replace(case.request, logprobs=1))
    assert completion.logprob is not None
    assert completion.logprob <= 0
    assert completion.tokens is not None
    assert len(completion.tokens) == completion.usage.completion
    assert sum(token.logprob for token in completion.tokens) == pytest.approx(completion.logprob, abs=1e-3)


async def repeats_itself_where_it_says_so(case: Case) -> None:
    if not case.engine.caps.exact_replay:
        return
    alone, _ = await complete(case.engine, case.at(1))
    crowd = await asyncio.gather(*(complete(case.engine, case.at(index)) for index in range(4)))
    assert crowd[1][0].text == alone.text
    assert crowd[1][0].usage.completion == alone.usage.completion


async def differs_between_samples(case: Case) -> None:
    texts = [(await complete(case.engine, case.at(index)))[0].text for index in range(4)]
    assert len(set(texts)) > 1


async def is_deterministic_at_temperature_zero(case: Case) -> None:
    greedy = case.at(0, temperature=0.0)
    first, _ = await complete(case.engine, greedy)
    second, _ = await complete(case.engine, replace(greedy, seed=greedy.seed + 1))
    assert first.text == second.text


async def hands_over_what_it_has_when_cancelled(case: Case) -> None:
    generation = case.engine.generate(case.request)
    generation.cancel()
    generation.cancel()
    items = [item async for item in generation]
    completion = items[-1]
    assert isinstance(completion, Completion)
    assert completion.finish is Finish.CANCELLED
    assert "".join(i.text for i in items if isinstance(i, Delta)) == completion.text
    whole, _ = await complete(case.engine, case.request)
    assert completion.usage.completion <= whole.usage.completion
    assert whole.finish is not Finish.CANCELLED, "cancelling one leaves the next alone"


async def ignores_being_cancelled_too_late(case: Case) -> None:
    generation = case.engine.generate(case.request)
    items = [item async for item in generation]
    generation.cancel()
    assert isinstance(items[-1], Completion)
    assert items[-1].finish is not Finish.CANCELLED


async def answers_the_others_when_one_is_cancelled(case: Case) -> None:
    unwanted = case.engine.generate(case.at(0))

    async def drain() -> list[Delta | Completion]:
        return [item async for item in unwanted]

    task = asyncio.create_task(drain())
    others = asyncio.gather(*(complete(case.engine, case.at(index)) for index in range(1, 4)))
    await asyncio.sleep(0)
    unwanted.cancel()
    assert all(completion.finish is not Finish.CANCELLED for completion, _ in await others)
    assert isinstance((await task)[-1], Completion)


async def refuses_what_it_cannot_do(case: Case) -> None:
    if not case.engine.caps.continuation:
        with pytest.raises(EngineError):
            await complete(case.engine, replace(case.request, prefix="So"))
    if not case.engine.caps.loglik:
        with pytest.raises(EngineError):
            await case.engine.loglik(case.request.prompt, "So")


CONTRACT = (
    describes_itself,
    says_in_pieces_what_it_says_as_a_whole,
    counts_its_tokens,
    gives_log_probabilities_where_it_says_so,
    repeats_itself_where_it_says_so,
    differs_between_samples,
    is_deterministic_at_temperature_zero,
    hands_over_what_it_has_when_cancelled,
    ignores_being_cancelled_too_late,
    answers_the_others_when_one_is_cancelled,
    refuses_what_it_cannot_do,
    starts_and_closes_twice,
)

__all__ = ["CONTRACT", "Case", "complete"]
