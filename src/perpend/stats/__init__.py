"""Estimators and intervals for sampled reasoning: pure functions of arrays, without input or output.

Samples of a problem are exchangeable draws; every curve over k is exact over all subsets of k. Letters in docstrings
are defined in `perpend.stats.arrays`.
"""

from perpend.stats.arrays import Bools, Floats, Ints
from perpend.stats.bootstrap import cost_per_correct, mean_interval, paired_cost_per_correct, paired_interval
from perpend.stats.comparisons import holm, sign_flip_test
from perpend.stats.correlation import answer_correlation, effective_samples
from perpend.stats.coverage import coverage_curve, pass_at_k
from perpend.stats.difficulty import DifficultyBins, Half, difficulty_bins
from perpend.stats.electing import elected_turns
from perpend.stats.gaps import LossGaps, loss_gaps
from perpend.stats.intervals import Interval, mover
from perpend.stats.leading import first_is_largest, vote_states
from perpend.stats.majority import majority_curve
from perpend.stats.orders import permutations
from perpend.stats.ranked import borda, instant_runoff, ranked_winners, reciprocal_rank
from perpend.stats.ranks import best_of_n_curve, expected_max_curve
from perpend.stats.running import RunningVote, running_vote
from perpend.stats.scaling import (
    BetaFit,
    PowerLaw,
    beta_intervals,
    fit_beta,
    fit_power_law,
    power_law_intervals,
    thin,
)
from perpend.stats.similarity import Ngrams, mean_similarity, ngrams
from perpend.stats.softmax import running_softmax_mean
from perpend.stats.verifier import VerifierRates, auc_within_problems, verifier_rates
from perpend.stats.votes import softmax_vote_winners, vote_winners

__all__ = [
    "BetaFit",
    "Bools",
    "DifficultyBins",
    "Floats",
    "Half",
    "Interval",
    "Ints",
    "LossGaps",
    "Ngrams",
    "PowerLaw",
    "RunningVote",
    "VerifierRates",
    "answer_correlation",
    "auc_within_problems",
    "best_of_n_curve",
    "beta_intervals",
    "borda",
    "cost_per_correct",
    "coverage_curve",
    "difficulty_bins",
    "effective_samples",
    "elected_turns",
    "expected_max_curve",
    "first_is_largest",
    "fit_beta",
    "fit_power_law",
    "holm",
    "instant_runoff",
    "loss_gaps",
    "majority_curve",
    "mean_interval",
    "mean_similarity",
    "mover",
    "ngrams",
    "paired_cost_per_correct",
    "paired_interval",
    "pass_at_k",
    "permutations",
    "power_law_intervals",
    "ranked_winners",
    "reciprocal_rank",
    "running_softmax_mean",
    "running_vote",
    "sign_flip_test",
    "softmax_vote_winners",
    "thin",
    "verifier_rates",
    "vote_states",
    "vote_winners",
]
