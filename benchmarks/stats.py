"""Every curve of a large study: 1,000 problems × 1,000 samples, 30 answers, all k, with intervals.

Run `python benchmarks/stats.py`. Goal: at most 10 seconds and 2 GB. Ends with one line of JSON.
"""

import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations

import numpy as np

from perpend import stats
from perpend.core import SAMPLED, Pool, Pools, Strategy
from perpend.stats import Floats, Ints
from perpend.strategies.majority import Majority
from perpend.strategies.weighted_vote import WeightedVote
from perpend.study.offline import average_outcomes

PROBLEMS, SAMPLES, ANSWERS, DRAWS, ORDERS = 1000, 1000, 30, 1000, 64


VOTES: dict[str, Strategy] = {
    "majority": Majority(n=SAMPLES),
    "weighted vote": WeightedVote(n=SAMPLES, verifier="made", temperature=0.1),
}


def main() -> None:
    check_against_plain_loops()
    keys, correct, scores = pool(PROBLEMS, SAMPLES)
    started = time.perf_counter()
    curves: dict[str, Floats] = {}
    with timed("coverage"):
        curves["coverage"] = stats.coverage_curve(correct)
    with timed("best of n"):
        curves["best of n"] = stats.best_of_n_curve(scores, correct)
    for name, strategy in VOTES.items():
        with timed(f"{name}, {ORDERS} orders"):
            (averaged,) = average_outcomes([strategy], pools_of(keys, correct, scores), seed=0, orders=ORDERS)
            curves[name] = averaged.outcomes.correct[0]
    with timed(f"intervals, 4 curves, {DRAWS} draws"):
        intervals = {name: stats.mean_interval(curve, draws=DRAWS) for name, curve in curves.items()}
    seconds = time.perf_counter() - started
    print_curves(intervals)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(peak_mb)}))


def pool(problems: int, samples: int) -> tuple[Ints, Floats, Floats]:
    """Answers of a model whose favourite is right for half of the problems, and a verifier that helps a little."""
    rng = np.random.default_rng(0)
    shares = -np.sort(-rng.dirichlet(np.full(ANSWERS, 0.3), size=problems), axis=1)
    cumulative = np.cumsum(shares, axis=1)
    keys = (rng.random((problems, samples, 1)) > cumulative[:, None, :-1]).sum(axis=2, dtype=np.int16)
    gold = np.minimum(rng.geometric(0.5, (problems, 1)), ANSWERS) - 1
    correct = (keys == gold).astype(np.float64)
    return keys, correct, np.clip(rng.normal(0.4 + 0.2 * correct, 0.2), 0, 1)


def pools_of(keys: Ints, correct: Floats, scores: Floats) -> Pools:
    """The same as strategies read it."""
    ones = np.ones(keys.shape)
    pool = Pool(
        engine="made",
        problems=tuple(map(str, range(len(keys)))),
        keys=keys.astype(np.int64),
        correct=correct.astype(bool),
        scores={"made": scores},
        prompt_tokens=np.ones(len(keys), np.int64),
        completion_tokens=ones.astype(np.int64),
        seconds=ones,
        device_seconds=ones,
        mask=ones.astype(bool),
    )
    return Pools({SAMPLED: pool})


@contextmanager
def timed(name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"{name:<32}{time.perf_counter() - started:8.2f} s", flush=True)


def print_curves(intervals: dict[str, stats.Interval]) -> None:
    shown = [k for k in (1, 10, 100, 1000) if k <= SAMPLES]
    print(f"\n{'accuracy at k':<16}" + "".join(f"{k:>24,}" for k in shown))
    for name, interval in intervals.items():
        cells = (interval[k - 1] for k in shown)
        print(f"{name:<16}" + "".join(f"{c.estimate:10.4f} [{c.low:.3f}, {c.high:.3f}]".rjust(24) for c in cells))


def check_against_plain_loops() -> None:
    """The same answers by loops over every subset, and over every vote, of a small pool."""
    keys, correct, scores = pool(4, 9)
    scores = scores.round(1)
    rules: list[tuple[Floats, Callable[[int, list[int]], float]]] = [
        (stats.coverage_curve(correct), lambda p, drawn: correct[p, drawn].max()),
        (stats.best_of_n_curve(scores, correct), lambda p, drawn: best(scores[p, drawn], correct[p, drawn])),
        (stats.majority_curve(keys, correct), lambda p, drawn: mode(keys[p, drawn], correct[p, drawn])),
    ]
    for curve, rule in rules:
        for p, k in np.ndindex(curve.shape):
            by_loop = np.mean([rule(p, list(drawn)) for drawn in combinations(range(9), k + 1)])
            assert abs(curve[p, k] - by_loop) < 1e-12
    for weights in (np.ones_like(scores), scores):
        for row, weight, leaders in zip(keys, weights, stats.vote_winners(keys.T, weights.T).T, strict=True):
            assert leaders.tolist() == votes_by_loop(row.tolist(), weight.tolist())
    print("equal to plain loops on a small pool\n")


def best(scores: Floats, correct: Floats) -> float:
    return float(correct[scores == scores.max()].mean())


def mode(keys: Ints, correct: Floats) -> float:
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return float(correct[first[counts == counts.max()]].mean())


def votes_by_loop(keys: list[int], weights: list[float]) -> list[int]:
    totals: dict[int, float] = {}
    leaders = []
    for key, weight in zip(keys, weights, strict=True):
        totals[key] = totals.get(key, 0.0) + weight
        leaders.append(max(totals, key=lambda answer: totals[answer]))
    return leaders


if __name__ == "__main__":
    main()
