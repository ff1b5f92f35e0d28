"""Inference-time pessimism: accept a fresh sample by how far its reward is above what a first batch had."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perpend.core import (
    SAMPLED,
    ConfigError,
    Draw,
    Floats,
    Orders,
    Outcomes,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Sample,
    Spend,
    VerifierError,
)
from perpend.strategies.best_of_n import first_best
from perpend.strategies.fixed import draw, refuse_no_samples
from perpend.strategies.selecting import best_so_far, probabilities_of, proxy_of, random_of
from perpend.strategies.stopping import in_turn, monte_carlo_error

BETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""The 1-2-5 grid that β is chosen from, in units of a probability."""
HIGHEST = 1.0
"""R_max: the highest reward there is."""


@dataclass(frozen=True)
class Pessimism:
    """Draw a batch, then accept a fresh sample by its reward's lead over the batch (Huang et al., arXiv 2503.21878).

    λ solves mean relu((r_i − λ)/β) = 1 over a batch of m rewards; of up to m fresh samples each is accepted with
    probability relu(r − λ)/(R_max − λ), and if none is, sample 2m + 1 is returned unseen (where it has no answer, the
    best-rewarded of the others). So the choice has a law that
    is never more than relu((r − λ)/β) times the model's own: the higher β, the nearer to a single sample, and the
    regret's bound does not get worse with more samples. Nothing is promised for one question.

    The batches are charged both: n samples are m = ⌊(n − 1)/2⌋ for the batch, m fresh ones, and one more. The reward
    must have a highest value, so it is the verifier's probability, and a sample without an answer or a probability
    has 0. That n counts all samples, and the grid of β, were chosen here.

    Attributes:
        n: the most samples, over both batches.
        verifier: whose probabilities.
        beta: the strength of the pessimism. None: a study chooses it from `grid` by cross-fitting, and a live run
            takes .1.
    """

    name: ClassVar[str] = "pessimism"
    oracle: ClassVar[bool] = False
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.PROBABILITIES})
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)

    n: int = 33
    verifier: str = "logprob"
    beta: float | None = None

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        if self.beta is not None and not 0 < self.beta < np.inf:
            raise ConfigError(f"beta={self.beta} is no strength.", "Give a positive number.")

    def grid(self) -> tuple[Pessimism, ...]:
        """The settings that a study chooses from: itself, where β is given."""
        return tuple(replace(self, beta=beta) for beta in BETAS) if self.beta is None else (self,)

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Draw and score a batch, then fresh samples until one is accepted."""
        size = batch(self.n)
        samples = await draw(run, size) if size else []
        rewards = await self._rewards(samples, run)
        if len(samples) == size:
            floor = reward_floor(rewards, self._beta)
            async for sample in run.sample(size):
                samples.append(sample)
                rewards = np.append(rewards, await self._rewards([sample], run))
                if random_of(self.name, sample).random() < acceptance(rewards[-1], floor):
                    return run.result(sample)
            async for sample in run.sample(1):
                if sample.key is not None:
                    return run.result(sample)
        at = first_best(rewards)
        return run.result(None if at is None else samples[at])

    async def _rewards(self, samples: Sequence[Sample], run: Run) -> Floats:
        scores = await run.score(samples, self.verifier) if samples else []
        if any(score.probability is None and not np.isnan(score.value) for score in scores):
            raise VerifierError(
                f"Pessimism needs a reward with a highest value, and verifier {self.verifier} gives no probability.",
                "Use a verifier that does, or soft_best_of_n.",
            )
        answered = np.array([sample.key is not None for sample in samples], dtype=bool)
        return np.where(answered, np.nan_to_num(probabilities_of(scores)), np.nan)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The expectation over what is accepted, over every order of the pool."""
        pool, order = pools.only, orders.of(SAMPLED)
        rewards = np.where(pool.answered & pool.mask, np.nan_to_num(pool.probabilities[self.verifier]), np.nan)
        lots = _Lots(in_turn(rewards, order), self._beta)
        drawn = np.minimum(np.arange(1, pool.samples + 1), pool.mask.sum(axis=1)[:, None])
        size, problem = np.maximum(batch(drawn), 0), np.arange(len(pool.problems))[:, None]

        def of_n(by_batch: NDArray[Any]) -> Floats:
            """[m, permutation, problem] → [problem, N], the mean over orders; 0 where nothing was drawn."""
            return np.where(drawn > 0, by_batch.mean(axis=1)[size, problem], 0.0)

        def spent(values: NDArray[Any]) -> Floats:
            return of_n(lots.spent(in_turn(values, order)))

        samples = spent(pool.mask)
        prompt = pool.prompt_tokens[:, None].astype(np.float64)
        nothing = np.zeros((1, *samples.shape))
        right = lots.returned(in_turn(pool.correct, order))
        return Outcomes(
            correct=of_n(right)[None],
            samples=samples[None],
            spend={
                pool.engine: Spend(
                    prompt=(samples * prompt)[None],
                    cached=(np.maximum(samples - 1, 0) * prompt)[None],
                    completion=spent(pool.completion_tokens)[None],
                    discarded=nothing,
                    verifier=nothing,
                    device_seconds=spent(pool.device_seconds)[None],
                )
            },
            latency_seconds=of_n(lots.waited(in_turn(pool.seconds, order)))[None],
            monte_carlo=monte_carlo_error(np.moveaxis(right[size, :, problem], 0, -1).astype(np.float32)),
            proxy=proxy_of(pool, self.verifier, lambda v: of_n(lots.returned(in_turn(v, order))))[None],
        )

    @property
    def _beta(self) -> float:
        return 0.1 if self.beta is None else self.beta


