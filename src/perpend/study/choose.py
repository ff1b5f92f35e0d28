"""Choosing at a budget without flattery: what is chosen on one half of the problems is scored on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perpend.core import Bools, Floats
from perpend.stats import holm, mean_interval, paired_interval, sign_flip_test
from perpend.study.evaluate import UNBOUNDED, Evaluated, estimate, mean_at, per_correct
from perpend.study.results import Comparison, Ranked, Ranking, Recommendation, Unit

SAME_COST = 1.01
"""Costs within this ratio are not told apart."""


@dataclass(frozen=True)
class Setting:
    """A strategy at one N, on all problems of a task: correctness and cost, both [problem]."""

    evaluated: Evaluated
    n: int
    correct: Floats
    cost: Floats

    @property
    def mean_cost(self) -> float:
        """Of a question, in the unit that budgets count."""
        return float(self.cost.mean())


@dataclass(frozen=True)
class Chosen:
    """The best setting at a budget.

    Attributes:
        setting: chosen on all problems; what would be deployed.
        correct, cost: [problem], each under the setting chosen on the half that it is not in, mean over splits.
    """

    setting: Setting
    correct: Floats
    cost: Floats


def settings(evaluated: Sequence[Evaluated], unit: Unit = "tokens") -> list[Setting]:
    """Every deployable strategy at every N."""
    return [
        Setting(each, i + 1, each.costs.correct[:, i], each.costs.counted_in(unit)[:, i])
        for each in evaluated
        if each.deployable
        for i in range(each.costs.correct.shape[1])
    ]


def budgets(evaluated: Sequence[Evaluated], unit: Unit = "tokens") -> list[float]:
    """Costs of a question worth deciding at: what 1, 2, 4, … samples cost on average, and all of them.

    The smallest also pays for the greedy answer, which competes at its own cost.
    """
    means = [each.costs.counted_in(unit).mean(axis=0) for each in evaluated]
    longest = max(means, key=len)
    steps = {2**i for i in range(len(longest).bit_length()) if 2**i <= len(longest)} | {len(longest)}
    least = max(float(mean[0]) for mean in means)
    return sorted({max(least, float(longest[step - 1])) for step in steps})


def choose(among: Sequence[Setting], budget: float, splits: Bools) -> Chosen | None:
    """The most accurate setting that costs no more than the budget on average; None where nothing does.

    One standard error of the paired difference breaks ties toward the cheaper. `splits` is [split, problem], which
    problems are in the first half.
    """
    affordable = [setting for setting in among if setting.mean_cost <= budget * (1 + 1e-9)]
    if not affordable:
        return None
    correct = np.stack([setting.correct for setting in affordable])
    cost = np.stack([setting.cost for setting in affordable])
    fitted = np.zeros((2, splits.shape[1]))
    for half in (*splits, *~splits):
        other = ~half if (~half).any() else half
        best = _best(correct[:, other], cost[:, other])
        fitted[:, half] += correct[best, half], cost[best, half]
    fitted_correct, fitted_cost = fitted / len(splits)
    return Chosen(affordable[_best(correct, cost)], fitted_correct, fitted_cost)


def recommend(among: Sequence[Setting], at: Sequence[float], splits: Bools) -> list[Recommendation]:
    """What to run at each budget."""
    greedy = next((setting for setting in among if setting.evaluated.strategy.name == "greedy"), None)
    found = [(budget, choose(among, budget, splits)) for budget in at]
    return [_recommendation(budget, chosen, greedy) for budget, chosen in found if chosen is not None]


def compare(among: Sequence[Setting], at: Sequence[float], splits: Bools) -> list[Comparison]:
    """At each budget, every strategy at its best setting against the best cheaper setting of any other.

    A pair of settings that a smaller budget has compared already is not repeated.
    """
    found: dict[tuple[str, str, int, str, int], Comparison] = {}
    for budget in at:
        for c in _compare_at(among, budget, splits):
            found.setdefault((c.engine, c.strategy, c.n, c.against, c.against_n), c)
    return list(found.values())


def rank(among: Sequence[Setting], at: Sequence[float], splits: Bools) -> list[Ranking]:
    """At each budget, every strategy at its best setting, the most accurate first; of equals, the cheaper."""
    own: dict[tuple[str, str], list[Setting]] = {}
    for setting in among:
        own.setdefault((setting.evaluated.engine, setting.evaluated.name), []).append(setting)
    rankings = []
    for budget in at:
        found = [chosen for settings in own.values() if (chosen := choose(settings, budget, splits)) is not None]
        found.sort(key=lambda chosen: (-chosen.correct.mean(), chosen.setting.mean_cost))
        rankings.append(Ranking(budget=budget, rows=[_ranked(chosen, found[0]) for chosen in found]))
    return rankings


def _ranked(chosen: Chosen, first: Chosen) -> Ranked:
    costs, n = chosen.setting.evaluated.costs, chosen.setting.n
    return Ranked(
        engine=chosen.setting.evaluated.engine,
        strategy=chosen.setting.evaluated.name,
        n=n,
        accuracy=estimate(mean_interval(chosen.correct)),
        behind=None if chosen is first else estimate(paired_interval(chosen.correct - first.correct)),
        samples=float(costs.samples[:, n - 1].mean()),
        tokens=mean_at(costs.tokens, n - 1),
        usd=mean_at(costs.usd, n - 1),
    )


def _compare_at(among: Sequence[Setting], budget: float, splits: Bools) -> list[Comparison]:
    names = dict.fromkeys((s.evaluated.engine, s.evaluated.name) for s in among)
    pairs = []
    for name in names:
        own = choose([s for s in among if (s.evaluated.engine, s.evaluated.name) == name], budget, splits)
        if own is None:
            continue
        others = [s for s in among if (s.evaluated.engine, s.evaluated.name) != name]
        cheaper = [s for s in others if s.mean_cost * SAME_COST < own.setting.mean_cost]
        rival = choose(cheaper, budget, splits)
        if rival is not None:
            pairs.append((own, rival))
    differences = [own.correct - rival.correct for own, rival in pairs]
    p_values = [sign_flip_test(difference) for difference in differences]
    adjusted = holm(p_values) if p_values else np.empty(0)
    return [
        Comparison(
            engine=own.setting.evaluated.engine,
            budget=budget,
            strategy=own.setting.evaluated.name,
            n=own.setting.n,
            against=rival.setting.evaluated.name,
            against_n=rival.setting.n,
            difference=estimate(paired_interval(difference)),
            p=p,
            p_holm=float(holm_p),
        )
        for (own, rival), difference, p, holm_p in zip(pairs, differences, p_values, adjusted, strict=True)
    ]


def _recommendation(budget: float, chosen: Chosen, greedy: Setting | None) -> Recommendation:
    gain = None if greedy is None else paired_interval(chosen.correct - greedy.correct)
    return Recommendation(
        budget=budget,
        engine=chosen.setting.evaluated.engine,
        strategy=chosen.setting.evaluated.deployed(chosen.setting.n),
        n=chosen.setting.n,
        cost=chosen.setting.mean_cost,
        accuracy=estimate(mean_interval(chosen.correct)),
        naive_accuracy=float(chosen.setting.correct.mean()),
        gain_over_greedy=None if gain is None else estimate(gain),
        cost_per_correct=UNBOUNDED if (cost := per_correct(chosen.correct, chosen.cost)) is None else estimate(cost),
        sure=gain is not None and gain.low > 0,
    )


def _best(correct: Floats, costs: Floats) -> int:
    """[setting, problem] → the setting that is most accurate, or the cheapest of those as good within one error.

    Of settings that cost the same within a hundredth, the more accurate one.
    """
    accuracy, cost = correct.mean(axis=1), costs.mean(axis=1)
    behind = correct[int(accuracy.argmax())] - correct
    error = behind.std(axis=1, ddof=1) / np.sqrt(correct.shape[1]) if correct.shape[1] > 1 else np.zeros(len(correct))
    as_good = behind.mean(axis=1) <= error + 1e-12
    as_cheap = cost <= cost[as_good].min() * SAME_COST
    return int(np.where(as_good & as_cheap, accuracy, -1.0).argmax())
