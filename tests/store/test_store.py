"""The store only grows, writes whole transactions, and accounts for every token."""

import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from perpend.core import Cause, Charge, Finish, Problem, Score, StoreError, Usage
from perpend.store import Store, export_samples
from tests.store.samples import COST, SOURCE, key, sample

MORE = Charge(Usage(100, 0, 50), calls=1, usd=1.0, flops=1e9, device_seconds=1.0)


def buy(store: Store, index: int) -> None:
    store.settle(store.reserve(key(index), SOURCE, MORE), [sample(index)], Cause.GENERATOR, COST)


def everything(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    database = sqlite3.connect(folder / "traces.db")
    database.text_factory = bytes
    tables = [name.decode() for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    rows = {table: database.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall() for table in tables}
    database.close()
    return rows


def test_rows_are_only_ever_added(store: Store, tmp_path: Path) -> None:
    statements: list[str] = []
    store._db._connection.set_trace_callback(statements.append)
    buy(store, 0)
    store.reserve(key(1), SOURCE, MORE)
    store.record_scores("v", [(key(), Score(1.0))])
    store.record_scores("v", [(key(), Score(0.0))])
    store.keep_setting("seed", "0")
    store.keep_problems([Problem("p1", "arithmetic")])
    store.complete_block("arithmetic", "p1", "plan", "complete")
    store.keep_forecast("{}")
    store.end_run("complete")
    before = everything(tmp_path)
    store.begin_run("again", {}, {})
    store.close_reservations([])
    buy(store, 2)
    store.complete_block("arithmetic", "p1", "plan", "tokens")
    after = everything(tmp_path)
    assert all(after[table][: len(rows)] == rows for table, rows in before.items())
    verbs = {statement.split()[0] for statement in statements}
    assert verbs <= {"INSERT", "SELECT", "BEGIN", "COMMIT"}
    assert not any("REPLACE" in statement for statement in statements)


def test_the_first_score_stays(store: Store) -> None:
    store.record_scores("v", [(key(), Score(1.0))])
    store.record_scores("v", [(key(), Score(0.0))])
    assert store.stored_score(key(), "v") == Score(1.0)


def test_a_sample_is_bought_once(store: Store) -> None:
    buy(store, 0)
    ticket = store.reserve(key(0), SOURCE, MORE)
    with pytest.raises(StoreError):
        store.settle(ticket, [sample(0)], Cause.GENERATOR, COST)
    assert store.count_samples() == 1
    assert store.ledger()["small"][Cause.UNCERTAIN] == MORE, "the settlement went with its sample"
    buy(store, 1)


def test_settling_twice_is_refused(store: Store) -> None:
    ticket = store.reserve(key(0), SOURCE, MORE)
    store.settle(ticket, [], Cause.DISCARDED, COST)
    with pytest.raises(StoreError):
        store.settle(ticket, [], Cause.DISCARDED, COST)


def test_an_open_reservation_counts_as_spent(store: Store) -> None:
    store.reserve(key(0), SOURCE, MORE)
    buy(store, 1)
    assert store.ledger() == {"small": {Cause.UNCERTAIN: MORE, Cause.GENERATOR: COST}}


@pytest.mark.parametrize(
    ("local", "charged"), [(["small"], {Cause.DISCARDED: Charge()}), ([], {Cause.UNCERTAIN: MORE})]
)
def test_after_a_crash_local_reservations_are_released_and_others_charged(
    tmp_path: Path, local: list[str], charged: dict[Cause, Charge]
) -> None:
    store = Store(tmp_path)
    store.begin_run("killed", {}, {})
    store.reserve(key(0), SOURCE, MORE)
    store.close()
    again = Store(tmp_path)
    again.begin_run("again", {}, {})
    assert again.close_reservations(local) == 1
    assert again.close_reservations(local) == 0
    assert again.ledger() == {"small": charged}
    again.close()


def test_a_run_that_was_killed_lasted_until_it_was_last_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("perpend.store.store.time.time", lambda: now[0])
    store = Store(tmp_path)
    store.begin_run("killed", {}, {})
    now[0] = 1005.0
    buy(store, 0)
    now[0] = 1007.0
    store.reserve(key(1), SOURCE, MORE)
    now[0] = 2000.0
    store.begin_run("again", {}, {})
    store.close_reservations(["small"])
    now[0] = 2003.0
    store.end_run("complete")
    now[0] = 5000.0
    store.begin_run("nothing happens", {}, {})
    assert [(run.command, run.seconds, run.stop_reason) for run in store.runs()] == [
        ("killed", 7.0, None),
        ("again", 3.0, "complete"),
        ("nothing happens", 0.0, None),
    ]
    (bought, open_) = store.bought()
    assert (bought.at, bought.seconds) == (1005.0, 0.0)
    assert (open_.at, open_.seconds) == (1007.0, 0.0), "what a later run closed was not open all the while"
    store.close()


def test_counts_by_pool_and_by_problem(store: Store) -> None:
    buy(store, 0)
    buy(store, 1)
    assert store.sample_counts() == {key().pool: 2}
    assert store.problem_counts() == {("arithmetic", "p1"): 2}


def test_samples_that_a_verifier_has_not_seen(store: Store) -> None:
    buy(store, 0)
    buy(store, 1)
    store.record_scores("v", [(key(0), Score(1.0))])
    assert store.unscored("arithmetic", "v") == [sample(1)]
    assert store.unscored("arithmetic", "another") == [sample(0), sample(1)]
    assert store.unscored("another task", "v") == []


def test_blocks_are_complete_under_the_plan_that_drew_them(store: Store) -> None:
    store.complete_block("t", "p", "16 samples", "tokens")
    assert store.complete_blocks("16 samples") == {("t", "p"): "tokens"}
    assert store.complete_blocks("32 samples") == {}


def test_parquet_holds_every_sample(store: Store, tmp_path: Path) -> None:
    for index in range(3):
        buy(store, index)
    failed = sample(
        3, finish=Finish.FAILED, text="a\ud800\0", answer=None, key=None, error="é", logprob=None, estimated=True
    )
    store.settle(store.reserve(key(3), SOURCE, MORE), [failed], Cause.GENERATOR, COST)
    assert export_samples(store, tmp_path / "samples.parquet") == 4
    rows = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert (rows[0]["task"], rows[0]["problem"], rows[0]["completion_tokens"]) == ("arithmetic", "p1", 5)
    assert [row["estimated"] for row in rows] == [False, False, False, True]
    assert (rows[3]["text"], rows[3]["finish"], rows[3]["logprob"]) == ("a\ufffd\0", "failed", None)
    assert not (tmp_path / "samples.partial").exists()


def test_parquet_of_an_empty_store_has_the_columns(store: Store, tmp_path: Path) -> None:
    assert export_samples(store, tmp_path / "samples.parquet") == 0
    assert "completion_tokens" in pq.read_table(tmp_path / "samples.parquet").column_names


def test_parquet_says_so_where_it_cannot_be_written(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        export_samples(store, tmp_path / "no such folder" / "samples.parquet")


def test_the_newest_forecast_is_the_forecast(store: Store) -> None:
    assert store.forecast() is None
    store.keep_forecast('{"calls": 1}')
    store.keep_forecast('{"calls": 2}')
    kept = store.forecast()
    assert kept is not None
    assert kept[1] == '{"calls": 2}'


def test_waiting_is_kept_apart_from_working(store: Store) -> None:
    for index, retries in enumerate((0, 2)):
        kept = sample(index, queued_seconds=1.5, retries=retries)
        store.settle(store.reserve(key(index), SOURCE, MORE), [kept], Cause.GENERATOR, MORE)
    assert store.waiting() == {"small": (2, 1.0, 3.0, 2)}


def test_the_samples_of_one_call_are_stored_together_or_not_at_all(store: Store) -> None:
    three = [sample(index, choice=index) for index in range(3)]
    store.settle(store.reserve(key(0), SOURCE, MORE), three, Cause.GENERATOR, COST)
    assert list(store.samples()) == three
    ticket = store.reserve(key(3), SOURCE, MORE)
    with pytest.raises(StoreError):
        store.settle(ticket, [sample(3, choice=0), sample(2, choice=1)], Cause.GENERATOR, COST)
    assert list(store.samples()) == three
    assert store.ledger() == {"small": {Cause.GENERATOR: COST, Cause.UNCERTAIN: MORE}}


def test_what_became_of_a_runs_calls_is_kept(store: Store) -> None:
    store.end_run("complete", {"small": {"sent": 5, "429": 1}})
    assert store.runs()[-1].calls == {"small": {"sent": 5, "429": 1}}
