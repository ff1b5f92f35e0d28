"""One call to an engine, for one sample or several: reserved before it is sent, settled with all that it brought."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from perpend.core.budget import Amount, Scope
from perpend.core.charge import Cause, Charge, Usage
from perpend.core.errors import CallLost, EngineError, RequestFailed, SamplesExhausted
from perpend.core.prompt import Request, derive_seed, digest
from perpend.core.protocols import DrawnFrom, SampleKey, Task
from perpend.core.result import StopReason
from perpend.core.sample import Completion, Delta, Finish, Generation, Sample, after_thinking
from perpend.core.world import World


class Purchase:
    """One call to an engine, from its reservation to its settlement.

    Several samples of one call are its choices: their prompt is billed once, they arrive together, and none of them can
    be drawn again alone.

    Args:
        world: where the engine is.
        task: gives samples their answers and keys.
        scope: the budget that it is held against.
        source: what is drawn from.
        keys: the samples' names, one for each choice; the seed is the first one's.
        cause: what it is for.
        attempt: how often it was made before, and lost.
        wanted: since when its samples have been waited for, in Unix seconds.

    Attributes:
        spent: what it came to, None while it is not settled.
    """

    def __init__(
        self,
        world: World,
        task: Task,
        scope: Scope,
        source: DrawnFrom,
        keys: Sequence[SampleKey],
        cause: Cause,
        attempt: int,
        wanted: float,
    ) -> None:
        self.spent: tuple[Cause, Charge] | None = None
        self._world = world
        self._task = task
        self._scope = scope
        self._source = source
        self._keys = keys
        self._cause = cause
        self._attempt = attempt
        self._wanted = wanted
        self._engine = world.engine(source.engine)
        self._estimate = world.charge(source.engine, most_usage(world, source, keys[0].pool, len(keys)))
        self._generation: Generation | None = None
        self._heard_tokens = 0

    def fits(self) -> bool:
        """Whether the budget has room for it now."""
        return self._scope.would_exceed(self._amount(self._estimate, len(self._keys))) is None

    def cancel(self) -> bool:
        """Ask the engine to end it, and say whether it is with the engine."""
        if self._generation is not None:
            self._generation.cancel()
        return self._generation is not None

    async def make(self) -> list[Sample] | StopReason:
        """The samples that came, the first choice first, or why the budget does not allow the call.

        Some may be missing, and all are where a call for several failed as a whole. One that was cut is CANCELLED, and
        not stored. Raises CallLost where the call broke, EngineError where the engine is lost.
        """
        self._refuse_impossible()
        held = await self._scope.reserve(self._amount(self._estimate, len(self._keys)))
        if isinstance(held, StopReason):
            return held
        kept: list[Sample] = []
        cause, charge = Cause.UNCERTAIN, self._estimate
        ticket = self._world.recorder.reserve(self._keys[0], self._source, self._estimate)
        try:
            completions = await self._completions()
            samples = self._to_samples(completions)
            kept = [sample for sample in samples if sample.finish is not Finish.CANCELLED]
            if not any(completion.estimated for completion in completions):
                cause, charge = Cause.DISCARDED if len(kept) < len(samples) else self._cause, self._sum(completions)
            charge = replace(charge, latency_seconds=max(each.ended - each.started for each in completions))
        except SamplesExhausted:
            cause, charge = self._cause, Charge()
            return StopReason.SAMPLES
        except BaseException as failure:
            known = failure.usage if isinstance(failure, EngineError) else None
            if known is None and self._engine.caps.local:
                known = Usage(completion=self._heard_tokens)
            if known is not None:
                cause, charge = Cause.DISCARDED, self._world.charge(self._engine.name, known)
            raise
        finally:
            self._generation = None
            self.spent = cause, charge
            self._world.recorder.settle(ticket, kept, cause, charge)
            held.settle(self._amount(charge, len(kept)))
        return samples

    def _refuse_impossible(self) -> None:
        """Raise EngineError, by name, for what would otherwise be left out silently; nothing is reserved for it."""
        prompt, engine, caps = self._source.prompt, self._engine.name, self._engine.caps
        if prompt.logprobs and 1 + prompt.logprobs > caps.logprobs:
            most = max(0, caps.logprobs - 1)
            raise EngineError(
                f"Engine {engine} cannot give the log-probabilities of the {prompt.logprobs} most likely tokens; "
                f"{f'{most} are the most' if most else 'it gives those of the chosen token at best'}.",
                "Lower logprobs, or use a server that gives more.",
            )
        if prompt.thinking_tokens is not None and not (caps.thinking and prompt.messages is not None):
            kind = "chat" if prompt.messages is not None else "raw"
            raise EngineError(
                f"Engine {engine} cannot bound the thinking of a {kind} prompt.",
                "Leave thinking_tokens out, or ask in chat a server that has a thinking budget.",
            )

    async def _completions(self) -> list[Completion]:
        """What the engine answers, the first choice first; one that FAILED where it will not."""
        request = Request(
            self._source.task,
            self._source.problem,
            self._keys[0].index,
            self._source.prompt,
            seed=derive_seed(self._world.seed, self._keys[0].pool, self._keys[0].index),
            n=len(self._keys),
            prefix=self._source.prefix,
            logprobs=min(1, self._engine.caps.logprobs) + self._source.prompt.logprobs,
            attempt=self._attempt,
        )
        self._generation = self._engine.generate(request)
        completions: list[Completion] = []
        try:
            async for item in self._generation:
                if isinstance(item, Delta):
                    self._heard_tokens += item.tokens
                    self._world.listener.delta(request, item)
                else:
                    completions.append(item)
        except asyncio.CancelledError:
            self._generation.cancel()
            raise
        except CallLost as lost:
            if lost.retry_seconds is not None:
                raise
            known = lost.usage or Usage()
            return [Completion(0, "", Finish.FAILED, known, error=str(lost), estimated=lost.usage is None)]
        except RequestFailed as failure:
            return [Completion(0, "", Finish.FAILED, Usage(), error=str(failure))]
        if not completions:
            raise EngineError(
                f"Engine {self._engine.name} ended a request without a completion.", "Report it as a bug."
            )
        return sorted(completions, key=lambda completion: completion.choice)

    def _to_samples(self, completions: Sequence[Completion]) -> list[Sample]:
        """One a completion, each with its whole prompt; of a call for several that failed, none."""
        if len(self._keys) == 1:
            return [self._to_sample(self._keys[0], completions[0])]
        prompt = completions[0].usage.prompt
        samples = []
        for choice, (key, each) in enumerate(zip(self._keys, completions, strict=False)):
            usage = replace(each.usage, prompt=prompt, cached=prompt if choice else each.usage.cached)
            samples.append(replace(self._to_sample(key, each), usage=usage, choice=choice))
        return [sample for sample in samples if sample.finish is not Finish.FAILED]

    def _to_sample(self, key: SampleKey, completion: Completion) -> Sample:
        source = self._source
        whole = source.prefix + completion.text
        if completion.recorded is not None:
            answer = completion.recorded.answer
        else:
            answer = self._task.extract(after_thinking(whole)) if completion.finish is Finish.STOP else None
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
            probes={} if completion.recorded is None else completion.recorded.probes,
            started=completion.started,
            ended=completion.ended,
            device_seconds=completion.device_seconds,
            error=completion.error,
            queued_seconds=max(0.0, time.time() - self._wanted - (completion.ended - completion.started)),
            retries=self._attempt,
            estimated=completion.estimated,
        )

    def _sum(self, completions: Sequence[Completion]) -> Charge:
        """What the call cost, by its completions."""
        usage = sum((completion.usage for completion in completions), Usage())
        seconds = [each.device_seconds for each in completions if each.device_seconds is not None]
        return self._world.charge(self._engine.name, usage, sum(seconds) if len(seconds) == len(completions) else None)

    def _amount(self, charge: Charge, samples: int) -> Amount:
        """What the budget counts of it: verifiers' samples are nobody's, and a piece that continues one is no other."""
        counted = samples if self._cause is Cause.GENERATOR and not self._source.prefix else 0
        return Amount(charge.usd or 0.0, charge.usage.tokens, counted)


def most_usage(world: World, source: DrawnFrom, pool: str, samples: int) -> Usage:
    """The most tokens that a call for so many samples of a pool can cost; cached ones are assumed to be none.

    A price by the second cannot be bounded beforehand: such dollars may overshoot by the calls in flight.
    """
    known = world.prompt_tokens.get(pool)
    prompt = source.prompt.upper_bound_tokens() + len(source.prefix.encode()) if known is None else known
    return Usage(prompt=prompt, completion=samples * source.prompt.max_tokens)
