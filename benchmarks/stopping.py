"""When to stop sampling: what rules save against a majority of all samples, on recorded generations.

Run `python -m benchmarks.stopping DATA_FOLDER`. It reads `esc` (GPT-3.5 on last letters, 250 × 40), `qwen3-probes`
(four sizes of one thinking model on AIME 2024, 30 × 128) and `boinf` (11 thinking models on AIME 2024, 6 of them on
GPQA Diamond, 80 samples or more), and prints Markdown. For each rule: tokens as a share of those of the majority of N
(of samples for `esc`, whose lengths are not recorded), samples, and the paired difference in accuracy from that
majority with its 95 % interval over problems. Means over 2,000 orders, and over the models; a problem is one problem
whatever the number of models. A second table has the sizes of Qwen3 apart.

The last table is for `esc`: of a family's settings, the cheapest whose interval on nine tenths of the problems stays
within one point of the majority (and a ninth, so many fewer are they), scored on the tenth that is left; 20 times.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perpend.core import SAMPLED, Floats, Outcomes, Pool, PoolField, Pools
from perpend.stats import Interval, paired_interval
from perpend.strategies import STRATEGIES, describe
from perpend.strategies.majority import Majority
from perpend.study.offline import average_outcomes
from tests.data import boinf, esc, qwen3_probes

ORDERS = 2000
RULES = (
    "adaptive_consistency(confidence=0.9)",
    "adaptive_consistency",
    "adaptive_consistency(confidence=0.99)",
    "adaptive_consistency(rule=dirichlet)",
    "adaptive_consistency(rule=entropy)",
    "adaptive_consistency(rule=share)",
    "adaptive_consistency(wave=4)",
    "best_of_infinity",
    "best_of_infinity(odds=100)",
    "best_of_infinity(odds=1000)",
    "sprt",
    "early_stopping",
    "martingale",
)
"""Asked one after another, at most N samples."""
RACES = (
    "adaptive_consistency(n=16, order=finish)",
    "short_m_at_k(n=8)",
    "short_m_at_k(n=16)",
)
"""Side by side; they need lengths."""
GRIDS = {
    "Beta": [f"adaptive_consistency(confidence={c})" for c in (0.8, 0.88, 0.89, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)],
    "Dirichlet": [
        f"adaptive_consistency(rule=dirichlet, confidence={c})" for c in (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.99)
    ],
    "best-of-∞": [f"best_of_infinity(odds={b})" for b in (5, 10, 20, 30, 50, 100, 200, 1000)],
    "early stopping": [f"early_stopping(window={w})" for w in (2, 3, 4, 5, 8)],
}
"""The settings that one is chosen from, family by family and among all."""
FOLDS, REPEATS, WITHIN = 10, 20, 0.01


@dataclass(frozen=True)
class Figures:
    """A rule at its n, per problem: [problem], means over orders and models."""

    correct: Floats
    samples: Floats
    tokens: Floats


def main(data: Path) -> None:
    letters = {"gpt-3.5": esc.load(data)}
    sizes = qwen3_probes.load(data)
    compare(
        {
            "GPT-3.5, last letters": (letters, 40),
            "Qwen3, 4 sizes, AIME 2024": (sizes, 64),
            "11 models, AIME 2024": (boinf.load(data, "aime2024"), 64),
            "6 models, GPQA Diamond": (boinf.load(data, "gpqa_diamond"), 64),
        }
    )
    compare({model: ({model: pool}, 64) for model, pool in sizes.items()})
    cross_validate(letters, 40)


def compare(sets: Mapping[str, tuple[Mapping[str, Pool], int]]) -> None:
    """Print what each rule does on each set of pools, against the majority of so many."""
    found = {name: figures(rules_for(pools), pools, n) for name, (pools, n) in sets.items()}
    references = {name: of.pop(f"majority(n={sets[name][1]})") for name, of in found.items()}
    heads = [
        f"{name}: {len(references[name].correct)} problems, maj@{n} {100 * references[name].correct.mean():.1f} %"
        for name, (_, n) in sets.items()
    ]
    print(f"\n| rule | {' | '.join(f'{head}; tokens (samples) | points' for head in heads)} |")
    print(f"| --- | {'---: | --- | ' * len(sets)}")
    for rule in (*RULES, *RACES):
        cells = [cell for name, of in found.items() for cell in _cells(of.get(rule), references[name])]
        print(f"| `{rule}` | {' | '.join(cells)} |")


def rules_for(pools: Mapping[str, Pool]) -> tuple[str, ...]:
    """Those that need no more than these pools hold."""
    timed = all(PoolField.TOKENS in pool.fields for pool in pools.values())
    return (*RULES, *RACES) if timed else RULES


def _cells(each: Figures | None, majority: Figures) -> tuple[str, str]:
    if each is None:
        return "–", "–"
    cost, whole = (each.tokens, majority.tokens) if majority.tokens.any() else (each.samples, majority.samples)
    lost = paired_interval(each.correct - majority.correct)
    return (
        f"{100 * cost.mean() / whole.mean():.0f} % ({each.samples.mean():.1f})",
        points(lost, 1),
    )


def points(interval: Interval, digits: int) -> str:
    """A difference and its interval in percentage points."""
    ends = [round(100 * end, digits) + 0.0 for end in (interval.estimate, interval.low, interval.high)]  # no −0
    return "{:+.{d}f} [{:+.{d}f}, {:+.{d}f}]".format(*ends, d=digits).replace("-", "−")


def figures(written: Sequence[str], pools: Mapping[str, Pool], n: int) -> dict[str, Figures]:
    """By rule, the majority of n first; a rule that says no n of its own has at most n samples."""
    strategies = [Majority(n=n), *(STRATEGIES.build(text, **({} if "n=" in text else {"n": n})) for text in written)]
    names = [describe(strategies[0], n), *written]
    by_model = [average_outcomes(strategies, Pools({SAMPLED: pool}), 0, ORDERS) for pool in pools.values()]
    return {name: _figures([of[i].outcomes for of in by_model], strategies[i].n) for i, name in enumerate(names)}


def _figures(by_model: Sequence[Outcomes], n: int) -> Figures:
    spends = [next(iter(outcomes.spend.values())) for outcomes in by_model]
    return Figures(
        np.mean([outcomes.correct[0, :, n - 1] for outcomes in by_model], axis=0),
        np.mean([outcomes.samples[0, :, n - 1] for outcomes in by_model], axis=0),
        np.mean([spend.tokens[0, :, n - 1] for spend in spends], axis=0),
    )


def cross_validate(pools: Mapping[str, Pool], n: int) -> None:
    """Print what a setting comes to that was chosen on other problems."""
    found = figures([text for of in GRIDS.values() for text in of], pools, n)
    majority = found.pop(f"majority(n={n})").correct
    print("\n| one of | samples | against majority, points | most often chosen |\n| --- | ---: | --- | --- |")
    for family, written in {**GRIDS, "all of these": list(found)}.items():
        lost = np.column_stack([found[text].correct - majority for text in written])
        samples = np.column_stack([found[text].samples for text in written])
        share = chosen_shares(lost, samples)
        difference = points(paired_interval((share * lost).sum(axis=1)), 2)
        favourite = written[int(share.mean(axis=0).argmax())]
        print(f"| {family} | {(share * samples).sum(axis=1).mean():.2f} | {difference} | `{favourite}` |")


def chosen_shares(lost: Floats, samples: Floats) -> Floats:
    """[problem, setting]: how often a setting was chosen on folds without the problem, of REPEATS times.

    It is the cheapest whose interval stays within a point, of which as much more is allowed as there are fewer problems
    (its width is as 1/n, of pseudo-problems, for such small differences); the dearest where there is none.
    """
    problems = len(lost)
    share = np.zeros(lost.shape)
    for repeat in range(REPEATS):
        fold = np.random.default_rng(repeat).permutation(problems) % FOLDS
        for out in range(FOLDS):
            inside = paired_interval(lost[fold != out])
            cost = samples[fold != out].mean(axis=0)
            good = inside.low >= -WITHIN * FOLDS / (FOLDS - 1)
            best = np.where(good, cost, np.inf).argmin() if good.any() else cost.argmax()
            share[fold == out, best] += 1 / REPEATS
    return share


if __name__ == "__main__":
    main(Path(sys.argv[1]))
