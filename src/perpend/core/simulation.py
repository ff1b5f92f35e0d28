"""Problems whose law is known, so that estimators and strategies can be held against the truth without a model.

A law is a function of the problem's id alone (`sim-SEED-NUMBER`): the task, the engine and the verifier that are called
`simulated` each look it up here and need not know one another.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import NamedTuple

from perpend.core.errors import ConfigError

WRONG_ANSWERS = 6
"""Different wrong answers that a problem has."""


class Drawn(NamedTuple):
    """One simulated completion: its answer, its length in tokens, and its log-probability summed over them."""

    answer: str
    tokens: int
    logprob: float


@dataclass(frozen=True)
class Law:
    """How simulated samples of one problem are distributed, independently of each other.

    Attributes:
        answer: the right one.
        p: the probability that a sample is right.
        wrong: the probabilities of the wrong answers, given that it is wrong; they sum to 1.
        mean_tokens: expected completion tokens (log-normal, whether right or wrong).
        spread: standard deviation of the logarithm of the tokens.
        separation: a verifier's score is N(separation, 1) for right samples and N(0, 1) for wrong ones.
    """

    answer: str
    p: float
    wrong: tuple[float, ...]
    mean_tokens: float
    spread: float
    separation: float

    @property
    def answers(self) -> dict[str, float]:
        """Every answer's probability, the right one first."""
        right = int(self.answer)
        others = {str(right + 1 + i): (1 - self.p) * share for i, share in enumerate(self.wrong)}
        return {self.answer: self.p, **others}

    def draw(self, seed: int) -> Drawn:
        """One sample."""
        rng = random.Random(f"draw-{seed}")
        (answer,) = rng.choices(list(self.answers), list(self.answers.values()))
        tokens = max(1, round(rng.lognormvariate(math.log(self.mean_tokens) - self.spread**2 / 2, self.spread)))
        return Drawn(answer, tokens, self._logprob(answer, tokens, rng.gauss(0, 1)))

    def greedy(self) -> Drawn:
        """The most probable answer at the mean length: what temperature 0 gives."""
        answer = max(self.answers, key=lambda a: self.answers[a])
        tokens = max(1, round(self.mean_tokens))
        return Drawn(answer, tokens, self._logprob(answer, tokens, 0.0))

    def score(self, answer: str | None, seed: int) -> float:
        """A noisy verifier's score of a sample; the noise depends on the seed alone."""
        return self.separation * (answer == self.answer) + random.Random(f"score-{seed}").gauss(0, 1)

    def _logprob(self, answer: str, tokens: int, noise: float) -> float:
        """Right samples are a little more likely a token: a weak signal, as real ones are."""
        return tokens * min(-0.01, -0.5 + 0.05 * (answer == self.answer) + 0.1 * noise)


def problem_id(seed: int, number: int) -> str:
    """The id of a simulated problem, which says all that its law depends on."""
    return f"sim-{seed}-{number:04d}"


def law_of(problem: str) -> Law:
    """The law of a problem, by its id. Raises ConfigError for an id that is none of ours.

    p ~ Beta(.7, 1.3), so that difficulty is mixed (mean .35); the shares of wrong answers are Dirichlet(1/2), so that
    on some problems one wrong answer outvotes the right one; harder problems take more tokens.
    """
    if re.fullmatch(r"sim--?\d+-\d{4,}", problem) is None:
        raise ConfigError(f"Problem {problem!r} has no simulated law.", "Use engine simulated with task simulated.")
    rng = random.Random(problem)
    p = rng.betavariate(0.7, 1.3)
    weights = [rng.gammavariate(0.5, 1) + 1e-6 for _ in range(WRONG_ANSWERS)]
    return Law(
        answer=str(rng.randrange(10, 990)),
        p=p,
        wrong=tuple(w / sum(weights) for w in weights),
        mean_tokens=40 + 120 * (1 - p),
        spread=0.4,
        separation=1.0,
    )
