"""Rows of a user's file, each with its line number; what cannot be used is collected, and never dropped in silence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perpend.core import ConfigError, TaskError

LONGEST_LINE = 2**20
"""Bytes of one line of JSON, or of one field of CSV."""
SHOWN = 3
"""Bad lines that an error lists."""


@dataclass
class Complaints:
    """What is wrong with a file, line by line."""

    path: Path
    lines: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        """Note one line."""
        self.lines.append((line, reason))

    def raise_if_any(self) -> None:
        """Raises TaskError with the first few and their number."""
        if not self.lines:
            return
        shown = "; ".join(f"line {line}: {reason}" for line, reason in sorted(self.lines)[:SHOWN])
        more = f"; and {len(self.lines) - SHOWN} more" if len(self.lines) > SHOWN else ""
        count = "1 line" if len(self.lines) == 1 else f"{len(self.lines)} lines"
        raise TaskError(f"{self.path}: {count} cannot be used: {shown}{more}.", "Correct or remove them.")


Row = tuple[int, dict[str, Any]]


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises ConfigError where it is missing or cannot be read, TaskError where it is empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path} cannot be read: {reason}.", "Give the path of a file of problems.") from None
    if not content.strip():
        raise TaskError(f"{path} is empty.", "Write one problem a line.")
    return content


def json_rows(content: bytes, complaints: Complaints) -> Iterator[Row]:
    """Each line's JSON object; empty lines are skipped."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        row = _json_object(line)
        if isinstance(row, str):
            complaints.add(number, row)
        else:
            yield number, row


def _json_object(line: bytes) -> dict[str, Any] | str:
    """The object, or why it is none."""
    if len(line) > LONGEST_LINE:
        return f"it has {len(line):,} bytes, and at most {LONGEST_LINE:,} are read"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except json.JSONDecodeError as error:
        return f"it is not JSON ({error.msg} at column {error.colno})"
    except (ValueError, RecursionError):
        return "it is not JSON that can be read (nested too deeply, or a number too long)"
    return row if isinstance(row, dict) else f"it is {_kind(row)}, not an object"


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def csv_rows(content: bytes, complaints: Complaints) -> Iterator[Row]:
    """Each record by the header's names. Raises TaskError for a file that is not UTF-8, since lines may be joined."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{complaints.path}: line {line} is not UTF-8.", "Save the file as UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    csv.field_size_limit(LONGEST_LINE)
    header: list[str] | None = None
    line = 1
    try:
        for record in reader:
            if header is None:
                header = [name.strip() for name in record]
            elif len(record) == len(header):
                yield line, dict(zip(header, record, strict=True))
            elif record:
                complaints.add(line, f"it has {len(record)} fields, where the header has {len(header)}")
            line = reader.line_num + 1
    except csv.Error as error:
        complaints.add(line, f"it is not CSV ({error})")
