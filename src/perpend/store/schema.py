"""The schema, as numbered migrations: a store records how many it has, and the rest are applied when it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from perpend.core import StoreError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, started REAL NOT NULL, command TEXT NOT NULL,
        versions TEXT NOT NULL, hardware TEXT NOT NULL, engines TEXT NOT NULL
    ) STRICT;
    CREATE TABLE run_ends (
        run INTEGER PRIMARY KEY REFERENCES runs, ended REAL NOT NULL, stop_reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE problems (
        task TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, key TEXT, PRIMARY KEY (task, id)
    ) STRICT;
    CREATE TABLE pools (
        pool TEXT PRIMARY KEY, task TEXT NOT NULL, problem TEXT NOT NULL, engine TEXT NOT NULL,
        fingerprint TEXT NOT NULL, prompt TEXT NOT NULL, prefix TEXT NOT NULL
    ) STRICT;
    CREATE INDEX pools_by_problem ON pools (task, problem);
    CREATE TABLE samples (
        pool TEXT NOT NULL REFERENCES pools, "index" INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES runs,
        text TEXT NOT NULL, answer TEXT, key TEXT, finish TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL, logprob REAL, tokens BLOB, parent TEXT,
        started REAL NOT NULL, ended REAL NOT NULL, device_seconds REAL, error TEXT,
        PRIMARY KEY (pool, "index")
    ) STRICT;
    CREATE TABLE scores (
        pool TEXT NOT NULL, "index" INTEGER NOT NULL, verifier TEXT NOT NULL,
        value REAL, probability REAL, steps TEXT, rationale TEXT,
        PRIMARY KEY (pool, "index", verifier)
    ) STRICT;
    CREATE TABLE reservations (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, pool TEXT NOT NULL, "index" INTEGER NOT NULL,
        engine TEXT NOT NULL, charge TEXT NOT NULL, at REAL NOT NULL
    ) STRICT;
    CREATE TABLE settlements (
        reservation INTEGER PRIMARY KEY REFERENCES reservations, run INTEGER NOT NULL REFERENCES runs,
        cause TEXT NOT NULL, charge TEXT NOT NULL, at REAL NOT NULL
    ) STRICT;
    CREATE TABLE blocks (
        task TEXT NOT NULL, problem TEXT NOT NULL, plan TEXT NOT NULL, stop_reason TEXT NOT NULL,
        PRIMARY KEY (task, problem, plan)
    ) STRICT;
    """,
    """
    ALTER TABLE samples ADD COLUMN queued_seconds REAL NOT NULL DEFAULT 0;
    ALTER TABLE samples ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE run_ends ADD COLUMN calls TEXT NOT NULL DEFAULT '{}';
    CREATE TABLE forecasts (id INTEGER PRIMARY KEY, at REAL NOT NULL, forecast TEXT NOT NULL) STRICT;
    """,
    """
    CREATE TABLE run_engines (run INTEGER PRIMARY KEY REFERENCES runs, engines TEXT NOT NULL) STRICT;
    """,
    """
    CREATE TABLE probes (
        pool TEXT NOT NULL REFERENCES pools, "index" INTEGER NOT NULL, position INTEGER NOT NULL,
        answer TEXT, key TEXT, tokens INTEGER,
        PRIMARY KEY (pool, "index", position)
    ) STRICT;
    CREATE TABLE counts (
        pool TEXT PRIMARY KEY REFERENCES pools, samples INTEGER NOT NULL, correct INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE origins (id INTEGER PRIMARY KEY, at REAL NOT NULL, origin TEXT NOT NULL) STRICT;
    """,
    """
    ALTER TABLE samples ADD COLUMN top TEXT;
    """,
    """
    ALTER TABLE samples ADD COLUMN choice INTEGER;
    """,
    """
    ALTER TABLE samples ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    """,
)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a store to the newest schema, a step at a time. Raises StoreError where it is newer than this perpend."""
    for number, statements in enumerate(MIGRATIONS[_version(connection, path) :], _version(connection, path) + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {statements} PRAGMA user_version = {number}; COMMIT;")


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """For a store that is only read. Raises StoreError unless it has the newest schema."""
    if _version(connection, path) < len(MIGRATIONS):
        raise StoreError(
            f"{path} is empty, or was written by an older perpend.", "Run `perpend study` on its folder first."
        )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer perpend (schema {version}, this one knows {len(MIGRATIONS)}).",
            "Upgrade perpend, or use another folder; nothing was changed.",
        )
    return int(version)
