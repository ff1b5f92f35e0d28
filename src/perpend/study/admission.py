"""Which blocks may begin: a study that ends early is small, not biased, so blocks that begin must be able to finish."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from perpend.core import Amount, Budget, Price, Scope, StopReason
from perpend.store import Store
from perpend.study.ledger import priced

CAPS = ("usd", "tokens", "samples")


@dataclass
class Admission:
    """Admits a block only if what is left covers the blocks in flight and one more, at the dearest seen so far.

    Stopping at whichever blocks happened to fit would favour the short ones. A block is taken to cost the samples that
    it lacks, each at the mean of the problem whose samples were the dearest; so a block that is half drawn, or larger
    than those before it, is judged by what it will buy. Until a block has finished nothing is known, so under a cap
    the first runs alone.

    Attributes:
        scope: the job's budget.
        per_problem: the caps of each block, which bound what it can cost.
        dearest: usd and tokens of a sample, None while unknown.
        longest_seconds: that a block took.
    """

    scope: Scope
    per_problem: Budget = field(default_factory=Budget)
    dearest: tuple[float, float] | None = None
    longest_seconds: float = 0.0
    _in_flight: list[int] = field(default_factory=list)

    def may_begin(self, samples: int) -> bool:
        """Whether a block that lacks so many samples can be afforded now."""
        if samples == 0:
            return True
        alone = not self._in_flight or self.dearest is not None or not self._capped
        return alone and not self.scope.ended and self.shortage(samples) is None

    def shortage(self, samples: int) -> StopReason | None:
        """The cap that a block that lacks so many samples would not fit into, None where it fits."""
        left = self.scope.left
        if left.seconds is not None and left.seconds <= self.longest_seconds:
            return StopReason.SECONDS
        for scope in self.scope.chain():
            for cap in CAPS:
                limit = getattr(scope.budget, cap)
                needed = sum(self._needed(cap, lacking) for lacking in (*self._in_flight, samples))
                if limit is not None and getattr(scope.spent, cap) + needed > limit:
                    return StopReason(cap)
        return None

    def begun(self, samples: int) -> None:
        """A block that lacks so many samples has begun."""
        self._in_flight.append(samples)

    def finished(self, samples: int, spent: Amount, seconds: float) -> None:
        """Such a block has finished, and cost this much."""
        self._in_flight.remove(samples)
        if spent.samples:
            self._learn(spent)
            self.longest_seconds = max(self.longest_seconds, seconds)

    def learn(self, history: Iterable[ProblemHistory]) -> None:
        """What earlier runs have seen."""
        for each in history:
            if each.spent.samples:
                self._learn(each.spent)
                self.longest_seconds = max(self.longest_seconds, each.longest_run)

    def _learn(self, spent: Amount) -> None:
        usd, tokens = self.dearest or (0.0, 0.0)
        self.dearest = max(usd, spent.usd / spent.samples), max(tokens, spent.tokens / spent.samples)

    def _needed(self, cap: str, samples: int) -> float:
        usd, tokens = self.dearest or (0.0, 0.0)
        each = {"usd": usd, "tokens": tokens, "samples": 1}[cap]
        most = getattr(self.per_problem, cap)
        return min(each * samples, math.inf if most is None else most)

    @property
    def _capped(self) -> bool:
        return any(
            getattr(s.budget, cap) is not None for s in self.scope.chain() for cap in ("usd", "tokens", "seconds")
        )


@dataclass
class ProblemHistory:
    """What one problem has cost so far: amounts, seconds over all runs, and the longest that one run worked on it."""

    spent: Amount = field(default_factory=Amount)
    seconds: float = 0.0
    longest_run: float = 0.0


def histories(store: Store, prices: Mapping[str, Price]) -> dict[tuple[str, str], ProblemHistory]:
    """By task and problem; what had no price when it was bought counts at the price that is known now."""
    found = {name: ProblemHistory(Amount(samples=count)) for name, count in store.problem_counts().items()}
    spans: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    for each in store.bought():
        key, end = (each.task, each.problem), each.at + each.seconds
        usd = priced(each.charge, prices.get(each.engine)).usd or 0.0
        found.setdefault(key, ProblemHistory()).spent += Amount(usd, each.charge.usage.tokens)
        began, until = spans.setdefault(key, {}).get(each.run, (each.at, end))
        spans[key][each.run] = min(began, each.at), max(until, end)
    for key, runs in spans.items():
        lengths = [until - began for began, until in runs.values()]
        found[key].seconds, found[key].longest_run = sum(lengths), max(lengths)
    return found
