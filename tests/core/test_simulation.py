"""Simulated laws: what is drawn follows what the law says."""

import math

import pytest

from perpend.core import ConfigError
from perpend.core.simulation import law_of, problem_id

LAW = law_of(problem_id(0, 7))


def test_a_law_depends_on_the_id_alone():
    assert law_of("sim-0-0007") == LAW
    assert law_of("sim-0-0008") != LAW
    assert law_of("sim-1-0007") != LAW


def test_probabilities_sum_to_one_and_the_right_answer_has_p():
    assert math.isclose(sum(LAW.answers.values()), 1)
    assert LAW.answers[LAW.answer] == LAW.p


def test_draws_follow_the_law():
    drawn = [LAW.draw(seed) for seed in range(4000)]
    assert sum(d.answer == LAW.answer for d in drawn) / 4000 == pytest.approx(LAW.p, abs=0.03)
    assert sum(d.tokens for d in drawn) / 4000 == pytest.approx(LAW.mean_tokens, rel=0.03)
    assert all(d.logprob < 0 and d.tokens >= 1 for d in drawn)


def test_a_draw_replays():
    assert LAW.draw(3) == LAW.draw(3)
    assert LAW.greedy() == LAW.greedy()


def test_scores_are_a_separation_apart():
    right = [LAW.score(LAW.answer, seed) for seed in range(4000)]
    wrong = [LAW.score("no", seed) for seed in range(4000, 8000)]
    assert sum(right) / 4000 - sum(wrong) / 4000 == pytest.approx(LAW.separation, abs=0.08)


def test_difficulty_is_mixed():
    ps = [law_of(problem_id(0, i)).p for i in range(400)]
    assert sum(ps) / 400 == pytest.approx(0.35, abs=0.05)
    assert sum(p < 0.1 for p in ps) > 40
    assert sum(p > 0.8 for p in ps) > 20


def test_a_foreign_id_is_refused():
    with pytest.raises(ConfigError, match="no simulated law"):
        law_of("gsm8k-1")
