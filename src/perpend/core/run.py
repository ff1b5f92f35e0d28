"""Run: all that a strategy sees of the world. It draws, scores, and books what that costs."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from perpend.core.account import Account
from perpend.core.arrivals import Arrivals, Order
from perpend.core.budget import Budget, Scope
from perpend.core.charge import Cause, Charge, Charges
from perpend.core.errors import ConfigError
from perpend.core.flight import Flight, most_choices, pool_key
from perpend.core.problem import Problem
from perpend.core.prompt import Prompt
from perpend.core.protocols import DrawnFrom, SampleKey, Strategy, Task
from perpend.core.result import Certificate, Result, Score, StopReason
from perpend.core.sample import Probe, Sample, after_thinking
from perpend.core.scoring import score_samples, score_text
from perpend.core.world import World

GRACE_SECONDS = 1.0
"""How long past its deadline a strategy may take to return what it has."""
PROBE_TOKENS = 16
"""Of an answer that is forced before a sample has ended."""
CUE = "\nThe answer is"
THINKING_CUE = "\n</think>\n\nThe final answer is"
CLOSE_SECONDS = 30.0
"""How long cancelled requests may take to hand over what they generated."""


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
        self.began = time.monotonic()
        self._world = world
        self._task = task
        self._keyed_problem = problem
        self._scope = scope
        self._engine = engine
        self._cause = Cause.GENERATOR
        self._account = Account(world)

    @property
    def left(self) -> Budget:
        """What may still be spent."""
        return self._scope.left

    @property
    def stop_reason(self) -> StopReason:
        """Why an iterator ended early; COMPLETE while none has."""
        return self._account.stop_reason

    @property
    def charges(self) -> Charges:
        """What the strategy would cost alone, so far, by cause."""
        return self._account.charges

    @property
    def samples(self) -> list[Sample]:
        """Those that the strategy has seen, in order."""
        return self._account.samples

    async def sample(
        self,
        n: int,
        prompt: Prompt | None = None,
        *,
        at_once: int = 1,
        order: Order = "index",
        engine: str | None = None,
        prefix: str = "",
        together: bool = False,
    ) -> AsyncIterator[Sample]:
        """Draw up to n samples, `at_once` at a time; ends early, without an exception, when the budget ends.

        `order` is that of the samples' indices, or of their finish. `prefix` is text that the completion continues.
        `together` lets one call ask for several (`most_choices`): for who cancels none of them alone. When the time is
        up, those that have finished are handed over first. Raises EngineError where the engine is lost.
        """
        if at_once < 1:
            raise ValueError(f"at_once is {at_once}: at least one sample must be on its way.")
        source = self._source(prompt or self.prompt, prefix, engine)
        calls = -(-at_once // (most_choices(self._world, source) if together else 1))
        waiting = deque(self._next_keys(source, n, at_once // calls))
        arrivals = Arrivals(order, waiting[0][0].index if waiting else 0)
        flying: set[Flight] = set()
        landed: asyncio.Queue[Flight] = asyncio.Queue()
        try:
            while waiting or flying:
                while waiting and len(flying) < calls:
                    flying.add(self._launch(source, waiting.popleft(), landed))
                flight = await self._next(landed)
                if flight is None:
                    self._account.stop_reason = StopReason.SECONDS
                    break
                flying.discard(flight)
                outcome = flight.result()
                if isinstance(outcome, StopReason):
                    self._account.stop_reason = outcome
                    waiting.clear()
                arrivals.add(flight)
                for sample in arrivals.take():
                    yield self._see(sample)
        finally:  # the time is up, the strategy has seen enough, or the engine is lost
            for unwanted in flying:
                unwanted.cut()
        for unwanted in flying:
            arrivals.add(unwanted)  # of several samples, some may be there
        for sample in arrivals.rest():
            yield self._see(sample)

    async def extend(
        self, prefix: str, n: int, prompt: Prompt | None = None, *, at_once: int = 1, engine: str | None = None
    ) -> AsyncIterator[Sample]:
        """Continue a partial completion n times. Raises ConfigError where the engine cannot."""
        self._continuing(engine or self._engine)
        async for sample in self.sample(n, prompt, at_once=at_once, engine=engine, prefix=prefix):
            yield sample

    async def grow(self, tokens: int, sample: Sample | None = None, prompt: Prompt | None = None) -> Sample | None:
        """A new sample, or one that has begun, at most so many tokens longer: cut at LENGTH until it comes to its end.

        However often it grows, it is one sample, in the budget and among `samples`. None where the budget ends. Raises
        ConfigError where the engine cannot continue a text.
        """
        self._continuing(self._engine)
        said, whole = sample.usage.completion if sample else 0, prompt or self.prompt
        prompt = replace(whole, max_tokens=min(tokens, whole.max_tokens - said))
        pieces = self.sample(1, prompt) if sample is None else self.extend(sample.text, 1, prompt)
        async for piece in pieces:
            if sample is None:
                return piece
            grown = sample.with_more(piece)
            self._account.samples.remove(piece)
            self._account.samples[self._account.samples.index(sample)] = grown
            return grown
        return None

    async def probe(self, sample: Sample, cue: str | None = None, tokens: int = PROBE_TOKENS) -> Probe | None:
        """The answer that a sample which has begun gives when it is made to give one now, at temperature 0.

        It is charged as a verifier's call, and the sample does not go on from it. None where the budget ends. Raises
        ConfigError where the engine cannot continue a text.

        Args:
            sample: it stays as it is.
            cue: what is written after it for that; None: one that ends its thinking where it thinks.
            tokens: the most that it may answer.
        """
        thinks = "<think>" in sample.text and "</think>" not in sample.text
        cue = cue or (THINKING_CUE if thinks else CUE)
        prompt = replace(self.prompt, max_tokens=tokens, temperature=0.0)
        async for said in self._view(Cause.VERIFIER).extend(sample.text + cue, 1, prompt):
            answer = self._task.extract(after_thinking(cue + said.text)) if said.text else None
            key = None if answer is None else self._task.canonical(answer)
            return Probe(answer, key, said.usage.completion)
        return None

    async def score(self, samples: Sequence[Sample], verifier: str) -> list[Score]:
        """A verifier's scores, those in the store taken from there. Raises ConfigError, VerifierError."""
        return await score_samples(self._world, self._keyed_problem, samples, verifier, self._view(Cause.VERIFIER))

    async def loglik(self, prompt: Prompt, text: str, engine: str | None = None) -> float | None:
        """The log-probability of a text after a prompt; None where the budget ends, and `stop_reason` says why.

        Raises EngineError where the engine cannot score.
        """
        source, account = self._source(prompt, text, engine), self._account
        scored = await score_text(self._world, self._scope, source, self._cause, account.charges)
        if isinstance(scored, StopReason):
            account.stop_reason = scored
            return None
        return scored

    def submit(self, sample: Sample, confidence: float) -> None:
        """Put an answer forward, in case time runs out: the highest confidence counts, the latest on ties."""
        best = self._account.submitted
        if best is None or confidence >= best[0]:
            self._account.submitted = (confidence, sample)

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
        return self._account.submitted[1] if self._account.submitted else None

    async def close(self) -> None:
        """Cancel what is still running, and charge all that was generated and not seen as discarded."""
        unseen = self._account.unseen
        flights = set(unseen.values())
        for flight in flights:
            flight.cut()
        deadline = time.monotonic() + CLOSE_SECONDS
        for flight in flights:
            await flight.wait(max(0.0, deadline - time.monotonic()))
        for flight in flights:
            if not flight.ended:
                flight.abandon()
                await flight.wait(GRACE_SECONDS)
        for key in sorted(unseen, key=lambda key: (key.pool, key.index)):
            self._account.book(key, Cause.DISCARDED)

    def _continuing(self, engine: str | None) -> None:
        """Raise ConfigError unless an engine can continue a text."""
        chosen = self._world.engine(engine)
        if not chosen.caps.continuation:
            raise ConfigError(f"Engine {chosen.name} cannot continue a partial text.", "Use one that can.")

    def _launch(self, source: DrawnFrom, keys: Sequence[SampleKey], landed: asyncio.Queue[Flight]) -> Flight:
        flight = Flight(self._world, self._task, self._scope, source, keys, self._cause)
        self._account.unseen.update(dict.fromkeys(keys, flight))
        flight.launch(landed.put_nowait)
        return flight

    async def _next(self, landed: asyncio.Queue[Flight]) -> Flight | None:
        """The flight that ended first, None where the time is up."""
        if not landed.empty():
            return landed.get_nowait()
        left = self._scope.seconds_left()
        try:
            return await asyncio.wait_for(landed.get(), None if left is None else max(left, 0.0))
        except TimeoutError:
            return None

    def _see(self, sample: Sample) -> Sample:
        """Hand a sample to the strategy, which from now on has paid for it."""
        self._account.book(SampleKey(sample.pool, sample.index), self._cause)
        if self._cause is Cause.GENERATOR:
            self._account.samples.append(sample)
        return sample

    def _source(self, prompt: Prompt, prefix: str, engine: str | None) -> DrawnFrom:
        chosen = self._world.engine(engine or self._engine)
        return DrawnFrom(self._task.name, self.problem.id, chosen.name, chosen.fingerprint, prompt, prefix)

    def _next_keys(self, source: DrawnFrom, n: int, together: int) -> list[list[SampleKey]]:
        """The next n of a pool, so many at a time."""
        pool = pool_key(source)
        first = self._account.asked[pool]
        self._account.asked[pool] += max(n, 0)
        keys = [SampleKey(pool, index) for index in range(first, first + n)]
        return [keys[start : start + together] for start in range(0, n, together)]

    def _view(self, cause: Cause) -> Run:
        """The same run, booking under another cause."""
        view = copy.copy(self)
        view._cause = cause
        return view


async def perform(strategy: Strategy, run: Run) -> Result:
    """Let a strategy answer the run's problem. If its time is up before it returns, what it submitted is the result."""
    left = run.left.seconds
    seconds = None if left is None else max(left, 0.0) + GRACE_SECONDS
    try:
        async with asyncio.timeout(seconds) as deadline:
            result = await strategy(run.problem, run)
    except TimeoutError:
        if not deadline.expired():
            raise
        result = run.result(run.submitted(), StopReason.SECONDS)
    finally:
        latency = time.monotonic() - run.began
        await run.close()
    charges = Charges.of(run.charges)
    charges.add(Cause.GENERATOR, Charge(latency_seconds=latency))
    return replace(result, charge=charges)
