"""What all runs of a study, or of a service, share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from perpend.core.charge import Charge, Price, Usage
from perpend.core.errors import ConfigError
from perpend.core.prompt import Request
from perpend.core.protocols import Engine, Recorder, SampleKey, Verifier
from perpend.core.sample import Delta, Sample


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
        prompt_tokens: lengths of prompts seen so far, by pool, so that reservations need not assume the worst.
        in_flight: samples being drawn, so that two runs never buy the same one.
        reproducible: samples are to be drawn again one by one, where the engine can.
    """

    engines: Mapping[str, Engine]
    verifiers: Mapping[str, Verifier]
    recorder: Recorder
    seed: int = 0
    prices: Mapping[str, Price] = field(default_factory=dict)
    listener: Listener = field(default_factory=Silent)
    prompt_tokens: dict[str, int] = field(default_factory=dict)
    in_flight: dict[SampleKey, asyncio.Event] = field(default_factory=dict)
    reproducible: bool = True

    def engine(self, name: str | None) -> Engine:
        """An engine by name, the first for None. Raises ConfigError."""
        if name is None:
            return next(iter(self.engines.values()))
        if name not in self.engines:
            raise ConfigError(f"There is no engine {name!r}.", f"Named here: {', '.join(self.engines)}.")
        return self.engines[name]

    def charge(self, engine: str, usage: Usage, device_seconds: float | None = None) -> Charge:
        """What a call at an engine costs."""
        price, shape = self.prices.get(engine), self.engines[engine].shape
        return Charge(
            usage,
            calls=1,
            usd=None if price is None else price.usd(usage, device_seconds or 0.0),
            flops=None if shape is None else shape.flops(usage.prompt, usage.cached, usage.completion),
            device_seconds=device_seconds,
        )
