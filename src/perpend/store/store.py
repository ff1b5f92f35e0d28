"""The store: implements `Recorder` on SQLite in WAL mode. Rows are only ever added."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perpend.core import Cause, Charge, Charges, DrawnFrom, Problem, Sample, SampleKey, Score, StoreError
from perpend.store import rows
from perpend.store.schema import migrate

FILE = "traces.db"
INSERT_SAMPLE = f"INSERT INTO samples VALUES ({', '.join('?' * 18)})"
SELECT_SAMPLES = "SELECT samples.*, pools.problem, pools.engine FROM samples JOIN pools USING (pool)"


@dataclass(frozen=True)
class StoredPool:
    """What one pool was drawn from, under its key."""

    pool: str
    source: DrawnFrom


@dataclass(frozen=True)
class RunRecord:
    """One start of a study.

    `seconds` is up to its end, or to its last sample where it was killed; `engines` are JSON descriptions.
    """

    started: float
    seconds: float
    command: str
    versions: dict[str, str]
    hardware: dict[str, str]
    engines: list[str]
    stop_reason: str | None


Ledger = dict[str, Charges]
"""What was bought, by engine name and cause; each token once."""


class Store:
    """A study's traces.

    Every write is one transaction, so `kill -9` leaves whole rows. Raises StoreError where the file cannot be used.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.path = folder / FILE
        self._run = 0
        if read_only and not self.path.exists():
            raise StoreError(
                f"{folder} holds no study ({FILE} is missing).", "Give the folder that `perpend study` wrote."
            )
        with self._guard():
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; a power cut may cost the tail
            migrate(self._db, self.path)
        self._known_pools = {row["pool"] for row in self._query("SELECT pool FROM pools")}

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._db.close()

    # --- Recorder -----------------------------------------------------------------------------------------------

    def stored_sample(self, key: SampleKey) -> Sample | None:
        """A sample bought earlier."""
        found = self._query(f'{SELECT_SAMPLES} WHERE pool = ? AND "index" = ?', (key.pool, key.index))
        return rows.sample_from_row(found[0]) if found else None

    def stored_score(self, key: SampleKey, verifier: str) -> Score | None:
        """A score given earlier, by the verifier's fingerprint."""
        where = 'pool = ? AND "index" = ? AND verifier = ?'
        found = self._query(f"SELECT * FROM scores WHERE {where}", (key.pool, key.index, verifier))
        return rows.score_from_row(found[0]) if found else None

    def reserve(self, key: SampleKey, source: DrawnFrom, estimate: Charge) -> int:
        """Write a reservation before the request is sent; it counts as spent until it is settled."""
        with self._transaction():
            self._add_pool(key.pool, source)
            cursor = self._db.execute(
                'INSERT INTO reservations (run, pool, "index", engine, charge) VALUES (?, ?, ?, ?, ?)',
                (self._run, key.pool, key.index, source.engine, rows.charge_to_json(estimate)),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def settle(self, reservation: int, sample: Sample | None, cause: Cause, charge: Charge) -> None:
        """Close a reservation with what it cost, and store its sample."""
        with self._transaction():
            self._settle(reservation, cause, charge)
            if sample is not None:
                self._db.execute(INSERT_SAMPLE, rows.sample_to_row(sample, self._run))

    def record_scores(self, verifier: str, scores: Sequence[tuple[SampleKey, Score]]) -> None:
        """Store scores under the verifier's fingerprint."""
        values = [(key.pool, key.index, verifier, *rows.score_to_columns(score)) for key, score in scores]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    # --- runs and reservations ----------------------------------------------------------------------------------

    def begin_run(
        self, command: str, versions: Mapping[str, str], hardware: Mapping[str, str], engines: Sequence[str]
    ) -> None:
        """Open a run; what is written from now on belongs to it. `engines` are JSON descriptions."""
        columns = (time.time(), command, json.dumps(dict(versions)), json.dumps(dict(hardware)), json.dumps(engines))
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO runs (started, command, versions, hardware, engines) VALUES (?, ?, ?, ?, ?)", columns
            )
        assert cursor.lastrowid is not None
        self._run = cursor.lastrowid

    def end_run(self, stop_reason: str) -> None:
        """Close the run."""
        with self._transaction():
            self._db.execute("INSERT INTO run_ends VALUES (?, ?, ?)", (self._run, time.time(), stop_reason))

    def runs(self) -> list[RunRecord]:
        """All starts, oldest first."""
        found = self._query(
            """SELECT runs.*, stop_reason, COALESCE(
                   ended, (SELECT MAX(samples.ended) FROM samples WHERE samples.run = runs.id), runs.started
               ) - runs.started AS seconds
               FROM runs LEFT JOIN run_ends ON run_ends.run = runs.id ORDER BY runs.id"""
        )
        return [
            RunRecord(
                row["started"],
                max(row["seconds"], 0.0),
                row["command"],
                json.loads(row["versions"]),
                json.loads(row["hardware"]),
                json.loads(row["engines"]),
                row["stop_reason"],
            )
            for row in found
        ]

    def close_reservations(self, local_engines: Iterable[str]) -> int:
        """Settle what an earlier run left open, and say how many there were.

        What was in flight at a local engine died with it and is released; elsewhere it may have been answered after
        the crash, so that it is charged at its reservation, as uncertain.
        """
        local = set(local_engines)
        left = self._query("SELECT * FROM reservations WHERE id NOT IN (SELECT reservation FROM settlements)")
        with self._transaction():
            for row in left:
                if row["engine"] in local:
                    self._settle(row["id"], Cause.DISCARDED, Charge())
                else:
                    self._settle(row["id"], Cause.UNCERTAIN, rows.charge_from_json(row["charge"]))
        return len(left)

    def ledger(self) -> Ledger:
        """What was bought so far, open reservations included as uncertain."""
        found = self._query(
            """SELECT engine, COALESCE(cause, 'uncertain') AS cause,
                   COALESCE(settlements.charge, reservations.charge) AS charge
               FROM reservations LEFT JOIN settlements ON reservation = id"""
        )
        ledger: Ledger = {}
        for row in found:
            ledger.setdefault(row["engine"], Charges()).add(Cause(row["cause"]), rows.charge_from_json(row["charge"]))
        return ledger

    # --- what the study keeps -----------------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """A value that the whole folder depends on, such as the seed."""
        found = self._query("SELECT value FROM settings WHERE name = ?", (name,))
        return found[0]["value"] if found else None

    def keep_setting(self, name: str, value: str) -> None:
        """Write a setting once."""
        with self._transaction():
            self._db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))

    def problems(self, task: str) -> dict[str, Problem]:
        """The task's problems that were kept, by id."""
        found = self._query("SELECT * FROM problems WHERE task = ?", (task,))
        return {row["id"]: Problem(row["id"], task, json.loads(row["data"]), row["key"]) for row in found}

    def keep_problems(self, problems: Iterable[Problem]) -> None:
        """Add problems that are not there yet."""
        values = [(p.task, p.id, json.dumps(dict(p.data), ensure_ascii=False), p.key) for p in problems]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO problems VALUES (?, ?, ?, ?)", values)

    def pools(self, task: str | None = None) -> list[StoredPool]:
        """What was drawn from, in the order first asked for."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        found = self._query(f"SELECT * FROM pools {where} ORDER BY rowid", values)
        return [StoredPool(row["pool"], rows.drawn_from_row(row)) for row in found]

    def samples(self, task: str | None = None) -> Iterator[Sample]:
        """All samples, by pool and index."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        with self._guard():
            yield from map(
                rows.sample_from_row, self._db.execute(f'{SELECT_SAMPLES} {where} ORDER BY pool, "index"', values)
            )

    def count_samples(self) -> int:
        """How many samples there are."""
        return int(self._query("SELECT COUNT(*) AS n FROM samples")[0]["n"])

    def scores(self, verifier: str) -> dict[SampleKey, Score]:
        """All scores under a verifier's fingerprint."""
        found = self._query("SELECT * FROM scores WHERE verifier = ?", (verifier,))
        return {SampleKey(row["pool"], row["index"]): rows.score_from_row(row) for row in found}

    def complete_block(self, task: str, problem: str, plan: str, stop_reason: str) -> None:
        """Note that all that a plan draws for a problem is there, or never will be."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", (task, problem, plan, stop_reason))

    def complete_blocks(self, plan: str) -> dict[tuple[str, str], str]:
        """(task, problem) → why it is complete, under a plan."""
        found = self._query("SELECT * FROM blocks WHERE plan = ?", (plan,))
        return {(row["task"], row["problem"]): row["stop_reason"] for row in found}

    # --- SQLite -------------------------------------------------------------------------------------------------

    def _add_pool(self, pool: str, source: DrawnFrom) -> None:
        if pool not in self._known_pools:
            prompt = rows.prompt_to_json(source.prompt)
            values = (pool, source.task, source.problem, source.engine, source.fingerprint, prompt, source.prefix)
            self._db.execute("INSERT OR IGNORE INTO pools VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            self._known_pools.add(pool)

    def _settle(self, reservation: int, cause: Cause, charge: Charge) -> None:
        values = (reservation, cause.value, rows.charge_to_json(charge))
        self._db.execute("INSERT INTO settlements VALUES (?, ?, ?)", values)

    def _query(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._guard():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK") if self._db.in_transaction else None
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """SQLite's errors as one sentence and a remedy."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _explain(error, self.path) from error


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
        return StoreError(f"{path} cannot be written ({reason}).", "Check the folder's permissions, or use another.")
    return StoreError(f"{path}: {reason}.", "Nothing stored was changed; start again, or use another folder.")
