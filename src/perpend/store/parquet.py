"""The samples as one Parquet file, for other people's data frames."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
        ("error", pa.string()),
        ("pool", pa.string()),
    ]
)
BATCH = 4096


def export_samples(store: Store, path: Path) -> int:
    """Write all samples, replacing the file whole; returns how many."""
    pools = {stored.pool: stored.source for stored in store.pools()}
    partial = path.with_suffix(".partial")
    batch: list[dict[str, object]] = []
    count = 0
    with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
        for sample in store.samples():
            source = pools[sample.pool]
            usage = sample.usage
            batch.append(
                {
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
                    "error": sample.error,
                    "pool": sample.pool,
                }
            )
            count += 1
            if len(batch) == BATCH:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
                batch.clear()
        if batch:
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
    os.replace(partial, path)
    return count
