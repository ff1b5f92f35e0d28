"""A recorder that keeps everything in memory: for one question, for tests, for planning."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core.charge import Cause, Charge, Charges
from perpend.core.protocols import DrawnFrom, SampleKey
from perpend.core.result import Score
from perpend.core.sample import Sample


class MemoryRecorder:
    """Implements `Recorder` without a file. `bought` holds what was paid, each token once."""

    def __init__(self) -> None:
        self.samples: dict[SampleKey, Sample] = {}
        self.scores: dict[tuple[SampleKey, str], Score] = {}
        self.bought = Charges()
        self._reservations = 0

    def stored_sample(self, key: SampleKey) -> Sample | None:
        """A sample bought earlier."""
        return self.samples.get(key)

    def stored_score(self, key: SampleKey, verifier: str) -> Score | None:
        """A score given earlier."""
        return self.scores.get((key, verifier))

    def reserve(self, key: SampleKey, source: DrawnFrom, estimate: Charge) -> int:  # noqa: ARG002 (nothing survives)
        """Nothing outlives the process, so nothing is kept."""
        self._reservations += 1
        return self._reservations

    def reserve_overhead(self, engine: str, estimate: Charge) -> int:  # noqa: ARG002 (nothing survives)
        """The same."""
        self._reservations += 1
        return self._reservations

    def settle(self, reservation: int, samples: Sequence[Sample], cause: Cause, charge: Charge) -> None:  # noqa: ARG002
        """Keep the samples, and book their cost."""
        self.bought.add(cause, charge)
        self.samples.update({SampleKey(sample.pool, sample.index): sample for sample in samples})

    def record_scores(self, verifier: str, scores: Sequence[tuple[SampleKey, Score]]) -> None:
        """Keep the scores."""
        self.scores.update({(key, verifier): score for key, score in scores})
