"""Files as rows: JSON Lines, JSON, CSV and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from perpend.core import ConfigError


@dataclass(frozen=True)
class Row:
    """One row of a file, and where it stands."""

    place: str
    value: Any


Reading = Callable[[Path, bytes, list[tuple[str, str]]], Iterator[Row]]
"""(file, its bytes, takes what cannot be read) → rows."""


@dataclass
class Rows:
    """What a file holds.

    Attributes:
        rows: those that could be read.
        unread: where, and why not, for those that could not.
        notes: what was decided on the way, a sentence each.
        mapping: field → column where the format says it; empty where the user has to.
        task: the task's name, where the file says it.
    """

    rows: list[Row] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    task: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order of first appearance."""
        return list(dict.fromkeys(str(name) for row in self.rows if isinstance(row.value, dict) for name in row.value))


def read_rows(path: Path, content: bytes, others: Mapping[str, Reading] | None = None) -> Rows:
    """The rows of a file, by the ending of its name; a packed one is unpacked. `others` read other endings.

    Raises ConfigError.
    """
    if path.suffix in PACKED:
        return read_rows(path.with_suffix(""), _unpacked(path, content), others)
    known = {**READERS, **(others or {})}
    reader = known.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{path.name} ends in none of {', '.join(known)}.", "Rename it, or convert it to one of these."
        )
    if not content.strip():
        raise ConfigError(f"{path} is empty.", "Give a file of samples.")
    rows = Rows()
    for row in reader(path, content, rows.unread):
        rows.rows.append(row)
    return rows


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        return PACKED[path.suffix](content)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ConfigError(f"{path} cannot be unpacked ({error}).", "Pack it again.") from None


def parsed(path: Path, content: bytes) -> Any:
    """A whole file of JSON. Raises ConfigError."""
    try:
        return json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not JSON ({error}).", "With one object a line, let its name end in .jsonl."
        ) from None


def _json_lines(path: Path, content: bytes, unread: list[tuple[str, str]]) -> Iterator[Row]:  # noqa: ARG001
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield Row(f"line {number}", json.loads(line))
        except (ValueError, RecursionError) as error:
            unread.append((f"line {number}", f"it is not JSON ({error})"))


def _json(path: Path, content: bytes, unread: list[tuple[str, str]]) -> Iterator[Row]:  # noqa: ARG001
    """The items of a list; an object is one row."""
    value = parsed(path, content)
    items = value if isinstance(value, list) else [value]
    return (Row(f"item {number}", item) for number, item in enumerate(items, start=1))


def _csv(path: Path, content: bytes, unread: list[tuple[str, str]]) -> Iterator[Row]:
    """By the header's names; an empty cell is no value."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8.", "Save the file as UTF-8.") from None
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        for record in reader:
            place = f"line {reader.line_num}"
            if len(record) == len(header):
                yield Row(place, {name: cell or None for name, cell in zip(header, record, strict=True)})
            elif record:
                unread.append((place, f"it has {len(record)} fields, where the header has {len(header)}"))
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: it is not CSV ({error}).", "Correct the file.") from None


def _parquet(path: Path, content: bytes, unread: list[tuple[str, str]]) -> Iterator[Row]:  # noqa: ARG001
    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise ConfigError(f"{path} is not Parquet ({error}).", "Write it again.") from None
    return (Row(f"row {number}", row) for number, row in enumerate(table.to_pylist(), start=1))


PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}
READERS: dict[str, Reading] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
