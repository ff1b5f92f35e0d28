"""Proxy and truth in N: what a verifier thinks of the answers that are chosen by it, beside how right they are.

Where the proxy goes on rising and the truth falls, more samples only search the verifier's errors (over-optimisation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perpend.core import Bools, Floats
from perpend.stats import mean_interval, paired_interval
from perpend.strategies.best_of_n import BestOfN
from perpend.study.evaluate import Evaluated, cross_fit_shares, estimate
from perpend.study.results import ProxyCurve, ProxyPoint


def proxy_curves(evaluated: Sequence[Evaluated], splits: Bools) -> list[ProxyCurve]:
    """One for each strategy that can be deployed and chooses by a verifier's score.

    Args:
        evaluated: the strategies.
        splits: [split, problem], the halves in which the best N is chosen and then scored.
    """
    return [
        _curve(each, each.proxy, verifier, splits)
        for each in evaluated
        if each.deployable and each.proxy is not None and (verifier := each.strategy.verifier) is not None
    ]


def _curve(each: Evaluated, proxy: Floats, verifier: str, splits: Bools) -> ProxyCurve:
    correct = each.costs.correct
    scored = ~np.isnan(proxy).any(axis=1)
    accuracy = mean_interval(correct)
    opinion = proxy[scored].mean(axis=0) if scored.any() else np.full(proxy.shape[1], np.nan)
    best = cross_fit_shares(lambda rows: correct[rows].mean(axis=0)[:, None], splits)[:, :, 0]
    return ProxyCurve(
        engine=each.engine,
        strategy=each.name,
        verifier=verifier,
        best_n=int(correct.mean(axis=0).argmax()) + 1,
        fall=estimate(paired_interval((best.T * correct).sum(axis=1) - correct[:, -1])),
        points=[
            ProxyPoint(
                n=i + 1,
                proxy=float(value) if scored.any() else None,
                accuracy=estimate(accuracy[i]),
                kl_bound=divergence_bound(i + 1, best_of_n=isinstance(each.strategy, BestOfN)),
            )
            for i, value in enumerate(opinion)
        ],
    )


def divergence_bound(n: int, *, best_of_n: bool) -> float:
    """The most that the law of the choice can diverge from the model's own, in nats.

    log N − (N − 1)/N for best-of-N (2401.01879). Any rule that returns one of N samples chooses no text more than N
    times as often as the model writes it, so it diverges by log N at most.
    """
    return float(np.log(n) - (n - 1) / n if best_of_n else np.log(n))
