"""Samples as arrays, and what a strategy would have done with them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from perpend.core.prompt import Prompt

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
T = TypeVar("T")


class PoolField(StrEnum):
    """What a pool may hold besides its verdicts; a strategy names those that it cannot do without."""

    ANSWERS = "answers"
    """Which answer each sample gave, so that answers can be compared."""
    TOKENS = "tokens"
    """How many tokens each sample took."""
    PROMPT_TOKENS = "prompt tokens"
    """How many tokens each prompt has."""
    SECONDS = "seconds"
    """How long each sample took."""
    TEXTS = "texts"
    """What each sample said."""
    PROBES = "probes"
    """Answers forced along each trace."""
    FINISH = "reasons to end"
    """Why each sample ended."""
    RANKINGS = "ranked lists of answers"
    """Several answers a sample, the likeliest first."""
    LOGPROBS = "log-probabilities"
    """How likely the model found each sample."""
    CONFIDENCES = "log-probabilities of the most likely tokens"
    """How sure the model was of each token."""
    PROBABILITIES = "probabilities of being right"
    """From the strategy's own verifier, in [0, 1]."""


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
class Probes:
    """Answers forced along each trace: [problem, sample, depth], depth d asked after every · (d + 1) tokens.

    Attributes:
        keys: as `Pool.keys`, in the same code; −1 where nothing was answered. Past a trace's end: its final answer.
        correct: graded by the oracle.
        every: tokens between two probes.
        tokens: what one probe generated.
    """

    keys: Ints
    correct: Bools
    every: int
    tokens: int = 16

    def rows(self, which: slice | Ints) -> Probes:
        """The same for some of the problems."""
        return replace(self, keys=self.keys[which], correct=self.correct[which])


@dataclass(frozen=True)
class Rankings:
    """Answers that samples list, the likeliest first: [problem, sample, place].

    Attributes:
        keys: answers as codes within the problem, others than those of `Pool.keys`; −1 past a list's end.
        correct: held against the problem's key.
    """

    keys: Ints
    correct: Bools

    def rows(self, which: slice | Ints) -> Rankings:
        """The same for some of the problems."""
        return Rankings(self.keys[which], self.correct[which])


MEASURED = frozenset({PoolField.ANSWERS, PoolField.TOKENS, PoolField.SECONDS})


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
        probes: answers forced along the traces, None where there are none.
        texts: [problem][sample], where a strategy of the study reads them.
        rankings: the answers that samples list, where a strategy of the study reads them.
        confidences: [problem][sample], minus the mean log-probability of the most likely tokens in each token's place,
            where a strategy of the study reads them.
        logprobs: each sample's log-probability, summed over its tokens; NaN where unknown, None where all are.
        fields: what was measured; arrays of the rest hold nothing to rely on.
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
    probes: Probes | None = None
    texts: Sequence[Sequence[str]] | None = None
    rankings: Rankings | None = None
    confidences: Sequence[Sequence[Floats]] | None = None
    logprobs: Floats | None = None
    fields: frozenset[PoolField] = MEASURED

    @property
    def samples(self) -> int:
        """Columns: the most samples of any problem."""
        return int(self.keys.shape[1])

    @property
    def answered(self) -> Bools:
        """Which samples have an answer; where answers are not known, all that exist are taken to."""
        return self.keys >= 0 if PoolField.ANSWERS in self.fields else self.mask

    def rows(self, which: slice | Ints) -> Pool:
        """The same pool for some of the problems."""
        chosen = np.arange(len(self.problems))[which]
        return replace(
            self,
            problems=tuple(self.problems[i] for i in chosen),
            keys=self.keys[which],
            correct=self.correct[which],
            scores={name: score[which] for name, score in self.scores.items()},
            prompt_tokens=self.prompt_tokens[which],
            completion_tokens=self.completion_tokens[which],
            seconds=self.seconds[which],
            device_seconds=self.device_seconds[which],
            mask=self.mask[which],
            probabilities={name: probability[which] for name, probability in self.probabilities.items()},
            probes=self.probes.rows(which) if self.probes else None,
            texts=[self.texts[i] for i in chosen] if self.texts is not None else None,
            rankings=self.rankings.rows(which) if self.rankings else None,
            confidences=[self.confidences[i] for i in chosen] if self.confidences is not None else None,
            logprobs=None if self.logprobs is None else self.logprobs[which],
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
        self._derived: dict[Hashable, Any] = {}

    def of(self, draw: Draw) -> Ints:
        """The permutations of one pool."""
        if draw not in self._made:
            self._made[draw] = self._make(draw)
        return self._made[draw]

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What several strategies derive from these orders, made by the first of them that asks."""
        if name not in self._derived:
            self._derived[name] = make()
        derived: T = self._derived[name]
        return derived


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
    """What a strategy would have done: [permutation, problem, N], N = 1 … what it read of the pool.

    One permutation stands for all of them in closed form, and where the strategy has taken the mean itself.

    Attributes:
        correct: 1 where its answer is right; an expectation in [0, 1] in closed form.
        samples: samples drawn.
        spend: by engine name.
        latency_seconds: the critical path, NaN where unknown.
        monte_carlo: the standard error of `correct`'s mean over problems, [N], where it is an estimate over orders.
        stopped: share of the orders in which a rule ended the sampling before N; None where there is no such rule.
        proxy: what the strategy's verifier thinks of its choice (the mean value over an answer's samples, where it
            chooses an answer); the mean over the problem's samples where it has none. None where it has no verifier.
        stopped_right: the expectation of being stopped so with a right answer, where the rule can tell.
    """

    correct: Floats
    samples: Floats
    spend: Mapping[str, Spend]
    latency_seconds: Floats
    monte_carlo: Floats | None = None
    stopped: Floats | None = None
    proxy: Floats | None = None
    stopped_right: Floats | None = None
