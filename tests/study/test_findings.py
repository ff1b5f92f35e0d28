"""Sentences say what was measured, with its sign, and that it may be chance where it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perpend.study.evaluate import Analysis
from perpend.study.findings import find
from perpend.study.results import Failure, Finding, FindingKind
from tests.study.made import analysis, evaluated, results

RNG = np.random.default_rng(0)


def rates(*by_n: float, problems: int = 200) -> np.ndarray:
    """[P, N], each problem near the mean of its column."""
    return np.array(by_n) + np.linspace(-0.05, 0.05, problems)[:, None]


def said(*analyses: Analysis, kind: FindingKind | None = None) -> list[Finding]:
    return [f for f in find(results(*analyses), analyses) if kind in (None, f.kind)]


@pytest.mark.parametrize(
    ("by_n", "words"),
    [((0.3, 0.5), "+20.0 points"), ((0.5, 0.3), "-20.0 points")],
)
def test_a_vote_is_reported_whatever_its_sign(by_n: tuple[float, float], words: str) -> None:
    headline, task = said(analysis(evaluated("majority", rates(*by_n))), kind=FindingKind.VOTES)
    assert words in headline.sentence
    assert words in task.sentence
    assert "no difference shown" not in headline.sentence
    assert headline.headline
    assert not task.headline
    assert headline.figure.value == pytest.approx(by_n[1] - by_n[0], abs=1e-3)


def test_with_several_engines_each_sentence_names_its_own() -> None:
    one = analysis(evaluated("majority", rates(0.3, 0.5)))
    two = results(one).engines[0].model_copy(update={"name": "large"})
    both = results(one).model_copy(update={"engines": [*results(one).engines, two]})
    votes = [finding.sentence for finding in find(both, [one]) if finding.kind is FindingKind.VOTES]
    assert [sentence.startswith("small: ") for sentence in votes] == [True, True]


def test_what_may_be_chance_says_so() -> None:
    noisy = (RNG.random((20, 2)) < 0.5).astype(float)
    headline, _ = said(analysis(evaluated("majority", noisy)), kind=FindingKind.VOTES)
    assert "no difference shown" in headline.sentence


def test_coverage_is_set_against_the_vote() -> None:
    found = said(
        analysis(evaluated("majority", rates(0.3, 0.4)), evaluated("coverage", rates(0.3, 0.7))),
        kind=FindingKind.COVERAGE,
    )
    assert "+30.0 points" in found[0].sentence
    assert "70" in found[1].sentence


def test_without_a_checker_there_is_no_word_of_one() -> None:
    found = said(analysis(evaluated("majority", rates(0.3, 0.4)), evaluated("coverage", rates(0.3, 0.7))))
    assert not any("checker" in finding.sentence for finding in found)
    assert not [finding for finding in found if finding.kind is FindingKind.CHECKER]


def test_what_the_checker_unlocks_is_told() -> None:
    (found,) = said(
        analysis(evaluated("majority", rates(0.3, 0.4)), evaluated("best_of_n(verifier=check)", rates(0.3, 0.7))),
        kind=FindingKind.CHECKER,
    )
    assert "+40.0 points" in found.sentence


def test_a_correct_answer_has_a_price_or_none() -> None:
    priced = said(analysis(evaluated("greedy", rates(0.5), 100.0)), kind=FindingKind.COST)
    assert any("200 with greedy" in finding.sentence for finding in priced)
    never = said(analysis(evaluated("greedy", np.zeros((20, 1)))), kind=FindingKind.COST)
    assert any("no deployable strategy gave a right answer" in finding.sentence for finding in never)
    free = evaluated("greedy", np.zeros((20, 1)), 0.0)
    assert said(analysis(free), kind=FindingKind.COST)


def test_an_oracle_alone_has_no_price_and_no_advice() -> None:
    found = said(analysis(evaluated("coverage", rates(0.3, 0.7))))
    assert not [f for f in found if f.kind in (FindingKind.COST, FindingKind.ADVICE, FindingKind.VOTES)]


def test_without_a_complete_problem_there_is_nothing_to_say() -> None:
    only, *_ = find(results(analysis()), [analysis()])
    assert "No problem was completed" in only.sentence


def test_the_three_headlines_come_first_and_cover_all_tasks() -> None:
    one = analysis(
        evaluated("greedy", rates(0.4)), evaluated("majority", rates(0.3, 0.4)), evaluated("coverage", rates(0.3, 0.6))
    )
    two = analysis(
        evaluated("greedy", rates(0.4)),
        evaluated("majority", rates(0.3, 0.6)),
        evaluated("coverage", rates(0.3, 0.8)),
        task="more",
    )
    found = said(one, two)
    assert [f.headline for f in found[:4]] == [True, True, True, False]
    assert "over 2 tasks" in found[0].sentence
    assert "is right on 50.0 %, one of them alone on 30.0 %: +20.0 points" in found[0].sentence
    assert "the greedy answer on 40.0 %: +10.0 points" in found[0].sentence
    assert "sums" in found[2].sentence
    assert "more" in found[2].sentence


def test_limits_are_told() -> None:
    one = analysis(evaluated("greedy", rates(0.4)))
    simulated = find(results(one, simulated=True, exact=False), [one])
    assert any("SIMULATED" in finding.sentence for finding in simulated)
    assert any("does not replay exactly" in finding.sentence for finding in simulated)
    assert not any("replay" in finding.sentence for finding in find(results(one), [one]))


def failure(error: str, samples: int, problems: list[str], total: int) -> Failure:
    return Failure(engine="small", error=error, samples=samples, problems=problems, problems_total=total)


def failing(*groups: Failure) -> Analysis:
    one = analysis(evaluated("greedy", rates(0.4)))
    return replace(one, result=one.result.model_copy(update={"failures": list(groups)}))


def test_failed_samples_are_named_by_cause_and_problem() -> None:
    one = failing(
        failure("HTTP 400:\x1b[2J too long.", 32, list("abcdefghij"), 16),
        failure("Withheld.", 1, ["q7"], 1),
    )
    overflow, withheld = [f.sentence for f in said(one, kind=FindingKind.LIMIT) if "failed for good" in f.sentence]
    assert overflow == (
        "On sums, 32 samples of small failed for good (HTTP 400: [2J too long), on problems a, b, c, d, e, f, g, h, i, "
        "j and 6 more; they count as wrong, with what they cost."
    )
    assert withheld == (
        "On sums, 1 sample of small failed for good (Withheld), on problem q7; it counts as wrong, with what it cost."
    )


@pytest.mark.parametrize(
    ("reason", "budget", "told"),
    [
        ("usd", "usd=0.01", "The budget of $0.01 ran out after 40 of 60 problems; start again with a larger --budget"),
        ("tokens", "usd=1,tokens=1e6", "The budget of 1,000,000 tokens ran out after 40 of 60 problems"),
        ("seconds", None, "The budget ran out after 40 of 60 problems"),
        ("interrupted", None, "The study was interrupted after 40 of 60 problems; start it again: nothing is bought"),
        ("The quota is used up.", None, "The study could not go on (The quota is used up) after 40 of 60 problems"),
    ],
)
def test_a_study_that_ended_early_says_why_and_how_to_go_on(reason: str, budget: str | None, told: str) -> None:
    one = analysis(evaluated("greedy", rates(0.4, problems=40)))
    one = replace(one, result=one.result.model_copy(update={"problems_total": 60}))
    made = results(one)
    how = made.how.model_copy(update={"stop_reason": reason, "budget": budget})
    (found,) = [f for f in find(made.model_copy(update={"how": how}), [one]) if "bought twice" in f.sentence]
    assert found.sentence.startswith(told)
    assert found.kind is FindingKind.LIMIT


def test_a_study_that_is_done_has_no_reason_to_be_told() -> None:
    one = analysis(evaluated("greedy", rates(0.4)))
    assert not any("bought twice" in finding.sentence for finding in find(results(one), [one]))
