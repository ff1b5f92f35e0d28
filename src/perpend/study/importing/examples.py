"""Pools that ship with the package: other people's samples, imported into the user's cache when first asked for."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path

from perpend.core import ConfigError
from perpend.engines.embedded.weights import cache_dir
from perpend.strategies import STRATEGIES
from perpend.study.importing.importing import import_file, preview_file

EXAMPLE = "example:"
"""What comes before an example's name where a folder may stand."""
SAMPLES = "samples.jsonl.xz"


@dataclass(frozen=True)
class Example:
    """One of them.

    Attributes:
        name: as it is asked for.
        title: heads its report.
        about: what it holds, in a few words.
        source: where it comes from.
        licence: by its SPDX name; the text stands beside the samples.
        answer: the reader of its answers.
    """

    name: str
    title: str
    about: str
    source: str
    licence: str
    answer: str


@cache
def examples() -> Mapping[str, Example]:
    """All of them, by name."""
    told = tomllib.loads((_data() / "examples.toml").read_text(encoding="utf-8"))
    return {name: Example(name, **values) for name, values in told.items()}


def unpacked(name: str) -> Path:
    """An example's folder, made in the user's cache where it is not there, or of another perpend. Raises ConfigError.

    Strategies that are added later are evaluated too: the folder's name says what it was made of, and with what.
    """
    if name not in examples():
        raise ConfigError(f"There is no example {name!r}.", f"Known: {', '.join(examples())}.")
    packed = _data() / name / SAMPLES
    made_of = hashlib.sha256(packed.read_bytes() + repr((examples()[name], STRATEGIES.names())).encode()).hexdigest()
    folder = cache_dir() / "examples" / f"{name}-{made_of[:8]}"
    if not folder.exists():
        for old in folder.parent.glob(f"{name}-*"):
            shutil.rmtree(old)
        with as_file(packed) as file:
            preview = preview_file(file, answer=examples()[name].answer)
            import_file(preview, folder, f"perpend report {EXAMPLE}{name}", examples()[name].title)
    return folder


def _data() -> Traversable:
    return files("perpend.study.importing") / "data"
