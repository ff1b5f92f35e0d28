"""Width and depth: a vote among N traces that are capped at some number of tokens, for every N and cap."""

from __future__ import annotations

import numpy as np

from perpend.core import SAMPLED, Pool, PoolField, Pools
from perpend.stats import mean_interval
from perpend.strategies.capped_vote import CappedVote
from perpend.study.costs import costs
from perpend.study.evaluate import estimate
from perpend.study.offline import average_outcomes
from perpend.study.results import DepthCell, DepthMap

MOST_DEPTHS = 16
"""Caps that are tried, evenly over the probes."""
NEEDED = frozenset({PoolField.PROBES, PoolField.ANSWERS, PoolField.TOKENS})


def depths(engine: str, pool: Pool, seed: int) -> DepthMap | None:
    """Accuracy of `capped_vote` over traces and tokens; None where nothing was asked along the traces.

    Args:
        engine: by name.
        pool: its traces, with probes.
        seed: of the study.
    """
    if pool.probes is None or not pool.fields >= NEEDED:
        return None
    n, steps = pool.samples, pool.probes.keys.shape[2]
    tried = np.unique(np.ceil(np.linspace(0, steps, min(steps, MOST_DEPTHS) + 1)[1:]).astype(int)) * pool.probes.every
    votes = [CappedVote(n=n, depth=int(depth)) for depth in tried]
    widths = sorted({2**i for i in range(n.bit_length()) if 2**i <= n} | {n})
    cells = []
    for vote, averaged in zip(votes, average_outcomes(votes, Pools({SAMPLED: pool}), seed), strict=True):
        found = costs(averaged.outcomes, {engine: None}, {}, pool.fields)
        accuracy = mean_interval(found.correct)
        cells += [
            DepthCell(
                n=width,
                depth=vote.depth,
                accuracy=estimate(accuracy[width - 1]),
                tokens=float(found.counted_in("tokens")[:, width - 1].mean()),
            )
            for width in widths
        ]
    return DepthMap(engine=engine, every=pool.probes.every, cells=cells)
