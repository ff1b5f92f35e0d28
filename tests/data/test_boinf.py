"""Thinking models' recorded answers: one sample and the vote of all, as in the data's own README."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.stats import majority_curve
from tests.data import boinf


@pytest.mark.parametrize(
    ("problems", "figures"),
    [
        (
            "aime2024",
            {
                "gpt-oss-20b": (0.7580, 0.9000),
                "Phi-4-reasoning": (0.7292, 0.8500),
                "Qwen3-30B-A3B-Thinking-2507": (0.9050, 0.9333),
                "EXAONE-Deep-32B": (0.7154, 0.8667),
            },
        ),
        (
            "gpqa_diamond",
            {
                "gpt-oss-20b": (0.6384, 0.7146),
                "Phi-4-reasoning": (0.6582, 0.7273),
                "Qwen3-30B-A3B-Thinking-2507": (0.7203, 0.7348),
                "NVIDIA-Nemotron-Nano-9B-v2": (0.5840, 0.6263),
            },
        ),
    ],
)
def test_one_sample_and_the_vote_of_all(shared_data: Path, problems: str, figures: dict[str, tuple[float, float]]):
    pools = boinf.load(shared_data, problems)
    for model, (alone, voted) in figures.items():
        pool = pools[model]
        assert round(float(pool.correct.mean()), 4) == alone
        assert round(float(majority_curve(pool.keys, pool.correct)[:, -1].mean()), 4) == voted
