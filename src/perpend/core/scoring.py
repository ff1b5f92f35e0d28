"""Scores: of samples by a verifier, and of a given text by the model, which is paid for as the drawing of one is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perpend.core.budget import Amount, Scope
from perpend.core.charge import Cause, Charges, Usage
from perpend.core.errors import CallLost, ConfigError, EngineError, VerifierError
from perpend.core.flight import pool_key
from perpend.core.problem import Problem
from perpend.core.protocols import DrawnFrom, SampleKey
from perpend.core.result import Score, StopReason
from perpend.core.sample import Sample
from perpend.core.world import World

if TYPE_CHECKING:
    from perpend.core.run import Run


async def score_samples(
    world: World, problem: Problem, samples: Sequence[Sample], verifier: str, run: Run
) -> list[Score]:
    """A verifier's scores, those in the store taken from there; `run` books what it spends, as a verifier's.

    The problem comes with its key, which only oracles are shown. Raises ConfigError, VerifierError.
    """
    if verifier not in world.verifiers:
        raise ConfigError(f"There is no verifier {verifier!r}.", "See `perpend list verifiers`.")
    chosen = world.verifiers[verifier]
    keys = [SampleKey(s.pool, s.index) for s in samples]
    known = {key: world.recorder.stored_score(key, chosen.fingerprint) for key in keys}
    missing = [sample for sample, key in zip(samples, keys, strict=True) if known[key] is None]
    if missing:
        fresh = await chosen.score(problem if chosen.oracle else problem.without_key(), missing, run)
        if len(fresh) != len(missing):
            raise VerifierError(
                f"Verifier {verifier} gave {len(fresh)} scores for {len(missing)} samples.",
                "Return one score a sample, in order.",
            )
        new = [(SampleKey(s.pool, s.index), score) for s, score in zip(missing, fresh, strict=True)]
        world.recorder.record_scores(chosen.fingerprint, new)
        known.update(new)
    return [score for key in keys if (score := known[key]) is not None]


async def score_text(
    world: World, scope: Scope, source: DrawnFrom, cause: Cause, charges: Charges
) -> float | StopReason:
    """The log-probability of the source's prefix after its prompt, or why the budget does not allow it.

    A call that broke is made again under a new reservation, until the engine says that it will not be answered. Raises
    EngineError where the engine cannot score.
    """
    attempt = 0
    while True:
        try:
            return await _score_once(world, scope, source, cause, charges, attempt)
        except CallLost as lost:
            if lost.retry_seconds is None:
                raise
            await asyncio.sleep(lost.retry_seconds)
            attempt += 1


async def _score_once(
    world: World, scope: Scope, source: DrawnFrom, cause: Cause, charges: Charges, attempt: int
) -> float | StopReason:
    """One call. Engines do not count what they read, so it is charged at its reservation: prompt and text by their
    bytes, and the one token that an endpoint generates after them.

    One that breaks is charged the same, as uncertain, unless the engine says what it cost; at a local engine it costs
    nothing.
    """
    engine = world.engine(source.engine)
    if not engine.caps.loglik:
        raise EngineError(f"Engine {engine.name} cannot score a given text.", "Use one that can.")
    tokens = source.prompt.upper_bound_tokens() + len(source.prefix.encode())
    charge = world.charge(engine.name, Usage(prompt=tokens, completion=0 if engine.caps.local else 1))
    held = await scope.reserve(Amount(charge.usd or 0.0, charge.usage.tokens))
    if isinstance(held, StopReason):
        return held
    ticket = world.recorder.reserve(SampleKey(pool_key(source), 0), source, charge)
    booked = Cause.UNCERTAIN, charge
    try:
        value = await engine.loglik(source.prompt, source.prefix, attempt)
        booked = cause, charge
    except BaseException as failure:
        known = failure.usage if isinstance(failure, EngineError) else None
        if known is None and engine.caps.local:
            known = Usage()
        if known is not None:
            booked = Cause.DISCARDED, world.charge(engine.name, known)
        raise
    finally:
        world.recorder.settle(ticket, [], *booked)
        held.settle(Amount(booked[1].usd or 0.0, booked[1].usage.tokens))
        charges.add(*booked)
    return value
