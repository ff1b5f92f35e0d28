"""The better use of one more call, a sample or a check, over the plane of answers × verdicts.

Run `python -m benchmarks.samples_or_checks DATA_FOLDER`. It reads `sc-genrm`: Llama-3.3-70B on 64 problems of GPQA
Diamond, 64 answers each, 32 verdicts of the same model on every answer (arXiv 2504.01005). k answers with V verdicts
each take C = k(1 + V) calls. It prints Markdown: the accuracy of best-of-k and of the vote weighted by the mean of V
verdicts (V = 0 is one sample, and the plain vote) over the plane; what a call gains where the answers are doubled, or
the verdicts (in bold where a sign-flip test over problems has p < .05); and the best split of a number of calls, chosen
on one half of the problems and scored on the other, 16 times. Means over 40 random choices of the V verdicts × 50
orders of the answers (best-of-k is exact over orders); 95 % intervals over problems.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from perpend.core import SAMPLED, Floats, Pools, Strategy
from perpend.stats import Interval, mean_interval, paired_interval, sign_flip_test
from perpend.strategies.best_of_n import BestOfN
from perpend.strategies.majority import Majority
from perpend.strategies.weighted_vote import WeightedVote
from perpend.study.evaluate import cross_fit_shares, halves
from perpend.study.offline import average_outcomes
from tests.data import sc_genrm

CHOICES, ORDERS = 40, 50
ANSWERS, CHECKS = (1, 2, 4, 8, 16, 32, 64), (0, 1, 2, 4, 8, 16, 32)
BUDGETS = (4, 16, 64, 256, 1024, 2112)
LEVEL = 0.05
"""Of each test alone: nothing is adjusted for their number."""
RULES: Mapping[str, Strategy] = {
    "best-of-k": BestOfN(n=64, verifier="genrm"),
    "weighted vote": WeightedVote(n=64, verifier="genrm"),
}

Plane = Mapping[tuple[int, int], Floats]
"""(answers, verdicts) → accuracy by problem."""


def main(folder: Path) -> None:
    """Print the tables."""
    checked = sc_genrm.load(folder)
    planes = accuracies(checked)
    problems = checked.answers.problems
    print(f"{len(problems)} problems × 64 answers × 32 verdicts; {CHOICES} × {ORDERS} orders\n")
    for rule, plane in planes.items():
        print(f"\n### Accuracy of {rule}, %\n")
        print_plane(plane)
        print(f"\n### {rule}: what 100 more calls gain, in points: twice the answers, or twice the verdicts\n")
        print_gains(plane)
    print("\n### The best split of C calls\n")
    print_splits(planes, halves(problems, 0))


def accuracies(checked: sc_genrm.Checked) -> dict[str, Plane]:
    """By rule."""
    at = np.array(ANSWERS) - 1
    rng = np.random.default_rng(0)
    found: dict[str, dict[tuple[int, int], Floats]] = {rule: {} for rule in RULES}
    for checks in CHECKS:
        rules: list[Strategy] = list(RULES.values()) if checks else [Majority(n=64)]
        totals = np.zeros((len(RULES), len(checked.answers.problems), len(ANSWERS)))
        for choice in range(CHOICES):
            pool = checked.by(chosen(rng, checks, checked)) if checks else checked.answers
            averaged = average_outcomes(rules, Pools({SAMPLED: pool}), seed=choice, orders=ORDERS)
            totals += np.stack([each.outcomes.correct[0][:, at] for each in averaged]) / CHOICES
        if not checks:
            totals[0] = checked.answers.correct.mean(axis=1, keepdims=True)  # nothing to choose by
        for rule, total in zip(RULES, totals, strict=True):
            found[rule] |= {(k, checks): total[:, i] for i, k in enumerate(ANSWERS)}
    return dict(found)


def chosen(rng: np.random.Generator, checks: int, checked: sc_genrm.Checked) -> np.ndarray:
    """[problem, sample, check]: which verdicts are asked for."""
    order = rng.permuted(np.broadcast_to(np.arange(32), checked.verdicts.shape), axis=2)
    return order[:, :, :checks].astype(np.int64)


def cost(answers: int, checks: int) -> int:
    """Calls."""
    return answers * (1 + checks)


def print_plane(plane: Plane) -> None:
    """Rows are verdicts, columns are answers."""
    print("| verdicts | " + " | ".join(f"k = {k}" for k in ANSWERS) + " |")
    print("| --- |" + " ---: |" * len(ANSWERS))
    for checks in CHECKS:
        cells = (f"{100 * plane[k, checks].mean():.1f}" for k in ANSWERS)
        print(f"| {checks} | " + " | ".join(cells) + " |")
    for name, cell in (("one sample", (1, 0)), ("all 64 × 32", (64, 32))):
        print(f"\n{name}: {percent(mean_interval(plane[cell]))}", end="")
    print()


def print_gains(plane: Plane) -> None:
    """Each cell: points for 100 calls by answers / by verdicts."""
    columns = ANSWERS[:-1]
    print("| verdicts | " + " | ".join(f"k = {k}" for k in columns) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for checks in CHECKS[:-1]:
        cells = (gains(plane, k, checks) for k in columns)
        print(f"| {checks} | " + " | ".join(cells) + " |")


def gains(plane: Plane, answers: int, checks: int) -> str:
    """One cell."""
    here = plane[answers, checks]
    more = plane[2 * answers, checks] - here, plane[answers, max(1, 2 * checks)] - here
    calls = cost(2 * answers, checks) - cost(answers, checks), cost(answers, max(1, 2 * checks)) - cost(answers, checks)
    by_sample, by_check = (1e4 * gain / spent for gain, spent in zip(more, calls, strict=True))
    shown = [f"{gain.mean():+.2f}" for gain in (by_sample, by_check)]
    if sign_flip_test(by_sample - by_check) < LEVEL:
        better = int(by_check.mean() > by_sample.mean())
        shown[better] = f"**{shown[better]}**"
    return " / ".join(shown)


def print_splits(planes: Mapping[str, Plane], splits: np.ndarray) -> None:
    """The best k and V of each rule within a number of calls, and the plain vote of as many answers."""
    print("| calls | plain vote | best-of-k | k × V | weighted vote | k × V |")
    print("| ---: | ---: | ---: | --- | ---: | --- |")
    vote = {k: planes["weighted vote"][k, 0] for k in ANSWERS}
    for calls in BUDGETS:
        plain = vote[max(k for k in ANSWERS if k <= calls)]
        cells = [f"{calls:,}", percent(mean_interval(plain))]
        for rule in RULES:
            cells += list(split(planes[rule], calls, plain, splits))
        print("| " + " | ".join(cells) + " |")


def split(plane: Plane, calls: int, plain: Floats, splits: np.ndarray) -> Iterator[str]:
    """Cross-fitted accuracy and its paired difference from the plain vote; the split that is best on all problems."""
    affordable = [cell for cell in plane if cell[1] and cost(*cell) <= calls]
    correct = np.stack([plane[cell] for cell in affordable])
    share = cross_fit_shares(lambda rows: correct[:, rows].mean(axis=1)[:, None], splits)[:, :, 0]
    honest = (share * correct).sum(axis=0)
    difference = paired_interval(honest - plain)
    yield f"{100 * honest.mean():.1f} ({points(difference)})"
    yield "{} × {}".format(*affordable[int(correct.mean(axis=1).argmax())])


def percent(interval: Interval) -> str:
    return f"{100 * interval.estimate:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def points(interval: Interval) -> str:
    return f"{100 * interval.estimate:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def run(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        sys.exit("Say where the data is: python -m benchmarks.samples_or_checks DATA_FOLDER")
    main(Path(arguments[0]))


if __name__ == "__main__":
    run(sys.argv[1:])
