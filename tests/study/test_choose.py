"""What is chosen is scored on problems that it was not chosen on, and compared with its best cheaper rival."""

from __future__ import annotations

import numpy as np
import pytest

from perpend.stats import holm, sign_flip_test
from perpend.study.choose import budgets, choose, compare, rank, recommend, settings
from perpend.study.evaluate import cross_fit_shares, halves
from tests.study.made import evaluated


def lucky(seed: int, problems: int = 60, strategies: int = 8) -> list[np.ndarray]:
    """Strategies that are all right half of the time, by chance."""
    rng = np.random.default_rng(seed)
    return [(rng.random((problems, 1)) < 0.5).astype(float) for _ in range(strategies)]


def names(problems: int) -> list[str]:
    return [f"p{i}" for i in range(problems)]


def test_the_cross_fitted_figure_is_not_flattered_by_the_choice() -> None:
    naive, fitted = [], []
    for seed in range(300):
        among = settings([evaluated(f"majority(n={i + 1})", c) for i, c in enumerate(lucky(seed))])
        chosen = choose(among, 100.0, halves(names(60), seed))
        assert chosen is not None
        best = max(among, key=lambda s: s.correct.mean())
        naive.append(best.correct.mean())
        fitted.append(chosen.correct.mean())
    assert np.mean(naive) > 0.57, "the best of eight equals looks better than it is"
    assert np.mean(fitted) == pytest.approx(0.5, abs=4 * 0.065 / np.sqrt(300))


def test_settings_chosen_by_cross_fitting_are_not_flattered_either() -> None:
    values = [cross_fitted(np.stack(lucky(seed)), halves(names(60), seed)).mean() for seed in range(300)]
    assert np.mean(values) == pytest.approx(0.5, abs=4 * 0.065 / np.sqrt(300))


def cross_fitted(correct: np.ndarray, splits: np.ndarray) -> np.ndarray:
    return np.asarray((cross_fit_shares(lambda rows: correct[:, rows].mean(axis=1), splits) * correct).sum(axis=0))


@pytest.mark.parametrize("first", [[True] * 6, [False] * 6, [True, False] * 3])
def test_one_half_may_be_empty(first: list[bool]) -> None:
    good, bad, splits = np.ones((6, 2)), np.zeros((6, 2)), np.array([first, first])
    assert cross_fitted(np.stack([bad, good]), splits).mean() == 1.0
    chosen = choose(settings([evaluated("majority", good), evaluated("best_of_n", bad)]), 1000.0, splits)
    assert chosen is not None
    assert chosen.correct.tolist() == [1.0] * 6


def test_halves_are_even_and_stay_when_problems_are_added() -> None:
    few, many = halves(names(50), 7), halves(names(2000), 7)
    assert (many[:, :50] == few).all()
    assert ((many.mean(axis=1) > 0.45) & (many.mean(axis=1) < 0.55)).all()
    assert len({tuple(split) for split in few}) == len(few), "each split is another one"
    assert not (halves(names(50), 8) == few).all()


def test_nothing_that_costs_more_than_the_budget_is_chosen() -> None:
    rising = np.linspace(0, 1, 4) * np.ones((10, 1))
    among = settings([evaluated("majority", rising)])
    splits = halves(names(10), 0)
    assert [choose(among, budget, splits).setting.n for budget in (100, 250, 400)] == [1, 2, 4]
    assert choose(among, 99, splits) is None


def test_a_tie_within_one_standard_error_goes_to_the_cheaper() -> None:
    rng = np.random.default_rng(0)
    correct = (rng.random((40, 1)) < 0.5).astype(float) * np.ones((1, 3))
    correct[0, 2] = 1.0 - correct[0, 2]
    assert choose(settings([evaluated("majority", correct)]), 300.0, halves(names(40), 0)).setting.n == 1


def test_what_costs_the_same_within_a_hundredth_goes_to_the_more_accurate() -> None:
    rng = np.random.default_rng(0)
    greedy = (rng.random((40, 1)) < 0.5).astype(float)
    sample = np.clip(greedy - 0.1 * (rng.random((40, 1)) < 0.5), 0, 1)
    among = settings([evaluated("majority", sample, 100.0), evaluated("greedy", greedy, 100.5)])
    assert choose(among, 101.0, halves(names(40), 0)).setting.evaluated.name == "greedy"


