"""MBR-BoN: the score, held back by how like the other samples a sample is."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    SAMPLED,
    ConfigError,
    Draw,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Sample,
)
from perpend.stats import Ngrams, best_of_n_curve, elected_turns, mean_similarity, ngrams
from perpend.strategies.best_of_n import first_best
from perpend.strategies.fixed import draw, fixed_outcomes, ragged, refuse_no_samples
from perpend.strategies.selecting import chosen_outcomes, keys_in_turn, proxy_of, values_in_turn, values_of
from perpend.strategies.votes import codes

BETAS = tuple(float(f"{digit}e{power}") for power in range(-4, 2) for digit in (1, 2, 5))[:17]
"""The 1-2-5 grid that β is chosen from, in units of the verifier's value: 1e-4 to 20."""
KL_BETAS = tuple(float(f"{digit}e{power}") for power in range(-6, 0) for digit in (1, 2, 5))
"""The same for log-probabilities, which are some hundred times larger than a utility."""


CELLS_AT_ONCE = 1 << 21
"""Of [group, n-gram] arrays: bounds their memory."""


class Utility(StrEnum):
    """What a sample is held to, besides its score."""

    ANSWER = "answer"
    """1 for the same answer, else 0."""
    TEXT = "text"
    """Cosine of character-trigram TF-IDF."""
    LOGPROB = "logprob"
    """No other samples but the model itself: the sample's log-probability."""


