"""A sequential probability ratio test between the two leading answers."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log
from typing import ClassVar

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
)
from perpend.stats import RunningVote
from perpend.strategies.fixed import refuse_no_samples
from perpend.strategies.stopping import refuse_no_wave, ruled_outcomes, vote_until

SWEPT = (0.5002, 0.5001, 0.50005, 0.500025)


@dataclass(frozen=True)
class Sprt:
    """Draw until Wald's test tells the two leading answers apart, or as equal (ConSol, Lee et al., arXiv 2503.17587).

    With a votes for the leader and b for the runner-up, the log-likelihood ratio of "a share p of their votes is the
    leader's" against "a half is" is a·log 2p + b·log 2(1 − p); sampling stops at log (1−β)/α, or at log β/(1−α) below.

    The defaults are those of the authors' package (consol 0.2.5). They are calibrated so that the test is a race to a
    lead of three votes, and never finds two answers equal; their names promise more than they hold, since the two
    leaders are chosen by the same votes. So the certificate is heuristic.

    Attributes:
        n: the most samples.
        p: the leader's share of the two's votes, under the alternative.
        alpha: the error of the first kind that Wald's bounds are for.
        beta: that of the second kind.
        wave: samples drawn side by side before the test is made again.
    """

    name: ClassVar[str] = "sprt"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS})
    verifier: ClassVar[None] = None

    n: int = 40
    p: float = 0.5001
    alpha: float = 0.05
    beta: float = 0.949976
    wave: int = 1

    def __post_init__(self) -> None:
        refuse_no_samples(self.n)
        refuse_no_wave(self.wave)
        if not 0.5 < self.p < 1:
            raise ConfigError(f"A leader with a share of p={self.p} does not lead.", "Give one between .5 and 1.")
        if not (self.alpha > 0 and self.beta > 0 and self.alpha + self.beta < 1):
            raise ConfigError(
                f"alpha={self.alpha} and beta={self.beta} bound no test.", "Give positive ones, less than 1 together."
            )

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote until the test has decided."""
        return await vote_until(run, self.n, self.wave, self._content, self._certificate)

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same test over every order of the pool."""
        return ruled_outcomes(pools.only, SAMPLED, orders, self._content, n=self.n, wave=self.wave)

    def sweep(self) -> tuple[Sprt, ...]:
        """Alternatives ever nearer to one half: with the default errors, races to a lead of 2, 3, 5 and 10 votes."""
        return tuple(replace(self, p=p) for p in SWEPT)

    def _log_ratio(self, vote: RunningVote) -> Floats:
        return vote.top * log(2 * self.p) + vote.second * log(2 * (1 - self.p))

    def _content(self, vote: RunningVote) -> Bools:
        ratio = self._log_ratio(vote)
        ahead = ratio >= log((1 - self.beta) / self.alpha)
        return ahead | (ratio <= log(self.beta / (1 - self.alpha)))

    def _certificate(self, vote: RunningVote) -> Certificate:
        ratio = float(self._log_ratio(vote)[-1])
        return Certificate(
            rule=f"probability ratio test, {self.p:g} against .5",
            evidence=f"{vote.top[-1]} votes against {vote.second[-1]}: a likelihood ratio of {exp(ratio):.6g}",
            confidence=1 / (1 + exp(-ratio)),
            limits="heuristic: the two are chosen by the votes that test them; of the mode, not of the truth",
        )
