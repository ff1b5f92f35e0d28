"""A noisy verifier whose quality is known, for simulated problems."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import Problem, Run, Sample, Score, derive_seed, digest
from perpend.core.simulation import law_of


class Simulated:
    """N(separation, 1) for right answers and N(0, 1) for wrong ones, by the problem's law; the same each time.

    It knows the law, so nothing that it says of a problem was measured; deployed, it stands for a trained scorer.
    """

    name = "simulated"
    oracle = False

    def __init__(self) -> None:
        self.fingerprint = digest([self.name, "N(separation * correct, 1)"])

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order. Raises ConfigError for a problem without a simulated law."""
        law = law_of(problem.id)
        return [Score(law.score(s.key or s.answer, derive_seed(problem.id, s.pool, s.index))) for s in samples]

    async def close(self) -> None:
        """It holds nothing."""
