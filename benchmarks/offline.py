"""Every way to spend samples on a large pool: 1,000 problems × 1,000 samples, 30 answers, N = 1 … 1,000, 64 orders.

Run `python benchmarks/offline.py`. Goal: at most 30 seconds on two cores and 4 GB. Ends with one line of JSON.
"""

from __future__ import annotations

import json
import resource
import time

import numpy as np

from perpend.core import SAMPLED, Pool, Pools
from perpend.strategies import STRATEGIES
from perpend.study.offline import average_outcomes

PROBLEMS, SAMPLES, ANSWERS, ORDERS = 1000, 1000, 30, 64
ASKED = (
    "coverage",
    "majority",
    "best_of_n(verifier=judge)",
    "weighted_vote(verifier=judge, temperature=1)",
    "soft_best_of_n(verifier=judge, temperature=0.1)",
    "rejection_sampling(verifier=judge)",
    "verifier_threshold(verifier=judge, threshold=0.9)",
    "adaptive_consistency",
    "adaptive_consistency(rule=entropy)",
    "adaptive_consistency(rule=share)",
    "early_stopping",
    "martingale",
    "sprt",
    "best_of_infinity",
)
"""Settings are given, so that what is timed is the evaluation. best_of_infinity is asked about 256 samples at most."""


def main() -> None:
    pools = Pools({SAMPLED: pool(PROBLEMS, SAMPLES)})
    strategies = [STRATEGIES.build(text, n=SAMPLES) for text in ASKED]
    started = time.perf_counter()
    found = average_outcomes(strategies, pools, seed=0, orders=ORDERS)
    seconds = time.perf_counter() - started
    for text, averaged in zip(ASKED, found, strict=True):
        outcomes = averaged.outcomes
        assert outcomes.correct.shape == (1, PROBLEMS, SAMPLES)
        shown = [f"{outcomes.correct[0, :, n - 1].mean():.4f}" for n in (1, 10, 100, SAMPLES)]
        print(f"{text:<48} {'  '.join(shown)}  samples {outcomes.samples[0, :, -1].mean():7.1f}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak_mb), "strategies": len(ASKED)}))


def pool(problems: int, samples: int) -> Pool:
    """Answers of a model whose favourite is right for half of the problems, and a verifier that helps a little."""
    rng = np.random.default_rng(0)
    shares = -np.sort(-rng.dirichlet(np.full(ANSWERS, 0.3), size=problems), axis=1)
    cumulative = np.cumsum(shares, axis=1)
    keys = (rng.random((problems, samples, 1)) > cumulative[:, None, :-1]).sum(axis=2, dtype=np.int64)
    gold = np.minimum(rng.geometric(0.5, (problems, 1)), ANSWERS) - 1
    correct = keys == gold
    score = np.clip(rng.normal(0.4 + 0.2 * correct, 0.2), 0, 1)
    tokens = rng.integers(100, 4000, (problems, samples))
    return Pool(
        engine="made",
        problems=tuple(f"p{i}" for i in range(problems)),
        keys=keys,
        correct=correct,
        scores={"judge": score},
        prompt_tokens=np.full(problems, 200),
        completion_tokens=tokens,
        seconds=tokens / 50,
        device_seconds=tokens / 500,
        mask=np.ones((problems, samples), bool),
        probabilities={"judge": score},
    )


if __name__ == "__main__":
    main()
