"""The model's own confidence: mean log-probability of its tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perpend.core import Problem, Run, Sample, Score, digest


class Logprob:
    """The sample's log-probability over its completion tokens: ≤ 0, higher is surer; NaN where unknown."""

    name = "logprob"
    oracle = False

    def __init__(self) -> None:
        self.fingerprint = digest([self.name, "mean over completion tokens"])

    async def score(self, problem: Problem, samples: Sequence[Sample], run: Run) -> list[Score]:  # noqa: ARG002
        """One score a sample, in order."""
        return [Score(mean_logprob(sample)) for sample in samples]

    async def close(self) -> None:
        """It holds nothing."""


def mean_logprob(sample: Sample) -> float:
    """Nats a token."""
    tokens = sample.usage.completion
    return math.nan if sample.logprob is None or tokens == 0 else sample.logprob / tokens
