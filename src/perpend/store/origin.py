"""Where a folder's samples come from, when perpend has not drawn them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Origin:
    """The file that samples were imported from, and how it was read.

    Attributes:
        file: its name.
        sha256: of its bytes.
        mapping: field → column.
        reader: how answers were taken.
        graded: whether the file has verdicts.
        verifiers: whose scores it has.
        samples: how many were taken.
        left_out: how many places held none that could be used.
    """

    file: str
    sha256: str
    mapping: Mapping[str, str]
    reader: str
    graded: bool
    verifiers: tuple[str, ...]
    samples: int
    left_out: int

    def to_json(self) -> str:
        """As the store keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """The inverse of `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "verifiers": tuple(values["verifiers"])})
