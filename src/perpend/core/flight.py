"""A sample on its way: looked up, or reserved, asked for, settled and stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, replace

from perpend.core.budget import Amount, Scope
from perpend.core.charge import Cause, Charge, Charges, Usage
from perpend.core.errors import CallLost, EngineError, RequestFailed
from perpend.core.prompt import Request, derive_seed, digest
from perpend.core.protocols import DrawnFrom, SampleKey, Task
from perpend.core.result import StopReason
from perpend.core.sample import Completion, Delta, Finish, Generation, Sample, after_thinking
from perpend.core.world import World


class Flight:
    """One sample on its way.

    Args:
        world: where it comes from.
        task: gives it its answer and key.
        scope: the budget that it is held against.
        source: what it is drawn from.
        key: its name.
        cause: what it is for.

    Attributes:
        sample: what arrived, CANCELLED where it was cut.
        lost: what calls cost of which nothing arrived: they broke, or were abandoned.
    """

    def __init__(self, world: World, task: Task, scope: Scope, source: DrawnFrom, key: SampleKey, cause: Cause) -> None:
        self.source = source
        self.key = key
        self.cause = cause
        self.engine = world.engine(source.engine)
        self.sample: Sample | None = None
        self.lost = Charges()
        self._world = world
        self._task = task
        self._scope = scope
        self._generation: Generation | None = None
        self._heard_tokens = 0
        self._wanted = 0.0
        self._flying: asyncio.Task[Sample | StopReason] | None = None

    def launch(self, landed: Callable[[Flight], None]) -> None:
        """Set off; `landed` is called when it has ended, whichever way."""

        def end(flying: asyncio.Task[Sample | StopReason]) -> None:
            if not flying.cancelled():
                flying.exception()  # whoever awaits the result raises it; nobody may, after a cancellation
            landed(self)

        self._flying = asyncio.create_task(self._fly())
        self._flying.add_done_callback(end)

    def result(self) -> Sample | StopReason | None:
        """What it came to, None where it was abandoned. Raises what the engine raised."""
        assert self._flying is not None
        return None if self._flying.cancelled() else self._flying.result()

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self._flying is not None and self._flying.done()

    async def wait(self, seconds: float) -> None:
        """Until it has ended, or for so long."""
        if self._flying is not None:
            await asyncio.wait([self._flying], timeout=seconds)

    def cut(self) -> None:
        """Ask the engine to end it; what it generated is handed over. Without a call in flight there is nothing."""
        if self._generation is None:
            self.abandon()
        else:
            self._generation.cancel()

    def abandon(self) -> None:
        """End it without waiting for the engine."""
        if self._flying is not None:
            self._flying.cancel()

    async def _fly(self) -> Sample | StopReason:
        while (twin := self._world.in_flight.get(self.key)) is not None:
            await twin.wait()
        stored = self._world.recorder.stored_sample(self.key)
        if stored is not None:
            return self._arrive(replace(stored, engine=self.source.engine), bought=False)
        self._world.in_flight[self.key] = landed = asyncio.Event()
        try:
            return await self._buy()
        finally:
            del self._world.in_flight[self.key]
            landed.set()

    async def _buy(self) -> Sample | StopReason:
        """Ask until the engine answers, or says that it will not; each attempt has a reservation of its own."""
        self._refuse_impossible()
        attempt, self._wanted = 0, time.time()
        while True:
            try:
                return await self._attempt(attempt)
            except CallLost as lost:
                if lost.retry_seconds is None:
                    raise
                await asyncio.sleep(lost.retry_seconds)
            attempt += 1

    def _refuse_impossible(self) -> None:
        """Raise EngineError, by name, for what would otherwise be left out silently; nothing is reserved for it."""
        prompt, engine = self.source.prompt, self.source.engine
        if prompt.logprobs and 1 + prompt.logprobs > self.engine.caps.logprobs:
            most = max(0, self.engine.caps.logprobs - 1)
            raise EngineError(
                f"Engine {engine} cannot give the log-probabilities of the {prompt.logprobs} most likely tokens; "
                f"{f'{most} are the most' if most else 'it gives those of the chosen token at best'}.",
                "Lower logprobs, or use a server that gives more.",
            )
        if prompt.thinking_tokens is not None and not (self.engine.caps.thinking and prompt.messages is not None):
            kind = "chat" if prompt.messages is not None else "raw"
            raise EngineError(
                f"Engine {engine} cannot bound the thinking of a {kind} prompt.",
                "Leave thinking_tokens out, or ask in chat a server that has a thinking budget.",
            )

    async def _attempt(self, attempt: int) -> Sample | StopReason:
        estimate = self._estimate()
        counted = 1 if self.cause is Cause.GENERATOR else 0
        held = await self._scope.reserve(Amount(estimate.usd or 0.0, estimate.usage.tokens, counted))
        if isinstance(held, StopReason):
            return held
        kept, cause, charge = None, Cause.UNCERTAIN, estimate
        self._heard_tokens = 0
        ticket = self._world.recorder.reserve(self.key, self.source, estimate)
        try:
            completion = await self._complete(attempt)
            sample = self._to_sample(completion, attempt)
            if not completion.estimated:
                charge = self._world.charge(sample.engine, sample.usage, sample.device_seconds)
                cause = Cause.DISCARDED if sample.finish is Finish.CANCELLED else self.cause
            charge = replace(charge, latency_seconds=sample.seconds)
            kept = None if sample.finish is Finish.CANCELLED else sample
        except BaseException as failure:
            known = failure.usage if isinstance(failure, CallLost) else None
            if known is None and self.engine.caps.local:
                known = Usage(completion=self._heard_tokens)
            if known is not None:
                cause, charge = Cause.DISCARDED, self._world.charge(self.engine.name, known)
            self.lost.add(cause, charge)
            raise
        finally:
            self._generation = None
            self._world.recorder.settle(ticket, kept, cause, charge)
            held.settle(Amount(charge.usd or 0.0, charge.usage.tokens, counted if kept else 0))
        return self._arrive(sample, bought=True)

    async def _complete(self, attempt: int) -> Completion:
        request = Request(
            self.source.task,
            self.source.problem,
            self.key.index,
            self.source.prompt,
            seed=derive_seed(self._world.seed, self.key.pool, self.key.index),
            prefix=self.source.prefix,
            logprobs=min(1, self.engine.caps.logprobs) + self.source.prompt.logprobs,
            attempt=attempt,
        )
        self._generation = self.engine.generate(request)
        completion = None
        try:
            async for item in self._generation:
                if isinstance(item, Delta):
                    self._heard_tokens += item.tokens
                    self._world.listener.delta(request, item)
                else:
                    completion = item
        except asyncio.CancelledError:
            self._generation.cancel()
            raise
        except CallLost as lost:
            if lost.retry_seconds is not None:
                raise
            known = lost.usage or Usage()
            return Completion(0, "", Finish.FAILED, known, error=str(lost), estimated=lost.usage is None)
        except RequestFailed as failure:
            return Completion(0, "", Finish.FAILED, Usage(), error=str(failure))
        if completion is None:
            raise EngineError(f"Engine {self.engine.name} ended a request without a completion.", "Report it as a bug.")
        return completion

    def _arrive(self, sample: Sample, bought: bool) -> Sample:
        self.sample = sample
        if sample.usage.prompt > 0:
            self._world.prompt_tokens[self.key.pool] = sample.usage.prompt
        if sample.finish is not Finish.CANCELLED:
            self._world.listener.sample(sample, bought)
        return sample

    def _to_sample(self, completion: Completion, retries: int) -> Sample:
        source = self.source
        whole = source.prefix + completion.text
        answer = self._task.extract(after_thinking(whole)) if completion.finish is Finish.STOP else None
        return Sample(
            problem=source.problem,
            pool=self.key.pool,
            index=self.key.index,
            engine=source.engine,
            text=completion.text,
            answer=answer,
            key=None if answer is None else self._task.canonical(answer),
            finish=completion.finish,
            usage=completion.usage,
            logprob=completion.logprob,
            tokens=completion.tokens,
            parent=digest(source.prefix) if source.prefix else None,
            started=completion.started,
            ended=completion.ended,
            device_seconds=completion.device_seconds,
            error=completion.error,
            queued_seconds=max(0.0, time.time() - self._wanted - (completion.ended - completion.started)),
            retries=retries,
        )

    def _estimate(self) -> Charge:
        """The most that a call can cost in tokens; cached prompt tokens are assumed to be none.

        A price by the second cannot be bounded beforehand: such dollars may overshoot by the calls in flight.
        """
        source = self.source
        known = self._world.prompt_tokens.get(self.key.pool)
        prompt = source.prompt.upper_bound_tokens() + len(source.prefix.encode()) if known is None else known
        return self._world.charge(source.engine, Usage(prompt=prompt, completion=source.prompt.max_tokens))


def pool_key(source: DrawnFrom) -> str:
    """A digest of everything that a sample's law depends on, and its problem; never of the strategy."""
    return digest({**asdict(source), "engine": None, "prompt": source.prompt.law()})
