"""Qwen3-0.6B to 8B, thinking, on AIME 2024: 30 problems × 128 traces, each asked for its answer every 500 tokens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from perpend.core import Pool, PoolField, Probes
from tests.data.recorded import coded, pool_of

EVERY = 500
NO_ANSWER = {"", "ERR", "No"}


def load(data: Path) -> dict[str, Pool]:
    """By model, smallest first, without the probes."""
    return {model: _pool(model, rows) for model, rows in _rows(data, "answer", "tokens").items()}


def load_probed(data: Path) -> dict[str, Pool]:
    """The same with the probes: past a trace's last probe, its final answer."""
    return {
        model: _probed(_pool(model, rows), rows) for model, rows in _rows(data, "answer", "tokens", "probes").items()
    }


Rows = list[list[dict[str, Any]]]
"""[problem][trace]"""


def _rows(data: Path, *columns: str) -> dict[str, Rows]:
    found: dict[str, dict[int, dict[int, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    path = data / "qwen3-probes" / "aime24.parquet"
    for row in pyarrow.parquet.read_table(path, columns=["model", "problem", "trace", "gold", *columns]).to_pylist():
        found[row["model"]][row["problem"]][row["trace"]] = row
    return {
        model: [[of[t] for t in sorted(of)] for _, of in sorted(problems.items())] for model, problems in found.items()
    }


def _pool(model: str, rows: Rows) -> Pool:
    return pool_of(
        model,
        [[_answer(trace["answer"]) for trace in row] for row in rows],
        [row[0]["gold"] for row in rows],
        [[trace["tokens"] for trace in row] for row in rows],
    )


def _probed(pool: Pool, rows: Rows) -> Pool:
    depths = max(len(trace["probes"]) for row in rows for trace in row)
    traces = pool.samples
    keys, correct = np.empty((len(rows), traces, depths), np.int64), np.empty((len(rows), traces, depths), bool)
    finals = []
    for p, row in enumerate(rows):
        along = [[*trace["probes"], *[trace["answer"]] * (depths - len(trace["probes"]))] for trace in row]
        flat = [_answer(trace["answer"]) for trace in row] + [_answer(answer) for trace in along for answer in trace]
        codes = coded(flat, {})  # one code for final answers and probes
        finals.append(codes[:traces])
        keys[p] = np.reshape(codes[traces:], (traces, depths))
        correct[p] = np.reshape([answer == row[0]["gold"] for answer in flat[traces:]], (traces, depths))
    return replace(
        pool, keys=np.array(finals), probes=Probes(keys, correct, EVERY), fields=pool.fields | {PoolField.PROBES}
    )


def _answer(text: str) -> str | None:
    return None if text in NO_ANSWER else text
