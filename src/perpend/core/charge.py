"""What things cost: tokens, calls, money, compute and time, kept by cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True)
class Usage:
    """Tokens of one or more calls. `cached` is part of `prompt`, `reasoning` is part of `completion`."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0

    @property
    def tokens(self) -> int:
        """The tokens that count everywhere: prompt − cached + completion."""
        return self.prompt - self.cached + self.completion

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)))

    def __sub__(self, other: Usage) -> Usage:
        """What has come on top of an earlier count."""
        return Usage(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(Usage)))


@dataclass(frozen=True)
class Price:
    """Dollars per token of each kind, and per second of a device that is rented by time."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    device_second: float = 0.0

    def usd(self, usage: Usage, device_seconds: float = 0.0) -> float:
        """(prompt − cached)·input + cached·cached price + completion·output + seconds·rent."""
        return (
            (usage.prompt - usage.cached) * self.input
            + usage.cached * self.cached
            + usage.completion * self.output
            + device_seconds * self.device_second
        )


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a transformer that its compute depends on.

    Attributes:
        parameters: all weights that a token's forward pass multiplies by.
        layers: transformer blocks.
        width: attention heads × head dimension.
    """

    parameters: int
    layers: int
    width: int

    def flops(self, prompt: Number, cached: Number, completion: Number) -> Number:
        """2 × parameters a token, plus attention: 4 × layers × width for every earlier position (Kaplan 2001.08361)."""
        last = prompt + completion
        computed = last - cached
        positions = (last * (last + 1) - cached * (cached + 1)) / 2
        return 2.0 * self.parameters * computed + 4.0 * self.layers * self.width * positions


class Cause(StrEnum):
    """What a charge was for."""

    GENERATOR = "generator"
    """Samples that the strategy saw."""
    VERIFIER = "verifier"
    """Scores."""
    TOOL = "tool"
    """Code that was run."""
    DISCARDED = "discarded"
    """Tokens generated and thrown away: cancelled samples."""
    OVERHEAD = "overhead"
    """What is no sample's: probing an engine, and the rows that fill its batch up."""
    UNCERTAIN = "uncertain"
    """Calls that may have cost their whole reservation: they failed, or nobody counted their tokens."""


@dataclass(frozen=True)
class Charge:
    """The cost of some calls.

    Attributes:
        usage: tokens.
        calls: requests sent.
        usd: dollars, None where no price is known.
        flops: floating-point operations, None where the model's shape is unknown.
        latency_seconds: the critical path.
        device_seconds: this charge's share of the engine's time, None where the engine cannot tell.
    """

    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    usd: float | None = 0.0
    flops: float | None = 0.0
    latency_seconds: float = 0.0
    device_seconds: float | None = 0.0

    def __add__(self, other: Charge) -> Charge:
        """Costs add up; latencies too, as for calls made one after the other."""
        return Charge(
            self.usage + other.usage,
            self.calls + other.calls,
            _add(self.usd, other.usd),
            _add(self.flops, other.flops),
            self.latency_seconds + other.latency_seconds,
            _add(self.device_seconds, other.device_seconds),
        )


class Charges(dict[Cause, Charge]):
    """Charges by cause."""

    @classmethod
    def of(cls, charges: Mapping[Cause, Charge]) -> Charges:
        """A copy."""
        return cls(charges)

    def add(self, cause: Cause, charge: Charge) -> None:
        """Book one charge."""
        self[cause] = self[cause] + charge if cause in self else charge

    @property
    def total(self) -> Charge:
        """All causes together."""
        return sum(self.values(), Charge())


def _add(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
