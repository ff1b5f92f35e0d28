"""The martingale majority certificate: an anytime-valid claim about the most probable answer."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import numpy as np

from perpend.core import (
    SAMPLED,
    Bools,
    Certificate,
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
    StopReason,
)
from perpend.stats import RunningVote
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import refuse_no_wave, ruled_outcomes, vote_until

SWEPT = (0.2, 0.1, 0.05, 0.01)
SHARES = np.linspace(0.5001, 0.9999, 41)
"""The alternatives that are mixed, with weights ∝ Beta(½, ½)."""


@dataclass(frozen=True)
class Martingale:
    """Draw until two e-processes certify that the leader is the mode, or abstain (arXiv 2510.17472).

    Before each sample the leader A and the runner-up B are read from the votes so far (ties to the first seen; while
    there is one answer, B is one that nobody gives). The sample is then a win or a loss of A against B, or against
    everything except A and B, or neither. Each game's e-value after s wins and f losses is the mixture
    2^(s+f) Σ_k w_k q_k^s (1 − q_k)^f, which is large only where A's chance is above one half. Sampling stops when both
    have reached 1/δ. Where n samples do not suffice, the leader is returned, and the stop reason says "abstained".

    It may be asked at any time and as often as one likes: that is what an e-process allows, and why this rule alone may
    claim δ. It certifies the mode, not truth, and abstains where the mode has less mass than the answers outside the
    two leading ones.

    Attributes:
        n: the most samples; 64 is chosen here, the source leaves it open.
        delta: the error that it claims.
        wave: samples drawn side by side before it is asked again.
    """

    name: ClassVar[str] = "martingale"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    n: int = 64
    delta: float = 0.05
    wave: int = 1

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)
        if not 0 < self.delta < 1:
            raise ConfigError(f"An error of delta={self.delta} cannot be claimed.", "Give one between 0 and 1.")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote until the leader is certified."""
        result = await vote_until(run, self.n, self.wave, self._content, self._certificate)
        abstained = result.stop_reason is StopReason.COMPLETE
        return replace(result, stop_reason=StopReason.ABSTAINED) if abstained else result

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same rule over every order of the pool; what has not stopped has abstained."""
        return ruled_outcomes(pools.only, SAMPLED, orders, self._content, n=self.n, wave=self.wave)

    def sweep(self) -> tuple[Martingale, ...]:
        """Smaller and smaller errors."""
        return tuple(replace(self, delta=delta) for delta in SWEPT)

    @property
    def claimed_error(self) -> float:
        """δ."""
        return self.delta

    def _content(self, vote: RunningVote) -> Bools:
        return np.asarray(log_evidence(vote) >= -np.log(self.delta))

    def _certificate(self, vote: RunningVote) -> Certificate:
        e_value = float(np.exp(log_evidence(vote)[-1]))
        return Certificate(
            rule=f"martingale majority certificate, δ = {self.delta:g}",
            evidence=f"{vote.top[-1]} votes of {vote.voters[-1]}, {vote.second[-1]} for the next; e ≥ {e_value:.4g}",
            confidence=1 - self.delta,
            limits="anytime-valid for the model's most probable answer, which need not be right",
        )


def log_evidence(vote: RunningVote) -> Floats:
    """The smaller of the two log e-values, after each sample."""
    leader, runner_up = (np.roll(part, 1, axis=0) for part in (vote.leader, vote.runner_up))
    leader[0], runner_up[0] = -1, -1
    played = (vote.key >= 0) & (leader >= 0)
    won, to_runner_up = vote.key == leader, vote.key == runner_up
    wins, to_second, to_others = (
        np.cumsum(played & each, axis=0, dtype=vote.key.dtype)
        for each in (won, ~won & to_runner_up, ~won & ~to_runner_up)
    )
    table = _log_e_values(len(vote.key))
    return np.asarray(np.minimum(table[wins, to_second], table[wins, to_others]))


@cache
def _log_e_values(most: int) -> Floats:
    """log e after s wins and f losses, s and f to `most`."""
    weights = 1 / np.sqrt(SHARES * (1 - SHARES))
    weights /= weights.sum()
    s, f = np.arange(most + 1)[:, None], np.arange(most + 1)
    total = np.full((most + 1, most + 1), -np.inf)
    for weight, share in zip(weights, SHARES, strict=True):
        np.logaddexp(total, np.log(weight) + s * np.log(2 * share) + f * np.log(2 * (1 - share)), out=total)
    return total
