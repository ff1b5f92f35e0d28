"""The samples as one Parquet file, for other people's data frames."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from perpend.core import DrawnFrom, Sample, StoreError
from perpend.store.rows import printable
from perpend.store.store import Store

SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("problem", pa.string()),
        ("engine", pa.string()),
        ("temperature", pa.float64()),
        ("index", pa.int32()),
        ("text", pa.string()),
        ("answer", pa.string()),
        ("key", pa.string()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("cached_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
        ("reasoning_tokens", pa.int32()),
        ("logprob", pa.float64()),
        ("started", pa.float64()),
        ("ended", pa.float64()),
        ("device_seconds", pa.float64()),
        ("queued_seconds", pa.float64()),
        ("retries", pa.int32()),
        ("choice", pa.int32()),
        ("estimated", pa.bool_()),
        ("error", pa.string()),
        ("pool", pa.string()),
    ]
)
BATCH = 4096


def export_samples(store: Store, path: Path) -> int:
    """Write all samples, replacing the file whole; returns how many. Raises StoreError where it cannot be written."""
    pools = {stored.pool: stored.source for stored in store.pools()}
    partial = path.with_suffix(".partial")
    samples = store.samples(tokens=False)
    count = 0
    try:
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            while batch := [_row(sample, pools[sample.pool]) for sample in islice(samples, BATCH)]:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
                count += len(batch)
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}.", "Free some space, and start again.") from error
    return count


def _row(sample: Sample, source: DrawnFrom) -> dict[str, object]:
    usage = sample.usage
    row = {
        "task": source.task,
        "problem": source.problem,
        "engine": source.engine,
        "temperature": source.prompt.temperature,
        "index": sample.index,
        "text": sample.text,
        "answer": sample.answer,
        "key": sample.key,
        "finish": sample.finish.value,
        "prompt_tokens": usage.prompt,
        "cached_tokens": usage.cached,
        "completion_tokens": usage.completion,
        "reasoning_tokens": usage.reasoning,
        "logprob": sample.logprob,
        "started": sample.started,
        "ended": sample.ended,
        "device_seconds": sample.device_seconds,
        "queued_seconds": sample.queued_seconds,
        "retries": sample.retries,
        "choice": sample.choice,
        "estimated": sample.estimated,
        "error": sample.error,
        "pool": sample.pool,
    }
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
