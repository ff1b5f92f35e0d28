"""What one strategy's run of one problem has done so far, and what it costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from perpend.core.charge import Cause, Charges
from perpend.core.flight import Flight
from perpend.core.protocols import SampleKey
from perpend.core.purchase import most_usage
from perpend.core.result import StopReason
from perpend.core.sample import Sample
from perpend.core.world import World


@dataclass
class Account:
    """What a run has done so far; the views of it that verifiers get share one.

    Attributes:
        world: says what a call costs.
        charges: what the strategy would cost alone.
        samples: those that the strategy saw, in order.
        stop_reason: why its iterators ended.
        submitted: the best candidate in case time runs out, with its confidence.
        asked: samples asked for, by pool.
        prompts: those that have been charged, by engine, text and messages.
        unseen: samples on their way, or arrived and not handed over, with what brings them.
    """

    world: World
    charges: Charges = field(default_factory=Charges)
    samples: list[Sample] = field(default_factory=list)
    stop_reason: StopReason = StopReason.COMPLETE
    submitted: tuple[float, Sample] | None = None
    asked: Counter[str] = field(default_factory=Counter)
    prompts: set[tuple[object, ...]] = field(default_factory=set)
    unseen: dict[SampleKey, Flight] = field(default_factory=dict)

    def book(self, key: SampleKey, cause: Cause) -> None:
        """Charge what came of a sample: its prompt counts once, and was cached every other time; that of a piece that
        continues another is in the cache too, with what it continues.

        Dollars are those that the engine bills: of a prompt that came again, what it says that it had cached, and
        nothing where one call asked for several samples. A sample whose tokens nobody counted is charged at its
        reservation, as uncertain.
        """
        flight = self.unseen.pop(key)
        while flight.lost:
            self.charges.add(*flight.lost.popitem())
        sample = flight.samples.get(key)
        if sample is None:
            return
        if sample.estimated:
            most = most_usage(self.world, flight.source, key.pool, 1)
            most = replace(most, prompt=0) if sample.choice else most
            self.charges.add(Cause.UNCERTAIN, self.world.charge(sample.engine, most, sample.device_seconds))
            return
        engine, usage, seconds = sample.engine, sample.usage, sample.device_seconds
        asked = (engine, flight.source.prompt.text, flight.source.prompt.messages)
        if asked in self.prompts or sample.parent is not None:
            charge = self.world.charge(engine, replace(usage, cached=usage.prompt), seconds)
            charge = replace(charge, usd=self.world.charge(engine, sample.billed, seconds).usd)
        else:
            charge = self.world.charge(engine, replace(usage, cached=0), seconds)
            self.prompts.update([asked] if usage.prompt else [])
        self.charges.add(cause, charge)
