"""Samples as arrays, and what a strategy would have done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from perpend.core.prompt import Prompt

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Draw:
    """Samples that a strategy reads from the pool.

    Attributes:
        engine: the engine's name, None for the study's first or only one.
        temperature: None for the study's; 0 for the greedy sample.
        n: how many, None for as many as the study draws a problem.
    """

    engine: str | None = None
    temperature: float | None = None
    n: int | None = None

    def of(self, prompt: Prompt) -> Prompt:
        """A task's prompt as this draw samples from it."""
        return prompt if self.temperature is None else replace(prompt, temperature=self.temperature)


GREEDY = Draw(temperature=0.0, n=1)
SAMPLED = Draw()


@dataclass(frozen=True)
class Pool:
    """The samples of one draw, [problem, sample] throughout; rows are ragged where `mask` is False.

    Attributes:
        engine: the engine's name.
        problems: ids, one a row.
        keys: each sample's answer as a code within its problem, in order of first appearance; −1 never votes.
        correct: graded by the oracle.
        scores: by verifier name; NaN where it has no opinion.
        prompt_tokens: [problem], the whole prompt, counted once.
        completion_tokens: tokens generated.
        seconds: working time of each sample.
        device_seconds: each sample's share of the engine's time, NaN where unknown.
        mask: where a sample exists.
        probabilities: by verifier name, for those that give calibrated ones; NaN where they gave none.
    """

    engine: str
    problems: tuple[str, ...]
    keys: Ints
    correct: Bools
    scores: Mapping[str, Floats]
    prompt_tokens: Ints
    completion_tokens: Ints
    seconds: Floats
    device_seconds: Floats
    mask: Bools
    probabilities: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Columns: the most samples of any problem."""
        return int(self.keys.shape[1])

    def rows(self, which: slice | Ints) -> Pool:
        """The same pool for some of the problems."""
        chosen = np.arange(len(self.problems))[which]
        return Pool(
            self.engine,
            tuple(self.problems[i] for i in chosen),
            self.keys[which],
            self.correct[which],
            {name: score[which] for name, score in self.scores.items()},
            self.prompt_tokens[which],
            self.completion_tokens[which],
            self.seconds[which],
            self.device_seconds[which],
            self.mask[which],
            {name: probability[which] for name, probability in self.probabilities.items()},
        )


class Pools(dict[Draw, Pool]):
    """The pools of a strategy, by what it asked for."""

    @property
    def only(self) -> Pool:
        """The pool of a strategy that reads one."""
        (pool,) = self.values()
        return pool


class Orders:
    """Seeded permutations of each pool's samples, [permutation, problem, sample], made when first asked for.

    All strategies get the same ones (common random numbers); pools of different engines get independent ones.
    """

    def __init__(self, make: Callable[[Draw], Ints]) -> None:
        self._make = make
        self._made: dict[Draw, Ints] = {}

    def of(self, draw: Draw) -> Ints:
        """The permutations of one pool."""
        if draw not in self._made:
            self._made[draw] = self._make(draw)
        return self._made[draw]


@dataclass(frozen=True)
class Spend:
    """What a strategy spends at one engine: [permutation, problem, N] throughout, expectations where in closed form.

    Attributes:
        prompt: prompt tokens over all calls.
        cached: those of them that were computed before (canonically: by the problem's first sample).
        completion: tokens of the samples that it saw.
        discarded: tokens of samples that it cut.
        verifier: tokens of its verifier's calls.
        device_seconds: its share of the engine's time, NaN where unknown.
    """

    prompt: Floats
    cached: Floats
    completion: Floats
    discarded: Floats
    verifier: Floats
    device_seconds: Floats

    @property
    def tokens(self) -> Floats:
        """prompt − cached + completion, everything included."""
        return self.prompt - self.cached + self.completion + self.discarded + self.verifier


@dataclass(frozen=True)
class Outcomes:
    """What a strategy would have done: [permutation, problem, N], N = 1 … samples; one permutation where exact.

    Attributes:
        correct: 1 where its answer is right; an expectation in [0, 1] in closed form.
        samples: samples drawn.
        spend: by engine name.
        latency_seconds: the critical path, NaN where unknown.
        monte_carlo: the standard error of `correct`'s mean over problems, [N], where it is an estimate over orders.
    """

    correct: Floats
    samples: Floats
    spend: Mapping[str, Spend]
    latency_seconds: Floats
    monte_carlo: Floats | None = field(default=None)
