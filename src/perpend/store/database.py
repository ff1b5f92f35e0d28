"""One SQLite file in WAL mode: opened, read, written in whole transactions, and its errors put into a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from perpend.core import StoreError
from perpend.store.schema import check_version, migrate


class Database:
    """A connection.

    Args:
        path: of the file; made where there is none, unless it is only read.
        read_only: never writes, so that a folder without the right to write will do.

    Raises:
        StoreError: where the file cannot be used: not one of ours, of a newer schema, no right, no space.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        with self.guard():
            self._connection = _reader(path) if read_only else _connect(str(path))
            try:
                if read_only:
                    check_version(self._connection, path)
                else:
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing by it
                    migrate(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._connection.close()

    def query(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT."""
        with self.guard():
            return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[sqlite3.Row]:
        """The rows of a SELECT, one after another."""
        with self.guard():
            yield from self._connection.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside, or nothing of it."""
        with self.guard():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite has ended it already where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def guard(self) -> Iterator[None]:
        """SQLite's errors as one sentence and a remedy."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _explain(error, self.path) from error


def _connect(name: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None, uri=uri)
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text  # the inverse of `rows.text`
    return connection


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that refuses to write.

    Reading in WAL mode takes files beside the store, which go when it is closed by someone with the right to write.
    Where they cannot be made, a store at rest is read without them.
    """
    uri = path.absolute().as_uri()
    connection = _connect(f"{uri}?mode=rw", uri=True)
    connection.execute("PRAGMA query_only = ON")
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        return _connect(f"{uri}?mode=ro&immutable=1", uri=True)
    return connection


def _explain(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    reason = str(error)
    if "full" in reason:
        return StoreError(
            f"The disk that holds {path} is full.", "Free some space and start again; nothing stored is lost."
        )
    if "not a database" in reason or "malformed" in reason:
        return StoreError(
            f"{path} is not a readable store ({reason}).", "Restore it from a copy, or use another folder."
        )
    if "readonly" in reason or "unable to open" in reason:
        return StoreError(f"{path} cannot be opened or written ({reason}).", "Check its permissions, or use another.")
    if "locked" in reason:
        return StoreError(f"{path} is being written by another process.", "Wait for it to end, and start again.")
    return StoreError(f"{path}: {reason}.", "Nothing stored was changed; start again, or use another folder.")
