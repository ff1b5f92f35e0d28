"""Outcomes to the cost of a question, per problem and N: the ledger of what a strategy would be charged alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from perpend.core import MEASURED, Floats, ModelShape, Outcomes, PoolField, Price, Spend
from perpend.study.results import Unit


@dataclass(frozen=True)
class Costs:
    """Means over orders, [problem, N]; None where a price or a model's shape is unknown, or a time not measured."""

    correct: Floats
    samples: Floats
    tokens: Floats | None
    flops: Floats | None
    usd: Floats | None
    latency_seconds: Floats | None
    device_seconds: Floats | None

    def counted_in(self, unit: Unit) -> Floats:
        """What budgets count. Tokens must have been measured."""
        cost = self.tokens if unit == "tokens" else self.samples
        assert cost is not None
        return cost

    def upto(self, n: int) -> Costs:
        """The same for N = 1 … n."""
        known = {name: part[:, :n] for name, part in vars(self).items() if part is not None}
        return replace(self, **known)


def costs(
    outcomes: Outcomes,
    shapes: Mapping[str, ModelShape | None],
    prices: Mapping[str, Price],
    measured: frozenset[PoolField] = MEASURED,
) -> Costs:
    """What each question costs on average, for every N, as far as it was `measured` of the samples."""
    spends = outcomes.spend
    if PoolField.TOKENS not in measured:
        shapes, prices = dict.fromkeys(spends), {}
    return Costs(
        correct=outcomes.correct.mean(axis=0),
        samples=outcomes.samples.mean(axis=0),
        tokens=_sum(*(spend.tokens for spend in spends.values())) if PoolField.TOKENS in measured else None,
        flops=_known([_flops(spend, outcomes, shapes[name]) for name, spend in spends.items()]),
        usd=_known([_usd(spend, prices.get(name)) for name, spend in spends.items()]),
        latency_seconds=_measured(outcomes.latency_seconds.mean(axis=0)) if PoolField.SECONDS in measured else None,
        device_seconds=_measured(_sum(*(spend.device_seconds for spend in spends.values()))),
    )


def _flops(spend: Spend, outcomes: Outcomes, shape: ModelShape | None) -> Floats | None:
    """The prompt once, then each sample after it; attention at the mean length of the samples drawn."""
    if shape is None:
        return None
    computed = spend.prompt - spend.cached
    generated = spend.completion + spend.discarded + spend.verifier
    length = generated / np.maximum(outcomes.samples, 1.0)
    nothing = np.zeros_like(computed)
    prompt = shape.flops(computed, nothing, nothing)
    each = shape.flops(computed, computed, length)
    return np.asarray((prompt + outcomes.samples * each).mean(axis=0))


def _usd(spend: Spend, price: Price | None) -> Floats | None:
    if price is None:
        return None
    tokens = (spend.prompt - spend.cached) * price.input + spend.cached * price.cached
    generated = spend.completion + spend.discarded + spend.verifier
    rent = spend.device_seconds * price.device_second if price.device_second else 0.0
    return _measured(np.asarray((tokens + generated * price.output + rent).mean(axis=0)))


def _sum(*parts: Floats) -> Floats:
    return np.asarray(sum(part.mean(axis=0) for part in parts))


def _known(parts: list[Floats | None]) -> Floats | None:
    known = [part for part in parts if part is not None]
    return np.asarray(sum(known)) if len(known) == len(parts) else None


def _measured(values: Floats) -> Floats | None:
    return None if np.isnan(values).any() else values
