"""11 thinking models on AIME 2024 and 6 of them on GPQA Diamond: answers and lengths, recorded for best-of-∞."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet

from perpend.core import Pool
from tests.data.recorded import pool_of


def load(data: Path, problems: str) -> dict[str, Pool]:
    """The pools of "aime2024" or "gpqa_diamond", by model; answers are numbered alike in all of them."""
    found: dict[str, dict[int, list[tuple[str, str, int]]]] = defaultdict(lambda: defaultdict(list))
    for row in pyarrow.parquet.read_table(data / "boinf" / "aime24_gpqa.parquet").to_pylist():
        if row["set"] == problems:
            found[row["model"]][row["problem"]].append((row["answer"], row["gold"], row["tokens"]))
    codes: dict[int, dict[str, int]] = defaultdict(dict)
    return {
        model: pool_of(
            model,
            [[answer or None for answer, _, _ in row] for row in rows.values()],
            [row[0][1] for row in rows.values()],
            [[tokens for _, _, tokens in row] for row in rows.values()],
            [codes[problem] for problem in rows],
        )
        for model, rows in found.items()
    }
