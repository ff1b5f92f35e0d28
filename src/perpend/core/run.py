"""Run: all that a strategy sees of the world. It reserves, asks, settles, records and charges."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol

from perpend.core.budget import Amount, Budget, Scope
from perpend.core.charge import Cause, Charge, Charges, Price, Usage
from perpend.core.errors import ConfigError, EngineError
from perpend.core.problem import Problem
from perpend.core.prompt import Prompt, Request, derive_seed, digest
from perpend.core.protocols import DrawnFrom, Engine, Recorder, SampleKey, Strategy, Task, Verifier
from perpend.core.result import Certificate, Result, Score, StopReason
from perpend.core.sample import Completion, Delta, Finish, Generation, Sample

GRACE_SECONDS = 1.0
"""How long past its deadline a strategy may take to return what it has."""
CLOSE_SECONDS = 30.0
"""How long cancelled requests may take to hand over what they generated."""


class Listener(Protocol):
    """Told what happens, for progress displays."""

    def delta(self, request: Request, delta: Delta) -> None:
        """Text arrived."""
        ...

    def sample(self, sample: Sample, bought: bool) -> None:
        """A sample is complete: bought now, or already in the store."""
        ...


class Silent:
    """A listener that does nothing."""

    def delta(self, request: Request, delta: Delta) -> None:
        """Nothing."""

    def sample(self, sample: Sample, bought: bool) -> None:
        """Nothing."""


@dataclass
class World:
    """What all runs of a study, or of a service, share.

    Attributes:
        engines: by name; the first is the default.
        verifiers: by name, resolved by the study.
        recorder: where samples are looked up and stored.
        seed: of the study.
        prices: by engine name; an engine without one has no dollars.
        listener: told what happens.
        prompt_tokens: lengths of prompts seen so far, by digest, so that reservations need not assume the worst.
    """

    engines: Mapping[str, Engine]
    verifiers: Mapping[str, Verifier]
    recorder: Recorder
    seed: int = 0
    prices: Mapping[str, Price] = field(default_factory=dict)
    listener: Listener = field(default_factory=Silent)
    prompt_tokens: dict[str, int] = field(default_factory=dict)

    def engine(self, name: str | None) -> Engine:
        """An engine by name, the first for None. Raises ConfigError."""
        if name is None:
            return next(iter(self.engines.values()))
        if name not in self.engines:
            raise ConfigError(f"There is no engine {name!r}.", f"Named here: {', '.join(self.engines)}.")
        return self.engines[name]


@dataclass
class _Heard:
    """Tokens that have arrived of a completion so far."""

    tokens: int = 0


class Run:
    """One strategy at work on one problem.

    Args:
        world: what all runs share.
        task: extracts answers and gives them their canonical form.
        problem: with its key, which only oracles are shown.
        prompt: the problem, rendered.
        scope: the budget; every call reserves in it.
        engine: the default engine's name; None for the world's first.
    """

    def __init__(
        self, world: World, task: Task, problem: Problem, prompt: Prompt, scope: Scope, engine: str | None = None
    ) -> None:
        self.problem = problem.without_key()
        self.prompt = prompt
        self.stop_reason = StopReason.COMPLETE
        self.charges = Charges()
        self.samples: list[Sample] = []
        self._world = world
        self._task = task
        self._keyed_problem = problem
        self._scope = scope
        self._engine = engine
        self._cause = Cause.GENERATOR
        self._asked: Counter[str] = Counter()
        self._prompts_charged: set[str] = set()
        self._flying: dict[asyncio.Task[Sample | StopReason], Generation | None] = {}
        self._submitted: tuple[float, Sample] | None = None
        self._began = time.monotonic()

    @property
    def left(self) -> Budget:
        """What may still be spent."""
        return self._scope.left

    async def sample(
        self,
        n: int,
        prompt: Prompt | None = None,
        *,
        at_once: int = 1,
        order: Literal["index", "finish"] = "index",
        engine: str | None = None,
        prefix: str = "",
    ) -> AsyncIterator[Sample]:
        """Draw up to n samples, `at_once` at a time; ends early, without an exception, when the budget ends.

        `order` is that of the samples' indices, or of their finish. `prefix` is text that the completion continues.
        Raises EngineError where the engine is lost.
        """
        source = self._source(prompt or self.prompt, prefix, engine)
        waiting = deque(self._next_keys(source, n))
        flying: dict[asyncio.Task[Sample | StopReason], int] = {}
        ready: dict[int, Sample | StopReason] = {}
        upcoming = deque(key.index for key in waiting)
        while waiting or flying:
            while waiting and len(flying) < at_once:
                key = waiting.popleft()
                flying[self._start(source, key)] = key.index
            done, _ = await asyncio.wait(flying, timeout=self._seconds_left(), return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self.stop_reason = StopReason.SECONDS
                await self._cancel(list(flying))
                return
            for task in sorted(done, key=flying.__getitem__):
                ready[flying.pop(task)] = drawn = task.result()
                if isinstance(drawn, StopReason):
                    self.stop_reason = drawn
                    waiting.clear()
            for index in list(upcoming) if order == "finish" else _leading(upcoming, ready):
                if index in ready:
                    upcoming.remove(index)
                    drawn = ready.pop(index)
                    if isinstance(drawn, Sample):
                        yield drawn

    async def extend(
        self, prefix: str, n: int, prompt: Prompt | None = None, *, at_once: int = 1, engine: str | None = None
    ) -> AsyncIterator[Sample]:
        """Continue a partial completion n times. Raises ConfigError where the engine cannot."""
        chosen = self._world.engine(engine or self._engine)
        if not chosen.caps.continuation:
            raise ConfigError(f"Engine {chosen.name} cannot continue a partial text.", "Use one that can.")
        async for sample in self.sample(n, prompt, at_once=at_once, engine=engine, prefix=prefix):
            yield sample

    async def score(self, samples: Sequence[Sample], verifier: str) -> list[Score]:
        """A verifier's scores, those in the store taken from there. Raises ConfigError, VerifierError."""
        if verifier not in self._world.verifiers:
            raise ConfigError(f"There is no verifier {verifier!r}.", "See `perpend list verifiers`.")
        chosen, recorder = self._world.verifiers[verifier], self._world.recorder
        keys = [SampleKey(s.pool, s.index) for s in samples]
        known = [recorder.stored_score(key, chosen.fingerprint) for key in keys]
        missing = [i for i, score in enumerate(known) if score is None]
        if missing:
            problem = self._keyed_problem if chosen.oracle else self.problem
            fresh = await chosen.score(problem, [samples[i] for i in missing], self._view(Cause.VERIFIER))
            recorder.record_scores(chosen.fingerprint, [(keys[i], s) for i, s in zip(missing, fresh, strict=True)])
            for i, score in zip(missing, fresh, strict=True):
                known[i] = score
        return [score for score in known if score is not None]

    async def loglik(self, prompt: Prompt, text: str, engine: str | None = None) -> float:
        """The log-probability of a text after a prompt. Raises EngineError where the engine cannot score."""
        return await self._world.engine(engine or self._engine).loglik(prompt, text)

    def submit(self, sample: Sample, confidence: float) -> None:
        """Put an answer forward, in case time runs out: the highest confidence counts, the latest on ties."""
        if self._submitted is None or confidence >= self._submitted[0]:
            self._submitted = (confidence, sample)

    def result(
        self, chosen: Sample | None, stop_reason: StopReason | None = None, certificate: Certificate | None = None
    ) -> Result:
        """The result that returns a sample's answer (None: no answer)."""
        return Result(
            answer=chosen.answer if chosen else None,
            text=chosen.text if chosen else "",
            candidates=tuple(self.samples),
            stop_reason=stop_reason or self.stop_reason,
            charge=Charges.of(self.charges),
            certificate=certificate,
        )

    def submitted(self) -> Sample | None:
        """The candidate put forward with the highest confidence so far."""
        return self._submitted[1] if self._submitted else None

    async def close(self) -> None:
        """Cancel what is still running, and charge what it generated."""
        await self._cancel(list(self._flying))

    # --- one sample ---------------------------------------------------------------------------------------------

    def _start(self, source: DrawnFrom, key: SampleKey) -> asyncio.Task[Sample | StopReason]:
        task = asyncio.create_task(self._draw(source, key))
        self._flying[task] = None
        task.add_done_callback(lambda done: self._flying.pop(done, None))
        return task

    async def _draw(self, source: DrawnFrom, key: SampleKey) -> Sample | StopReason:
        stored = self._world.recorder.stored_sample(key)
        if stored is not None:
            self._deliver(stored, bought=False)
            return stored
        engine = self._world.engine(source.engine)
        estimate = self._estimate(engine, source, key)
        held = await self._scope.reserve(Amount(estimate.usd or 0.0, estimate.usage.tokens, 1))
        if isinstance(held, StopReason):
            return held
        ticket = self._world.recorder.reserve(key, source, estimate)
        sample, cause, charge = None, Cause.UNCERTAIN, estimate
        heard = _Heard()
        try:
            completion = await self._complete(engine, source, key, heard)
            sample = self._to_sample(source, key, completion)
            cause = Cause.DISCARDED if completion.finish is Finish.CANCELLED else self._cause
            charge = self._charge(engine, completion.usage, completion.device_seconds)
            charge = replace(charge, latency_seconds=sample.seconds)
        except (asyncio.CancelledError, EngineError):
            if engine.caps.local:
                cause, charge = Cause.DISCARDED, self._charge(engine, Usage(completion=heard.tokens), None)
            raise
        finally:
            kept = sample if sample is not None and sample.finish is not Finish.CANCELLED else None
            self._world.recorder.settle(ticket, kept, cause, charge)
            held.settle(Amount(charge.usd or 0.0, charge.usage.tokens, 1 if kept else 0))
        self._deliver(sample, bought=True)
        return sample

    async def _complete(self, engine: Engine, source: DrawnFrom, key: SampleKey, heard: _Heard) -> Completion:
        request = Request(
            source.task,
            source.problem,
            key.index,
            source.prompt,
            seed=derive_seed(self._world.seed, key.pool, key.index),
            prefix=source.prefix,
            logprobs=min(1, engine.caps.logprobs),
        )
        generation = engine.generate(request)
        this = asyncio.current_task()
        if this in self._flying:
            self._flying[this] = generation
        completion = None
        try:
            async for item in generation:
                if isinstance(item, Delta):
                    heard.tokens += item.tokens
                    self._world.listener.delta(request, item)
                else:
                    completion = item
        except asyncio.CancelledError:
            generation.cancel()
            raise
        if completion is None:
            raise EngineError(f"Engine {engine.name} ended a request without a completion.", "Report this as a bug.")
        return completion

    def _deliver(self, sample: Sample, bought: bool) -> None:
        """Book what the sample costs this strategy: its prompt counts once a problem, however often it was cached."""
        first = sample.pool not in self._prompts_charged
        self._prompts_charged.add(sample.pool)
        usage = replace(sample.usage, cached=0 if first else sample.usage.prompt)
        engine = self._world.engine(sample.engine)
        cause = Cause.DISCARDED if sample.finish is Finish.CANCELLED else self._cause
        self.charges.add(cause, self._charge(engine, usage, sample.device_seconds))
        self._world.prompt_tokens[sample.pool] = sample.usage.prompt
        if sample.finish is not Finish.CANCELLED:
            if self._cause is Cause.GENERATOR:
                self.samples.append(sample)
            self._world.listener.sample(sample, bought)

    def _to_sample(self, source: DrawnFrom, key: SampleKey, completion: Completion) -> Sample:
        whole = source.prefix + completion.text
        answer = self._task.extract(whole) if completion.finish is Finish.STOP else None
        return Sample(
            problem=source.problem,
            pool=key.pool,
            index=key.index,
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
        )

    # --- what it costs ------------------------------------------------------------------------------------------

    def _charge(self, engine: Engine, usage: Usage, device_seconds: float | None) -> Charge:
        price = self._world.prices.get(engine.name)
        return Charge(
            usage,
            calls=1,
            usd=None if price is None else price.usd(usage, device_seconds or 0.0),
            flops=None if engine.shape is None else engine.shape.flops(usage.prompt, usage.cached, usage.completion),
            device_seconds=device_seconds,
        )

    def _estimate(self, engine: Engine, source: DrawnFrom, key: SampleKey) -> Charge:
        """The most that a call can cost; cached prompt tokens are assumed to be none."""
        known = self._world.prompt_tokens.get(key.pool)
        prompt = source.prompt.upper_bound_tokens() + len(source.prefix.encode()) if known is None else known
        return self._charge(engine, Usage(prompt=prompt, completion=source.prompt.max_tokens), None)

    # --- helpers ------------------------------------------------------------------------------------------------

    def _source(self, prompt: Prompt, prefix: str, engine: str | None) -> DrawnFrom:
        chosen = self._world.engine(engine or self._engine)
        return DrawnFrom(self._task.name, self.problem.id, chosen.name, chosen.fingerprint, prompt, prefix)

    def _next_keys(self, source: DrawnFrom, n: int) -> list[SampleKey]:
        pool = pool_key(source)
        first = self._asked[pool]
        self._asked[pool] += n
        return [SampleKey(pool, index) for index in range(first, first + n)]

    def _seconds_left(self) -> float | None:
        left = self._scope.seconds_left()
        return None if left is None else max(left, 0.0)

    async def _cancel(self, tasks: Sequence[asyncio.Task[Sample | StopReason]]) -> None:
        for task in tasks:
            generation = self._flying.get(task)
            if generation is None:
                task.cancel()
            else:
                generation.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in stuck:
                task.cancel()

    def _view(self, cause: Cause) -> Run:
        """The same run, booking under another cause."""
        view = copy.copy(self)
        view._cause = cause
        return view


async def perform(strategy: Strategy, run: Run) -> Result:
    """Let a strategy answer the run's problem. If its time is up before it returns, what it submitted is the result."""
    left = run.left.seconds
    try:
        async with asyncio.timeout(None if left is None else max(left, 0.0) + GRACE_SECONDS):
            result = await strategy(run.problem, run)
    except TimeoutError:
        result = run.result(run.submitted(), StopReason.SECONDS)
    finally:
        await run.close()
    charges = Charges.of(run.charges)
    charges.add(Cause.GENERATOR, Charge(latency_seconds=time.monotonic() - run._began))
    return replace(result, charge=charges)


def pool_key(source: DrawnFrom) -> str:
    """A digest of everything that a sample's law depends on, and its problem; never of the strategy."""
    parts = {**asdict(source), "engine": None}
    return digest(parts)


def _leading(upcoming: Sequence[int], ready: Mapping[int, object]) -> list[int]:
    """The indices at the head of the queue that are ready."""
    leading = []
    for index in upcoming:
        if index not in ready:
            break
        leading.append(index)
    return leading
