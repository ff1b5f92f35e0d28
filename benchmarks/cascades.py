"""Small then large: cascades and cross-model votes over the recorded answers of thinking models.

Run `python -m benchmarks.cascades DATA_FOLDER`, where the folder holds `boinf/aime24_gpqa.parquet` (answers and token
counts of 11 models, arXiv 2509.21091). For each pair of models it prints Markdown: accuracy, charged tokens and the
share of questions that went on, and the paired difference from the larger model's own vote with its 95 % interval over
problems.

A cascade's agreement is fitted on half of the problems and reported on the other half, 16 times. Means over 2,000
orders of each model's samples. The data hold no prompts, so completions are what is charged. Tokens of different models
are added as if they cost the same: a reader with prices multiplies each column.
"""

from __future__ import annotations

import sys
from pathlib import Path

from perpend.core import SAMPLED, Draw, Floats, Outcomes, Pools
from perpend.stats import paired_interval
from perpend.strategies.cascade import Cascade
from perpend.strategies.majority import Majority
from perpend.study.evaluate import choose_setting, halves
from perpend.study.offline import average_outcomes
from tests.data.boinf import load

ORDERS, VOTES, FIRST = 2000, 8, 4
PAIRS = {
    "aime2024": (
        ("NVIDIA-Nemotron-Nano-9B-v2", "gpt-oss-20b"),
        ("gpt-oss-20b", "Qwen3-30B-A3B-Thinking-2507"),
        ("Phi-4-reasoning", "Qwen3-30B-A3B-Thinking-2507"),
    ),
    "gpqa_diamond": (
        ("NVIDIA-Nemotron-Nano-9B-v2", "gpt-oss-20b"),
        ("gpt-oss-20b", "Phi-4-reasoning"),
        ("gpt-oss-20b", "Qwen3-30B-A3B-Thinking-2507"),
    ),
}


def main(data: Path) -> None:
    head = (
        "Problems",
        "Models",
        "What is run",
        "Accuracy",
        "Thousand tokens",
        "Went on",
        "Against the larger vote (points)",
    )
    print(markdown(*head))
    print(markdown(*["---"] * len(head)))
    for problems, pairs in PAIRS.items():
        pools = load(data, problems)
        for small, large in pairs:
            compare(problems, small, large, Pools({Draw(name): pools[name] for name in (small, large)}))


def compare(problems: str, small: str, large: str, pools: Pools) -> None:
    """Print the rows of one pair."""
    alone = {name: vote(name, pools) for name in (small, large)}
    reference = alone[large].correct[0, :, VOTES - 1]
    for name, outcomes in alone.items():
        row(problems, f"{small} → {large}", f"{name}, vote of {VOTES}", outcomes, VOTES, reference)
    for text, cascade in {
        f"{FIRST} small, then {VOTES} large": Cascade(small, large, n=FIRST, more=VOTES),
        f"{FIRST} small, then {VOTES} large, at most half go on": Cascade(
            small, large, n=FIRST, more=VOTES, escalate=0.5
        ),
        f"{FIRST} small, then {VOTES} large, all vote": Cascade(small, large, n=FIRST, more=VOTES, pooled=True),
    }.items():
        settings = cascade.grid()
        averaged = average_outcomes(settings, pools, seed=0, orders=ORDERS)
        splits = halves(pools[Draw(small)].problems, seed=0)
        outcomes = choose_setting(settings, averaged, splits, FIRST).outcomes
        row(problems, f"{small} → {large}", text, outcomes, FIRST, reference)


def vote(name: str, pools: Pools) -> Outcomes:
    """The exact vote of one model."""
    return average_outcomes([Majority(n=VOTES)], Pools({SAMPLED: pools[Draw(name)]}), seed=0)[0].outcomes


def row(problems: str, pair: str, text: str, outcomes: Outcomes, n: int, reference: Floats) -> None:
    """Print one row."""
    correct = outcomes.correct[0, :, n - 1]
    tokens = sum(float(spend.completion[0, :, n - 1].mean()) for spend in outcomes.spend.values())
    went_on = "" if outcomes.stopped is None else f"{100 * (1 - outcomes.stopped[0, :, n - 1].mean()):.0f} %"
    lost = paired_interval(correct - reference)
    difference = f"{100 * lost.estimate:+.1f} [{100 * lost.low:+.1f}, {100 * lost.high:+.1f}]"
    accuracy = f"{100 * correct.mean():.1f} %"
    print(markdown(f"{problems} ({len(correct)})", pair, text, accuracy, f"{tokens / 1000:.1f}", went_on, difference))


def markdown(*cells: str) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
