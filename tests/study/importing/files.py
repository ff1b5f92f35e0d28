"""Small files of samples in every form, all telling the same: two problems, three samples each."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SAMPLES: list[dict[str, Any]] = [
    {"problem": p, "question": q, "gold": gold, "answer": answer, "tokens": tokens, "reward": reward}
    for p, q, gold, rows in (
        ("a", "1 + 1?", "2", [("2", 5, 0.9), ("3", 7, 0.1), ("2", 6, 0.8)]),
        ("b", "Half?", "1/2", [("0.5", 9, 0.2), (None, 3, 0.3), ("2", 4, 0.7)]),
    )
    for answer, tokens, reward in rows
]
MAP = "problem=problem,prompt=question,key=gold,answer=answer,completion_tokens=tokens,score.rm=reward"
PROBLEMS: list[dict[str, Any]] = [
    {
        **{name: rows[0][name] for name in ("problem", "question", "gold")},
        **{name: [row[name] for row in rows] for name in ("answer", "tokens", "reward")},
    }
    for rows in (SAMPLES[:3], SAMPLES[3:])
]


def write(folder: Path, name: str, rows: Any) -> Path:
    """Rows in the format that the name ends in."""
    path = folder / name
    content = _bytes(path.with_suffix("") if path.suffix in (".gz", ".xz") else path, rows)
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(content))
    return path


def _bytes(path: Path, rows: Any) -> bytes:
    if path.suffix == ".jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".json":
        return json.dumps(rows).encode()
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()
