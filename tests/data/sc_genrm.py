"""Llama-3.3-70B on GPQA Diamond: 64 problems × 64 answers × 32 verdicts of itself as a generative verifier.

Recorded for arXiv 2504.01005. A verdict is P(yes), 0 or 1 where it was read from the text, NaN where none was found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpend.core import Ints, Pool
from tests.data.recorded import pool_of

TOKENS_A_SAMPLE, TOKENS_A_CHECK = 1100, 1500
"""About, by the README of donggil113/Evaluating-Test-Time-Scaling-under-Correlated-Errors: no counts were recorded."""


@dataclass(frozen=True)
class Checked:
    """The answers, and every verdict on them.

    Attributes:
        answers: a pool without scores.
        verdicts: [problem, sample, check].
    """

    answers: Pool
    verdicts: NDArray[np.float32]

    def by(self, checks: Ints) -> Pool:
        """The answers scored `genrm` by the mean of some verdicts: [check] or [problem, sample, check].

        A sample without an answer or a verdict scores 0, as in the paper.
        """
        each = np.broadcast_to(checks, (*self.verdicts.shape[:2], np.shape(checks)[-1]))
        taken = np.take_along_axis(self.verdicts, each, axis=2)
        found = ~np.isnan(taken)
        mean = np.where(found, taken, 0).sum(axis=2, dtype=np.float64) / np.maximum(found.sum(axis=2), 1)
        mean = np.where(self.answers.keys >= 0, mean, 0)
        return replace(self.answers, scores={"genrm": mean}, probabilities={"genrm": mean})


def load(data: Path) -> Checked:
    """The first 64 answers, which are those that were checked."""
    with np.load(data / "sc-genrm" / "gpqa_genrm.npz") as recorded:
        answers, gold, verdicts = recorded["answers"][:, :64].tolist(), recorded["gold"].tolist(), recorded["verif"]
    read = [[None if a == "" or "invalidanswer" in a else a for a in row] for row in answers]
    return Checked(pool_of("llama-3.3-70b", read, gold), verdicts)
