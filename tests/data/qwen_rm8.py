"""Qwen2.5-Math on 60 problems of MATH × 8 samples, with the scores of its outcome reward model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from perpend.core import Pool, PoolField
from tests.data.recorded import pool_of


def load(data: Path) -> Pool:
    """Graded as recorded; texts are kept, lengths are not known."""
    lines = (data / "qwen-math-eval" / "rm8_dev60.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    pool = pool_of("qwen2.5-math", [row["pred"] for row in rows], [row["answer"] for row in rows])
    return replace(
        pool,
        correct=np.array([row["score"] for row in rows], bool),
        scores={"rm": np.array([row["pred_score"] for row in rows], np.float64)[:, :, 0]},
        texts=[row["code"] for row in rows],
        fields=pool.fields | {PoolField.TEXTS},
    )
