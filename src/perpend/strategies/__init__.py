"""Ways to spend samples. A new strategy is one file here and one line below."""

from perpend.core import Registry, Strategy
from perpend.strategies.naming import describe

__all__ = ["STRATEGIES", "describe"]

STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    "perpend.strategies",
    {
        "greedy": "perpend.strategies.greedy:Greedy",
        "majority": "perpend.strategies.majority:Majority",
        "weighted_vote": "perpend.strategies.weighted_vote:WeightedVote",
        "best_of_n": "perpend.strategies.best_of_n:BestOfN",
        "rejection_sampling": "perpend.strategies.rejection_sampling:RejectionSampling",
        "verifier_threshold": "perpend.strategies.verifier_threshold:VerifierThreshold",
        "best_of_majority": "perpend.strategies.best_of_majority:BestOfMajority",
        "soft_best_of_n": "perpend.strategies.soft_best_of_n:SoftBestOfN",
        "pessimism": "perpend.strategies.pessimism:Pessimism",
        "ranked_votes": "perpend.strategies.ranked_votes:RankedVotes",
        "mbr": "perpend.strategies.mbr:Mbr",
        "pandora": "perpend.strategies.pandora:Pandora",
        "coverage": "perpend.strategies.coverage:Coverage",
        "adaptive_consistency": "perpend.strategies.adaptive_consistency:AdaptiveConsistency",
        "early_stopping": "perpend.strategies.early_stopping:EarlyStopping",
        "best_of_infinity": "perpend.strategies.best_of_infinity:BestOfInfinity",
        "martingale": "perpend.strategies.martingale:Martingale",
        "sprt": "perpend.strategies.sprt:Sprt",
        "short_m_at_k": "perpend.strategies.short_m_at_k:ShortMAtK",
        "cascade": "perpend.strategies.cascade:Cascade",
        "capped_vote": "perpend.strategies.capped_vote:CappedVote",
        "timely_vote": "perpend.strategies.timely_vote:TimelyVote",
        "parallel_probing": "perpend.strategies.parallel_probing:ParallelProbing",
        "confidence_momentum": "perpend.strategies.confidence_momentum:ConfidenceMomentum",
        "deepconf": "perpend.strategies.deepconf:DeepConf",
    },
)