def test_oracles_are_not_among_the_settings() -> None:
    best = np.ones((4, 2))
    assert settings([evaluated("coverage", best), evaluated("best_of_n(verifier=exact)", best, oracle=True)]) == []


def test_budgets_are_what_powers_of_two_cost_and_all() -> None:
    half = np.full((10, 6), 0.5)
    assert budgets([evaluated("majority", half), evaluated("greedy", half[:, :1], tokens=130.0)]) == [
        130,
        200,
        400,
        600,
    ]


def test_each_strategy_meets_its_best_cheaper_rival_and_p_is_holms() -> None:
    rng = np.random.default_rng(1)
    greedy = (rng.random((40, 1)) < 0.3).astype(float)
    weak = np.clip(greedy + 0.05 * rng.random((40, 3)), 0, 1)
    strong = np.clip(greedy + 0.5 * rng.random((40, 3)), 0, 1)
    among = settings([evaluated("greedy", greedy, 50.0), evaluated("majority", weak), evaluated("best_of_n", strong)])
    splits = halves(names(40), 0)
    found = compare(among, [300.0], splits)
    assert all(c.budget == 300.0 for c in found)
    assert "greedy" not in {c.strategy for c in found}, "nothing is cheaper than it"
    by_name = {c.strategy: c for c in found}
    assert by_name["best_of_n(verifier=logprob)"].difference.low > 0
    assert [c.p_holm for c in found] == pytest.approx(list(holm([c.p for c in found])))
    assert by_name["majority"].p_holm >= by_name["majority"].p
    cheapest = choose([s for s in among if s.evaluated.name == "majority"], 300.0, splits)
    rival = choose([s for s in among if s.evaluated.name == "greedy"], 300.0, splits)
    if (by_name["majority"].n, by_name["majority"].against) == (1, "greedy"):
        assert by_name["majority"].p == sign_flip_test(cheapest.correct - rival.correct)


def test_advice_says_whether_its_gain_is_sure() -> None:
    greedy = np.zeros((40, 1))
    greedy[:10] = 1.0
    sure = np.zeros((40, 1))
    sure[:30] = 1.0
    splits = halves(names(40), 0)
    (advice,) = recommend(settings([evaluated("greedy", greedy, 50.0), evaluated("majority", sure)]), [100.0], splits)
    assert (advice.strategy, advice.sure) == ("majority", True)
    assert advice.gain_over_greedy.value == pytest.approx(0.5)
    assert advice.naive_accuracy == 0.75
    (alone,) = recommend(settings([evaluated("majority", sure)]), [100.0], splits)
    assert (alone.gain_over_greedy, alone.sure) == (None, False)


def test_a_ranking_has_every_deployable_strategy_that_the_budget_pays_for_the_best_first() -> None:
    good, bad = np.ones((20, 4)), np.zeros((20, 4))
    each = [
        evaluated("greedy", bad[:, :1], tokens=50.0),
        evaluated("majority", good),
        evaluated("best_of_n", bad, tokens=200.0),
        evaluated("coverage", good),
    ]
    small, large = rank(settings(each), [150.0, 400.0], halves(names(20), 0))
    assert [(row.strategy, row.n, row.tokens) for row in small.rows] == [("majority", 1, 100.0), ("greedy", 1, 50.0)]
    assert [row.strategy for row in large.rows] == ["majority", "greedy", "best_of_n(verifier=logprob)"]
    first, second, _ = large.rows
    assert first.behind is None
    assert second.behind is not None
    assert (second.behind.value, second.accuracy.value) == (-1, 0)


def test_a_rankings_figures_are_cross_fitted() -> None:
    lead = []
    for seed in range(200):
        each = [evaluated("majority", np.hstack(lucky(seed)), tokens=1.0)]
        ((row,),) = (ranking.rows for ranking in rank(settings(each), [100.0], halves(names(60), seed)))
        lead.append(row.accuracy.value)
    assert np.mean(lead) == pytest.approx(0.5, abs=4 * 0.065 / np.sqrt(200))
