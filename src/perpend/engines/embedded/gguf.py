"""The head of a GGUF file: its metadata and its tensors' shapes, without the weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from perpend.core import ConfigError, ModelShape

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 26
"""No text or list in a header is longer; a file that says so is damaged."""

FAITHFUL = frozenset({0, 1, 2, 8})
"""Tensor types that the native reader takes for what they are: F32, F16, Q4_0 and Q8_0. See requantise.py."""

Value = str | int | float | bool


@dataclass(frozen=True)
class Header:
    """A GGUF file's metadata (lists are left out) and tensors.

    Attributes:
        metadata: by key.
        tensors: name → (elements, type number).
    """

    metadata: dict[str, Value]
    tensors: dict[str, tuple[int, int]]

    def number(self, key: str) -> int | None:
        """An architecture's number, such as "context_length"."""
        value = self.metadata.get(f"{self.metadata.get('general.architecture')}.{key}")
        return int(value) if isinstance(value, int | float) else None

    @property
    def faithful(self) -> bool:
        """Whether the native reader takes all tensors for what they are."""
        return {kind for _, kind in self.tensors.values()} <= FAITHFUL

    @property
    def context(self) -> int | None:
        """The longest sequence that it was trained on."""
        return self.number("context_length")

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding, 0 where it has none."""
        size, _ = self.tensors.get("token_embd.weight", (0, 0))
        return size // (self.number("embedding_length") or 1)

    @property
    def shape(self) -> ModelShape | None:
        """The sizes that its compute depends on."""
        layers, heads, width = (self.number(k) for k in ("block_count", "attention.head_count", "embedding_length"))
        if not layers or not heads or not width:
            return None
        head = self.number("attention.key_length") or width // heads
        # An embedding is looked up, not multiplied by, unless it also serves as the output matrix.
        looked_up = {"token_embd.weight"} if "output.weight" in self.tensors else set()
        parameters = sum(size for name, (size, _) in self.tensors.items() if name not in looked_up)
        return ModelShape(parameters, layers, heads * head)


def read_header(path: Path) -> Header:
    """Read a file's head. Raises ConfigError where it is no GGUF file, or a damaged one."""
    try:
        with path.open("rb") as file:
            return _Reader(file).header()
    except (struct.error, ValueError, OSError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be read as a GGUF file: {error}.", "Download it again, or name another model."
        ) from None


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def header(self) -> Header:
        magic, version = self._file.read(4), self._scalar("I")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError("it does not begin with GGUF version 2 or 3")
        tensors, keys = int(self._scalar("Q")), int(self._scalar("Q"))
        metadata: dict[str, Value] = {}
        for _ in range(keys):
            key, value = self._text(), self._value(int(self._scalar("I")))
            if value is not None:
                metadata[key] = value
        return Header(metadata, dict(self._tensor() for _ in range(tensors)))

    def _tensor(self) -> tuple[str, tuple[int, int]]:
        name = self._text()
        sizes = [int(self._scalar("Q")) for _ in range(int(self._scalar("I")))]
        kind, _ = int(self._scalar("I")), self._scalar("Q")
        return name, (prod(sizes), kind)

    def _value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind not in _SCALARS:
            raise ValueError(f"it holds a value of unknown type {kind}")
        return self._scalar(_SCALARS[kind])

    def _skip_array(self) -> None:
        kind, length = int(self._scalar("I")), int(self._scalar("Q"))
        if kind in _SCALARS:
            self._file.seek(_bounded(length) * struct.calcsize(_SCALARS[kind]), 1)
        else:
            for _ in range(_bounded(length)):
                self._value(kind)

    def _text(self) -> str:
        length = _bounded(int(self._scalar("Q")))
        return self._read(length).decode("utf-8", "replace")

    def _scalar(self, kind: str) -> int | float | bool:
        value: int | float | bool = struct.unpack("<" + kind, self._read(struct.calcsize(kind)))[0]
        return value

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise ValueError("it ends in the middle of its header")
        return data


def _bounded(length: int) -> int:
    if length > _LONGEST:
        raise ValueError("its header is damaged")
    return length
