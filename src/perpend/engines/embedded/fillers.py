"""Rows that keep a step's row count where a kernel's choice no longer depends on it."""

from __future__ import annotations

from openvino_genai.py_openvino_genai import GenerationHandle, GenerationStatus

from perpend.engines.embedded.admission import BLOCK_TOKENS
from perpend.engines.embedded.pipeline import Pipeline


class Fillers:
    """Keeps `rows` rows in each step while samples run. Matrix kernels for few rows add up in another order, so that
    the same (prompt, seed) gives other numbers alone than in a crowd; above the threshold it gives the same.

    A filler ends before it fills a block, so that none of it stays in the prefix cache.
    """

    def __init__(self, pipeline: Pipeline, rows: int) -> None:
        self.rows = rows
        self._pipeline = pipeline
        self._handles: list[GenerationHandle] = []

    def __len__(self) -> int:
        return len(self._handles)

    def fit(self, real: int) -> int:
        """Have as many as a step with so many real rows needs; their number."""
        self._handles = [h for h in self._handles if h.get_status() == GenerationStatus.RUNNING]
        wanted = max(self.rows - real, 0) if real else 0
        for surplus in self._handles[wanted:]:
            surplus.cancel()
        del self._handles[wanted:]
        while len(self._handles) < wanted:
            self._handles.append(self._pipeline.filler(BLOCK_TOKENS - 2))
        return wanted
