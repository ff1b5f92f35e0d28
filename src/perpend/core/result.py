"""What a strategy returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from perpend.core.charge import Charges
from perpend.core.sample import Sample


class StopReason(StrEnum):
    """Why a strategy stopped."""

    COMPLETE = "complete"
    """It drew all that it asked for."""
    ACCEPTED = "accepted"
    """A verifier accepted an answer, or a rule found the samples drawn to suffice."""
    ABSTAINED = "abstained"
    """It drew all that it asked for, and could not certify the answer that it gives."""
    USD = "usd"
    """The dollars ran out."""
    TOKENS = "tokens"
    """The tokens ran out."""
    SECONDS = "seconds"
    """The time ran out."""
    SAMPLES = "samples"
    """The samples ran out."""


@dataclass(frozen=True)
class Score:
    """A verifier's opinion of one sample.

    Attributes:
        value: higher is better, on any scale; NaN where the verifier has no opinion.
        probability: calibrated, in [0, 1], where the verifier gives one.
        steps: one value a step, from process verifiers.
        rationale: why, from generative verifiers.
    """

    value: float
    probability: float | None = None
    steps: tuple[float, ...] | None = None
    rationale: str | None = None


@dataclass(frozen=True)
class Certificate:
    """What an early stop rests on: the rule, its evidence, the confidence, and what it does not certify.

    A rule that weighs no probability has no confidence: None.
    """

    rule: str
    evidence: str
    confidence: float | None
    limits: str


@dataclass(frozen=True)
class Result:
    """A strategy's answer to one problem, with all it cost.

    Attributes:
        answer: None where no sample held one.
        text: the chosen sample's whole text.
        candidates: every sample that was seen, in order.
        charge: what it would cost alone, by cause.
        stop_reason: why it stopped.
        certificate: of an early stop.
    """

    answer: str | None
    text: str
    candidates: tuple[Sample, ...]
    stop_reason: StopReason
    charge: Charges = field(default_factory=Charges)
    certificate: Certificate | None = None