@dataclass(frozen=True)
class Mbr:
    """Draw n samples and return argmax r_i + β · mean_j u(y_i, y_j), j = i included (MBR-BoN, arXiv 2404.01054).

    The mean utility is the sample's standing among all samples (minimum Bayes risk); the larger β, the less a score
    alone can do. With utility=logprob it is the paper's KL variant, r_i + β · log π(y_i). A sample without an answer or
    a score takes no part.

    Attributes:
        n: samples.
        verifier: whose scores.
        utility: `answer`, `text` or `logprob`.
        beta: in units of the verifier's value (a log-probability's, for the KL variant). None: a study chooses it from
            `grid` by cross-fitting (the paper: on about 10 items), and a live run uses 1, or .001 for the KL variant.
    """

    name: ClassVar[str] = "mbr"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 16
    verifier: str = "logprob"
    utility: str = Utility.ANSWER.value
    beta: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.utility not in tuple(Utility):
            raise ConfigError(f"There is no utility {self.utility!r}.", f"Known: {', '.join(Utility)}.")
        if self.beta is not None and not 0 <= self.beta < np.inf:
            raise ConfigError(f"beta={self.beta} is no weight.", "Give 0 or more.")

    @property
    def needs(self) -> frozenset[PoolField]:
        """Answers, and what the utility reads."""
        more = {Utility.TEXT: {PoolField.TEXTS}, Utility.LOGPROB: {PoolField.LOGPROBS}}
        return frozenset({PoolField.ANSWERS, *more.get(Utility(self.utility), ())})

    def grid(self) -> tuple[Mbr, ...]:
        """The settings that a study chooses from: itself, where β is given."""
        if self.beta is not None:
            return (self,)
        return tuple(replace(self, beta=b) for b in (KL_BETAS if self.utility == Utility.LOGPROB else BETAS))

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Choose among n scored samples."""
        samples = await draw(run, self.n)
        if not samples:
            return run.result(None)
        keys, values = codes(samples), values_of(await run.score(samples, self.verifier))
        if self.utility == Utility.ANSWER:
            at = int(elected_turns(keys, values, self._merit)[-1])
            return run.result(samples[at] if at >= 0 else None)
        values = np.where(keys >= 0, values, np.nan)
        best = first_best(values + self._beta * self._standing(samples, values))
        return run.result(None if best is None else samples[best])

    def _standing(self, samples: list[Sample], values: Floats) -> Floats:
        """What a live sample is held to, by text or log-probability: [sample]."""
        if self.utility == Utility.LOGPROB:
            return np.array([np.nan if s.logprob is None else s.logprob for s in samples])
        part = (~np.isnan(values)).astype(float)
        return np.asarray(mean_similarity(ngrams([s.text for s in samples]), part[None])[0])

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """By answers and by texts over every order of the pool, after each sample; by log-probability exact."""
        pool = pools.only
        if self.utility == Utility.LOGPROB:
            return self._by_logprob(pool)
        keys, values = keys_in_turn(pool, SAMPLED, orders), values_in_turn(pool, self.verifier, SAMPLED, orders)
        if self.utility == Utility.ANSWER:
            return chosen_outcomes(pool, orders, elected_turns(keys, values, self._merit), self.verifier)
        values = np.where(keys >= 0, values, np.nan)
        return chosen_outcomes(pool, orders, self._by_text(pool, orders, values), self.verifier)

    def _by_logprob(self, pool: Pool) -> Outcomes:
        """What a sample is held to does not depend on the others, so this is best-of-N by another score."""
        assert pool.logprobs is not None
        score = np.where(pool.answered, pool.scores[self.verifier] + self._beta * pool.logprobs, np.nan)

        def chosen(values: NDArray[Any]) -> Floats:
            return ragged(best_of_n_curve, pool.mask, score, values)

        return fixed_outcomes(pool, chosen(pool.correct), proxy=proxy_of(pool, self.verifier, chosen))

    def _by_text(self, pool: Pool, orders: Orders, values: Floats) -> NDArray[Any]:
        """[S, permutation, problem], the turn of the sample to return; likeness is computed once for the whole grid."""
        betas = BETAS if self._beta in BETAS else (self._beta,)
        chosen = orders.once(
            (self.name, self.verifier, betas), lambda: _chosen_by_text(pool, orders.of(SAMPLED), values, betas)
        )
        return np.asarray(chosen[betas.index(self._beta)])

    @property
    def _beta(self) -> float:
        if self.beta is not None:
            return self.beta
        return 0.001 if self.utility == Utility.LOGPROB else 1.0

    def _merit(self, votes: NDArray[Any], best: Floats, voters: NDArray[Any]) -> Floats:
        return np.asarray(best + self._beta * votes / voters)


def _chosen_by_text(pool: Pool, order: Ints, values: Floats, betas: Sequence[float]) -> NDArray[np.int16]:
    """[β, S, permutation, problem], the turn of the sample to return; −1 for none."""
    assert pool.texts is not None
    chosen = np.empty((len(betas), *values.shape), np.int16)
    for problem, texts in enumerate(pool.texts):
        grams = ngrams([*texts, *[""] * (pool.samples - len(texts))])
        for turn, standing in enumerate(_standings(grams, order[:, problem], values[:, :, problem])):
            value = values[: turn + 1, :, problem].T
            for i, beta in enumerate(betas):
                worth = value + beta * standing
                best = np.where(np.isnan(worth), -np.inf, worth).argmax(axis=1)
                chosen[i, turn, :, problem] = np.where(np.isnan(worth).all(axis=1), -1, best)
    return chosen


def _standings(grams: Ngrams, order: Ints, values: Floats) -> Iterator[Floats]:
    """After each of one problem's samples, how like all the others each is that was drawn: [permutation, turn]."""
    permutations, samples = order.shape
    drawn_at = np.argsort(order, axis=1)
    voting = ~np.isnan(np.take_along_axis(values.T, drawn_at, axis=1))
    together = max(1, CELLS_AT_ONCE // grams.counts[0].size // permutations)
    for start in range(0, samples, together):
        turns = np.arange(start, min(start + together, samples))
        members = (drawn_at <= turns[:, None, None]) & voting
        like = mean_similarity(grams, members.reshape(-1, samples)).reshape(len(turns), permutations, samples)
        for turn, standing in zip(turns, like, strict=True):
            yield np.take_along_axis(standing, order[:, : turn + 1], axis=1)
