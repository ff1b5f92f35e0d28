"""The store: implements `Recorder` on SQLite in WAL mode. Rows are only ever added."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from perpend.core import (
    Cause,
    Charge,
    Charges,
    ConfigError,
    DrawnFrom,
    Probe,
    Problem,
    Sample,
    SampleKey,
    Score,
    pool_key,
)
from perpend.store import rows
from perpend.store.database import Database
from perpend.store.origin import Origin

FILE = "traces.db"
PEAK = "peak cache bytes"
"""Beside the calls of an engine in `run_ends`."""
NO_SAMPLE = SampleKey("", -1)
"""What overhead is reserved for: no row of `pools` has this key, so that it counts for no problem."""
WRITTEN_BY_MODELS = ("text", "answer", "key", "error")
INSERT_SAMPLE = "INSERT INTO samples VALUES ({})".format(
    ", ".join("CAST(? AS TEXT)" if column in WRITTEN_BY_MODELS else "?" for column in rows.SAMPLE_COLUMNS)
)
INSERT_POOL = "INSERT OR IGNORE INTO pools VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))"
INSERT_RESERVATION = 'INSERT INTO reservations (run, pool, "index", engine, charge, at) VALUES (?, ?, ?, ?, ?, ?)'
SELECT_SAMPLES = "SELECT samples.*, pools.problem, pools.engine FROM samples JOIN pools USING (pool)"
WITHOUT_TOKENS = "SELECT {}, pools.problem, pools.engine FROM samples JOIN pools USING (pool)".format(
    ", ".join(f'NULL AS "{c}"' if c in ("tokens", "top") else f'samples."{c}"' for c in rows.SAMPLE_COLUMNS)
)


@dataclass(frozen=True)
class StoredPool:
    """What one pool was drawn from, under its key."""

    pool: str
    source: DrawnFrom


@dataclass(frozen=True)
class RunRecord:
    """One start of a study.

    `seconds` is up to its end, or to the last that was heard of it where it was killed; `engines` are JSON
    descriptions, none where they did not get to start; `calls` counts, by engine name, what happened to its calls, and
    `peaks` the bytes that its key-value cache took at most, where the run did not get killed.
    """

    started: float
    seconds: float
    command: str
    versions: dict[str, str]
    hardware: dict[str, str]
    engines: list[str]
    stop_reason: str | None
    calls: dict[str, dict[str, int]]
    peaks: dict[str, int]


class Bought(NamedTuple):
    """One reservation, and what came of it.

    `seconds` is how long it was open, 0 where it never was settled or only by a later run.
    """

    task: str
    problem: str
    engine: str
    run: int
    cause: Cause
    charge: Charge
    at: float
    seconds: float


class Waiting(NamedTuple):
    """Samples, the seconds that engines worked on them and that they waited, and the calls that were made again."""

    samples: int
    working_seconds: float
    queued_seconds: float
    retries: int


Ledger = dict[str, Charges]
"""What was bought, by engine name and cause; each token once."""


class Store:
    """A study's traces.

    Every write is one transaction, so `kill -9` leaves whole rows. Raises StoreError where the file cannot be used, and
    ConfigError where one that is only read is not there.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.path = folder / FILE
        self._run = 0
        if read_only and not self.path.exists():
            raise ConfigError(
                f"{folder} holds no study ({FILE} is missing).", "Give the folder that `perpend study` wrote."
            )
        self._db = Database(self.path, read_only=read_only)
        self._known_pools = {row["pool"] for row in self._db.query("SELECT pool FROM pools")}

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()

    # --- Recorder -----------------------------------------------------------------------------------------------

    def stored_sample(self, key: SampleKey) -> Sample | None:
        """A sample bought earlier."""
        found = self._db.query(f'{SELECT_SAMPLES} WHERE pool = ? AND "index" = ?', (key.pool, key.index))
        return rows.sample_from_row(found[0]) if found else None

    def stored_score(self, key: SampleKey, verifier: str) -> Score | None:
        """A score given earlier, by the verifier's fingerprint."""
        where = 'pool = ? AND "index" = ? AND verifier = ?'
        found = self._db.query(f"SELECT * FROM scores WHERE {where}", (key.pool, key.index, verifier))
        return rows.score_from_row(found[0]) if found else None

    def reserve(self, key: SampleKey, source: DrawnFrom, estimate: Charge) -> int:
        """Write a reservation before the request is sent; it counts as spent until it is settled."""
        values = (self._run, key.pool, key.index, source.engine, rows.charge_to_json(estimate), time.time())
        new = key.pool not in self._known_pools
        with self._db.transaction() as db:
            if new:
                db.execute(INSERT_POOL, rows.pool_to_row(key.pool, source))
            cursor = db.execute(INSERT_RESERVATION, values)
        self._known_pools.add(key.pool)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def reserve_overhead(self, engine: str, estimate: Charge) -> int:
        """The same for a call that is no sample's."""
        values = (self._run, NO_SAMPLE.pool, NO_SAMPLE.index, engine, rows.charge_to_json(estimate), time.time())
        with self._db.transaction() as db:
            cursor = db.execute(INSERT_RESERVATION, values)
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def settle(self, reservation: int, samples: Sequence[Sample], cause: Cause, charge: Charge) -> None:
        """Close a reservation with what it cost, and store its samples."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO settlements VALUES (?, ?, ?, ?, ?)", self._settlement(reservation, cause, charge))
            for sample in samples:
                self._insert(db, sample)

    def record_scores(self, verifier: str, scores: Sequence[tuple[SampleKey, Score]]) -> None:
        """Store scores under the verifier's fingerprint."""
        values = [(key.pool, key.index, verifier, *rows.score_to_columns(score)) for key, score in scores]
        with self._db.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT))", values)

    # --- what others drew ---------------------------------------------------------------------------------------

    def add_recorded(self, sources: Iterable[DrawnFrom], samples: Iterable[Sample]) -> None:
        """Add samples that nobody paid for here, with what they were drawn from; all of them, or none."""
        with self._db.transaction() as db:
            self._add_sources(db, sources)
            for sample in samples:
                self._insert(db, sample)

    def add_counts(self, counts: Sequence[tuple[DrawnFrom, int, int]]) -> None:
        """Add pools of which only the number of samples, and of right ones, is known."""
        with self._db.transaction() as db:
            self._add_sources(db, (source for source, _, _ in counts))
            values = [(pool_key(source), samples, correct) for source, samples, correct in counts]
            db.executemany("INSERT INTO counts VALUES (?, ?, ?)", values)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Pools of which only counts are known: samples, and right ones among them."""
        return {pool: (n, right) for pool, n, right in self._db.query("SELECT * FROM counts")}

    def probes(self, task: str | None = None) -> dict[SampleKey, dict[int, Probe]]:
        """Answers forced along traces, by sample and tokens read."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        found: dict[SampleKey, dict[int, Probe]] = {}
        for pool, index, position, answer, key, tokens in self._db.stream(
            f"SELECT probes.* FROM probes JOIN pools USING (pool) {where} ORDER BY position", values
        ):
            found.setdefault(SampleKey(pool, index), {})[position] = Probe(answer, key, tokens)
        return found

    def probe_answers(self, task: str) -> list[tuple[str, str, str | None]]:
        """The different answers that probes of a task gave: problem, answer, key."""
        return [
            tuple(row)
            for row in self._db.query(
                "SELECT DISTINCT problem, answer, key FROM probes JOIN pools USING (pool) "
                "WHERE task = ? AND answer IS NOT NULL ORDER BY problem, answer",
                (task,),
            )
        ]

    def keep_origin(self, origin: Origin) -> None:
        """Write down which file the folder was made of."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO origins (at, origin) VALUES (?, ?)", (time.time(), origin.to_json()))

    def origin(self) -> Origin | None:
        """The file that the folder was made of, None where perpend has drawn its samples."""
        found = self._db.query("SELECT origin FROM origins ORDER BY id DESC LIMIT 1")
        return Origin.from_json(found[0]["origin"]) if found else None

    def _add_sources(self, db: sqlite3.Connection, sources: Iterable[DrawnFrom]) -> None:
        new = {pool_key(source): source for source in sources}
        db.executemany(INSERT_POOL, [rows.pool_to_row(pool, source) for pool, source in new.items()])
        self._known_pools |= new.keys()

    def _insert(self, db: sqlite3.Connection, sample: Sample) -> None:
        db.execute(INSERT_SAMPLE, rows.sample_to_row(sample, self._run))
        probes = [
            (sample.pool, sample.index, position, rows.text(probe.answer), rows.text(probe.key), probe.tokens)
            for position, probe in sample.probes.items()
        ]
        db.executemany("INSERT INTO probes VALUES (?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?)", probes)

    # --- runs and reservations ----------------------------------------------------------------------------------

    def begin_run(self, command: str, versions: Mapping[str, str], hardware: Mapping[str, str]) -> None:
        """Open a run; what is written from now on belongs to it."""
        columns = (time.time(), command, json.dumps(dict(versions)), json.dumps(dict(hardware)))
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO runs (started, command, versions, hardware, engines) VALUES (?, ?, ?, ?, '[]')", columns
            )
        assert cursor.lastrowid is not None
        self._run = cursor.lastrowid

    def describe_engines(self, engines: Sequence[str]) -> None:
        """Write down the run's engines, once they have started, as JSON descriptions."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO run_engines VALUES (?, ?)", (self._run, json.dumps(engines)))

    def end_run(
        self,
        stop_reason: str,
        calls: Mapping[str, Mapping[str, int]] | None = None,
        peaks: Mapping[str, int] | None = None,
    ) -> None:
        """Close the run; by engine name, how many calls went which way, and the most bytes its cache took."""
        ends = {name: dict(counts) for name, counts in (calls or {}).items()}
        for name, peak in (peaks or {}).items():
            ends.setdefault(name, {})[PEAK] = peak
        said = json.dumps(ends)
        with self._db.transaction() as db:
            db.execute("INSERT INTO run_ends VALUES (?, ?, ?, ?)", (self._run, time.time(), stop_reason, said))

    def runs(self) -> list[RunRecord]:
        """All starts, oldest first."""
        found = self._db.query(
            """SELECT runs.*, COALESCE(run_engines.engines, runs.engines) AS described, stop_reason, calls,
                   COALESCE(ended, (
                   SELECT MAX(at) FROM (SELECT run, at FROM reservations UNION ALL SELECT run, at FROM settlements)
                   WHERE run = runs.id
               ), started) - started AS seconds
               FROM runs LEFT JOIN run_engines ON run_engines.run = runs.id LEFT JOIN run_ends ON run_ends.run = runs.id
               ORDER BY runs.id"""
        )
        return [_run_record(row) for row in found]

    def close_reservations(self, local_engines: Iterable[str]) -> int:
        """Settle what an earlier run left open, and say how many there were.

        What was in flight at a local engine died with it and is released; elsewhere it may have been answered after
        the crash, so that it is charged at its reservation, as uncertain.
        """
        local = set(local_engines)
        left = self._db.query("SELECT * FROM reservations WHERE id NOT IN (SELECT reservation FROM settlements)")
        values = [
            self._settlement(row["id"], Cause.DISCARDED, Charge())
            if row["engine"] in local
            else self._settlement(row["id"], Cause.UNCERTAIN, rows.charge_from_json(row["charge"]))
            for row in left
        ]
        with self._db.transaction() as db:
            db.executemany("INSERT INTO settlements VALUES (?, ?, ?, ?, ?)", values)
        return len(left)

    def book_overhead(self, engine: str, charge: Charge) -> None:
        """Write down what an engine spent on no sample, reserved and settled at once."""
        values = (self._run, NO_SAMPLE.pool, NO_SAMPLE.index, engine, rows.charge_to_json(charge), time.time())
        with self._db.transaction() as db:
            cursor = db.execute(INSERT_RESERVATION, values)
            assert cursor.lastrowid is not None
            settlement = self._settlement(cursor.lastrowid, Cause.OVERHEAD, charge)
            db.execute("INSERT INTO settlements VALUES (?, ?, ?, ?, ?)", settlement)

    def bought(self) -> Iterator[Bought]:
        """Every sample's reservation with what it came to, in the order made; open ones as uncertain, held in full."""
        found = self._db.stream(
            """SELECT pools.task, pools.problem, reservations.engine, reservations.run, reservations.at,
                   COALESCE(cause, 'uncertain') AS cause, COALESCE(settlements.charge, reservations.charge) AS charge,
                   CASE WHEN settlements.run = reservations.run THEN settlements.at - reservations.at ELSE 0 END AS open
               FROM reservations JOIN pools USING (pool) LEFT JOIN settlements ON reservation = id
               ORDER BY reservations.id"""
        )
        for row in found:
            task, problem, engine, run, at, cause, charge, seconds = row
            yield Bought(task, problem, engine, run, Cause(cause), rows.charge_from_json(charge), at, seconds)

    def overhead(self) -> list[tuple[str, Cause, Charge]]:
        """What was spent on no sample, by engine name, in the order reserved; open ones as uncertain, held in full."""
        found = self._db.query(
            "SELECT engine, COALESCE(cause, 'uncertain'), COALESCE(settlements.charge, reservations.charge) "
            "FROM reservations LEFT JOIN settlements ON reservation = id WHERE pool = ? ORDER BY id",
            (NO_SAMPLE.pool,),
        )
        return [(engine, Cause(cause), rows.charge_from_json(charge)) for engine, cause, charge in found]

    def ledger(self) -> Ledger:
        """What was bought so far, open reservations included as uncertain, and what was spent on no sample."""
        ledger: Ledger = {}
        for each in self.bought():
            ledger.setdefault(each.engine, Charges()).add(each.cause, each.charge)
        for engine, cause, charge in self.overhead():
            ledger.setdefault(engine, Charges()).add(cause, charge)
        return ledger

    # --- what the study keeps -----------------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """A value that the whole folder depends on, such as the seed."""
        found = self._db.query("SELECT value FROM settings WHERE name = ?", (name,))
        return found[0]["value"] if found else None

    def keep_setting(self, name: str, value: str) -> None:
        """Write a setting once."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))

    def forecast(self) -> tuple[float, str] | None:
        """When the newest forecast was made (Unix seconds), and the forecast as JSON."""
        found = self._db.query("SELECT at, forecast FROM forecasts ORDER BY id DESC LIMIT 1")
        return (found[0]["at"], found[0]["forecast"]) if found else None

    def keep_forecast(self, forecast: str) -> None:
        """Add a forecast, which is from now on the newest."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO forecasts (at, forecast) VALUES (?, ?)", (time.time(), forecast))

    def waiting(self) -> dict[str, Waiting]:
        """What went into samples besides their working time, by engine."""
        found = self._db.query(
            "SELECT engine, COUNT(*), SUM(ended - started), SUM(queued_seconds), SUM(retries) "
            "FROM samples JOIN pools USING (pool) GROUP BY engine"
        )
        return {engine: Waiting(*counted) for engine, *counted in found}

    def tasks(self) -> list[str]:
        """The names of the tasks that problems were kept of, in the order first kept."""
        return [row["task"] for row in self._db.query("SELECT task FROM problems GROUP BY task ORDER BY MIN(rowid)")]

    def problems(self, task: str) -> dict[str, Problem]:
        """The task's problems that were kept, by id."""
        found = self._db.query("SELECT * FROM problems WHERE task = ?", (task,))
        return {row["id"]: Problem(row["id"], task, json.loads(row["data"]), row["key"]) for row in found}

    def keep_problems(self, problems: Iterable[Problem]) -> None:
        """Add problems that are not there yet."""
        values = [rows.problem_to_row(problem) for problem in problems]
        with self._db.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO problems VALUES (?, ?, CAST(? AS TEXT), CAST(? AS TEXT))", values)

    def pools(self, task: str | None = None) -> list[StoredPool]:
        """What was drawn from, in the order first asked for."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        found = self._db.query(f"SELECT * FROM pools {where} ORDER BY rowid", values)
        return [StoredPool(row["pool"], rows.drawn_from_row(row)) for row in found]

    def samples(self, task: str | None = None, *, tokens: bool = True) -> Iterator[Sample]:
        """All samples, by pool and index; without `tokens`, their tokens one by one are left out."""
        where, values = ("WHERE task = ?", (task,)) if task is not None else ("", ())
        select = SELECT_SAMPLES if tokens else WITHOUT_TOKENS
        return map(rows.sample_from_row, self._db.stream(f'{select} {where} ORDER BY pool, "index"', values))

    def unscored(self, task: str, verifier: str) -> list[Sample]:
        """A task's samples without a score under a verifier's fingerprint, by pool and index."""
        scored = 'scores.pool = samples.pool AND scores."index" = samples."index" AND verifier = ?'
        where = f"WHERE task = ? AND NOT EXISTS (SELECT 1 FROM scores WHERE {scored})"
        found = self._db.query(f'{SELECT_SAMPLES} {where} ORDER BY pool, "index"', (task, verifier))
        return [rows.sample_from_row(row) for row in found]

    def count_samples(self) -> int:
        """How many samples there are."""
        return int(self._db.query("SELECT COUNT(*) AS n FROM samples")[0]["n"])

    def sample_counts(self) -> dict[str, int]:
        """How many samples each pool has."""
        return dict(tuple(row) for row in self._db.query("SELECT pool, COUNT(*) FROM samples GROUP BY pool"))

    def problem_counts(self) -> dict[tuple[str, str], int]:
        """How many samples each problem has, by task and id."""
        found = self._db.query(
            "SELECT task, problem, COUNT(*) FROM samples JOIN pools USING (pool) GROUP BY task, problem"
        )
        return {(task, problem): count for task, problem, count in found}

    def scores(self, verifier: str) -> dict[SampleKey, Score]:
        """All scores under a verifier's fingerprint."""
        found = self._db.query("SELECT * FROM scores WHERE verifier = ?", (verifier,))
        return {SampleKey(row["pool"], row["index"]): rows.score_from_row(row) for row in found}

    def complete_block(self, task: str, problem: str, plan: str, stop_reason: str) -> None:
        """Note that all that a plan draws for a problem is there, or never will be."""
        with self._db.transaction() as db:
            db.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", (task, problem, plan, stop_reason))

    def complete_blocks(self, plan: str) -> dict[tuple[str, str], str]:
        """(task, problem) → why it is complete, under a plan."""
        found = self._db.query("SELECT * FROM blocks WHERE plan = ?", (plan,))
        return {(row["task"], row["problem"]): row["stop_reason"] for row in found}

    def _settlement(self, reservation: int, cause: Cause, charge: Charge) -> tuple[object, ...]:
        return reservation, self._run, cause.value, rows.charge_to_json(charge), time.time()


def _run_record(row: sqlite3.Row) -> RunRecord:
    calls: dict[str, dict[str, int]] = json.loads(row["calls"] or "{}")
    peaks = {name: counts.pop(PEAK) for name, counts in calls.items() if PEAK in counts}
    return RunRecord(
        started=row["started"],
        seconds=max(row["seconds"], 0.0),
        command=row["command"],
        versions=json.loads(row["versions"]),
        hardware=json.loads(row["hardware"]),
        engines=json.loads(row["described"]),
        stop_reason=row["stop_reason"],
        calls=calls,
        peaks=peaks,
    )