def batch(n: Any) -> Any:
    """The size of the first batch, where n samples are drawn at most; integers or arrays of them."""
    return (n - 1) // 2


def reward_floor(rewards: Floats, beta: float) -> Floats:
    """λ, which solves mean relu((r − λ)/β) = 1 over the first axis: [m, …] → […]. Without rewards any will do: 0.

    The sum of the positive parts is the largest over j of the sum of the j highest, so λ is the largest of the roots.
    """
    if not len(rewards):
        return np.zeros(rewards.shape[1:])
    highest = -np.sort(-np.nan_to_num(rewards), axis=0)
    taken = np.arange(1, len(rewards) + 1).reshape(-1, *[1] * (rewards.ndim - 1))
    return np.asarray(((np.cumsum(highest, axis=0) - len(rewards) * beta) / taken).max(axis=0))


def acceptance(rewards: Floats, floor: Floats) -> Floats:
    """The probability that a fresh sample is returned: relu(r − λ)/(R_max − λ); 0 for one without an answer."""
    return np.asarray(np.maximum(np.nan_to_num(rewards) - floor, 0) / (HIGHEST - floor)) * ~np.isnan(rewards)


class _Lots:
    """What the lots come to, for each size m of the batch: [m, permutation, problem], expectations.

    Args:
        rewards: [S, permutation, problem], in the order drawn; NaN for no answer.
        beta: the strength of the pessimism.
    """

    def __init__(self, rewards: Floats, beta: float) -> None:
        self._answered = ~np.isnan(rewards)
        self._best = best_so_far(rewards)
        self._accepted = [
            acceptance(rewards[m : 2 * m], reward_floor(rewards[:m], beta)) for m in range(batch(len(rewards)) + 1)
        ]
        self._reached = [
            np.concatenate([np.ones((1, *rewards.shape[1:])), np.cumprod(1 - accepted, axis=0)])
            for accepted in self._accepted
        ]

    def returned(self, values: NDArray[Any]) -> Floats:
        """The value of the sample that is returned; where the last one has no answer, of the best-rewarded so far."""
        best = np.where(self._best < 0, 0, np.take_along_axis(values, np.maximum(self._best, 0), axis=0))
        last = np.where(self._answered, values, best)
        return np.stack(
            [
                (reached[:-1] * accepted * values[m : 2 * m]).sum(axis=0) + reached[-1] * last[2 * m]
                for m, (accepted, reached) in enumerate(zip(self._accepted, self._reached, strict=True))
            ]
        )

    def spent(self, values: NDArray[Any]) -> Floats:
        """The sum over the samples drawn."""
        return np.stack([values[:m].sum(axis=0) + self._one_by_one(values, m) for m, _ in enumerate(self._reached)])

    def waited(self, seconds: Floats) -> Floats:
        """The batch side by side, then one sample after another."""
        return np.stack(
            [seconds[:m].max(axis=0, initial=0) + self._one_by_one(seconds, m) for m, _ in enumerate(self._reached)]
        )

    def _one_by_one(self, values: NDArray[Any], m: int) -> Floats:
        return np.asarray((self._reached[m] * values[m : 2 * m + 1]).sum(axis=0))
