"""Scoring a given text: reserved, asked for and settled, as the drawing of a sample is."""

from __future__ import annotations

from perpend.core.budget import Amount, Scope
from perpend.core.charge import Cause, Charge, Charges, Usage
from perpend.core.errors import EngineError
from perpend.core.flight import pool_key
from perpend.core.protocols import DrawnFrom, SampleKey
from perpend.core.result import StopReason
from perpend.core.world import World


async def score_text(
    world: World, scope: Scope, source: DrawnFrom, cause: Cause, charges: Charges
) -> float | StopReason:
    """The log-probability of the source's prefix after its prompt, or why the budget does not allow it.

    Engines do not count what they read, so it is charged at its reservation: prompt and text by their bytes, and the
    one token that an endpoint generates after them. A call that breaks is charged the same, as uncertain; at a local
    engine it costs nothing. Raises EngineError where the engine cannot score.
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
    booked = Cause.DISCARDED if engine.caps.local else Cause.UNCERTAIN, Charge() if engine.caps.local else charge
    try:
        value = await engine.loglik(source.prompt, source.prefix)
        booked = cause, charge
    finally:
        world.recorder.settle(ticket, None, *booked)
        held.settle(Amount(booked[1].usd or 0.0, booked[1].usage.tokens))
        charges.add(*booked)
    return value
