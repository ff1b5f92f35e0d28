"""From a file of samples to a study's folder, and a preview of what it would hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perpend.core import ConfigError, StoreError
from perpend.store import Origin
from perpend.study.importing.arrange import Arranged, arrange
from perpend.study.importing.fields import guess, parse_map
from perpend.study.importing.folder import Writing
from perpend.study.importing.formats import read_rows
from perpend.study.importing.found import Found, find
from perpend.study.importing.logs import read_eval, recognised
from perpend.tasks.reading import Reader, read_by


@dataclass(frozen=True)
class Preview:
    """What a file holds, as far as it is understood.

    Attributes:
        file: where it is.
        mapping: field → column.
        guessed: whether the columns were guessed by their names.
        reader: how answers are taken.
        rows: how many the file has.
        found: its samples, as they were read.
        left_out: where nothing could be used, with the reason.
        notes: what was decided on the way, a sentence each.
        arranged: the samples in order.
        sha256: of the file.
    """

    file: Path
    mapping: dict[str, str]
    guessed: bool
    reader: Reader
    rows: int
    found: Sequence[Found]
    left_out: Sequence[tuple[str, str]]
    notes: Sequence[str]
    arranged: Arranged
    sha256: str


@dataclass(frozen=True)
class Import:
    """A preview that was written into a folder."""

    preview: Preview
    folder: Path


def preview_file(file: Path, columns: Sequence[str] = (), answer: str | None = None) -> Preview:
    """Read a file of samples.

    Args:
        file: JSON Lines, JSON, CSV, Parquet, or a log of lm-evaluation-harness or Inspect.
        columns: `FIELD=COLUMN,…`, as of `--map`; without any they are guessed by their names.
        answer: how answers are taken, a reader's name or a regular expression: from the column of answers where there
            is one (by default `whole`), else from the texts (by default `final`).

    Raises:
        ConfigError: where it cannot be read, or not as samples.
    """
    content = _bytes(file)
    rows = recognised(file, read_rows(file, content, {".eval": read_eval}))
    said = parse_map(columns)
    mapping = said or rows.mapping or guess(rows.columns)
    reader = read_by(answer or ("whole" if "answer" in mapping else "final"))
    found, left_out = find(rows, mapping)
    notes = list(rows.notes)
    arranged = arrange(found, rows.task or file.stem, left_out, notes)
    return Preview(
        file=file,
        mapping=mapping,
        guessed=not said and not rows.mapping,
        reader=reader,
        rows=len(rows.rows) + len(rows.unread),
        found=found,
        left_out=left_out,
        notes=notes,
        arranged=arranged,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def import_file(preview: Preview, folder: Path, command: str = "perpend import", title: str | None = None) -> Import:
    """Write a file's samples into a new folder, whole or not at all.

    Raises:
        ConfigError: where the folder is there and not empty.
        StoreError: where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already.", "Choose another --out, or remove it.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.", "Choose another --out.") from None
    try:
        _writing(preview, partial).write(title or preview.file.stem, command)
        partial.chmod(0o755)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Import(preview, folder)


def _writing(preview: Preview, folder: Path) -> Writing:
    arranged = preview.arranged
    origin = Origin(
        file=preview.file.name,
        sha256=preview.sha256,
        mapping=preview.mapping,
        reader=preview.reader.name,
        graded=arranged.graded,
        verifiers=tuple(arranged.verifiers),
        samples=arranged.samples,
        left_out=len(preview.left_out),
    )
    return Writing(folder, arranged, origin, preview.reader, whole_answers="answer" in preview.mapping)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", "Give the path of a file of samples.") from None
