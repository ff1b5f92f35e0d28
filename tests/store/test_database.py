"""Files that cannot be used are refused in a sentence, and are left as they were."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from perpend.core import Cause, ConfigError, StoreError
from perpend.store import Store, schema
from perpend.store.rows import SAMPLE_COLUMNS, pool_to_row, sample_to_row
from tests.store.samples import COST, SOURCE, key, sample


def made(folder: Path) -> Path:
    store = Store(folder)
    store.begin_run("x", {}, {})
    store.settle(store.reserve(key(), SOURCE, COST), [sample()], Cause.GENERATOR, COST)
    store.close()
    return folder / "traces.db"


def test_it_is_in_wal_mode(store: Store) -> None:
    assert store._db.query("PRAGMA journal_mode")[0][0] == "wal"


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path, read_only: bool) -> None:
    path = made(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer perpend \(schema 999"):
        Store(tmp_path, read_only=read_only)
    assert path.read_bytes() == before


def test_an_older_schema_is_migrated_a_step_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    monkeypatch.setattr(
        schema,
        "MIGRATIONS",
        (*schema.MIGRATIONS, "CREATE TABLE more (a INTEGER) STRICT;", "ALTER TABLE more ADD COLUMN b INTEGER;"),
    )
    with pytest.raises(StoreError, match="older perpend"):
        Store(tmp_path, read_only=True)
    store = Store(tmp_path)
    assert store._db.query("PRAGMA user_version")[0][0] == len(schema.MIGRATIONS)
    assert store._db.query("SELECT a, b FROM more") == []
    assert store.stored_sample(key()) == sample()
    store.close()
    Store(tmp_path, read_only=True).close()


def test_a_migration_that_fails_leaves_the_step_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    known = len(schema.MIGRATIONS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (a INTEGER); SELECT nonsense;"))
    with pytest.raises(StoreError, match="nonsense"):
        Store(tmp_path)
    database = sqlite3.connect(tmp_path / "traces.db")
    assert database.execute("PRAGMA user_version").fetchone() == (known,)
    assert database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'more'").fetchone() is None
    database.close()


@pytest.mark.parametrize(
    "content", [b"This is no database, however long it is." * 100, b"SQLite format 3\0" + b"\1" * 5000]
)
def test_what_is_no_database_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "traces.db").write_bytes(content)
    with pytest.raises(StoreError, match="not a readable store"):
        Store(tmp_path)
    assert (tmp_path / "traces.db").read_bytes() == content


def test_a_truncated_store_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="not a readable store"):
        list(Store(tmp_path).samples())


def test_an_empty_file_is_a_new_store_but_not_a_study(tmp_path: Path) -> None:
    (tmp_path / "traces.db").touch()
    with pytest.raises(StoreError, match="empty"):
        Store(tmp_path, read_only=True)
    Store(tmp_path).close()


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no study"):
        Store(tmp_path, read_only=True)
    with pytest.raises(StoreError, match=r"cannot be opened"):
        Store(tmp_path / "missing")


def test_a_full_disk_is_said_and_nothing_stored_is_lost(store: Store) -> None:
    store.settle(store.reserve(key(0), SOURCE, COST), [sample(0)], Cause.GENERATOR, COST)
    pages = store._db.query("PRAGMA page_count")[0][0]
    store._db.query(f"PRAGMA max_page_count = {pages}")
    ticket = store.reserve(key(1), SOURCE, COST)
    with pytest.raises(StoreError, match=r"disk that holds .* is full"):
        store.settle(ticket, [sample(1, text="long " * 100_000)], Cause.GENERATOR, COST)
    assert list(store.samples()) == [sample(0)]
    store._db.query("PRAGMA max_page_count = 100000")  # space was made
    store.settle(ticket, [sample(1)], Cause.GENERATOR, COST)
    assert list(store.samples()) == [sample(0), sample(1)]


def fill(store: Store) -> None:
    for index in range(1000):
        ticket = store.reserve(key(index), SOURCE, COST)
        store.settle(ticket, [sample(index, text="long " * 1000)], Cause.GENERATOR, COST)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        store = Store(tmp_path)
        store.begin_run("x", {}, {})
        with pytest.raises(StoreError, match="is full"):
            fill(store)
        kept = list(store.samples())
        store.close()
        reader = Store(tmp_path, read_only=True)
        assert kept
        assert [each.index for each in reader.samples()] == [each.index for each in kept]
        reader.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = made(tmp_path)
    before = path.read_bytes(), sorted(os.listdir(tmp_path))
    reader = Store(tmp_path, read_only=True)
    assert list(reader.samples()) == [sample()]
    with pytest.raises(StoreError):
        reader.keep_setting("a", "b")
    reader.close()
    assert (path.read_bytes(), sorted(os.listdir(tmp_path))) == before


def test_a_store_can_be_read_while_it_is_written(store: Store, tmp_path: Path) -> None:
    reader = Store(tmp_path, read_only=True)
    store.settle(store.reserve(key(0), SOURCE, COST), [sample(0)], Cause.GENERATOR, COST)
    assert list(reader.samples()) == [sample(0)]
    reader.close()


AS_NOBODY = """
import os, sys
from pathlib import Path
from perpend.core import StoreError
from perpend.store import Store
os.setuid(65534)
folder = Path(sys.argv[1])
print(len(list(Store(folder, read_only=True).samples())))
try:
    Store(folder)
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming someone without rights takes root")
def test_a_folder_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    made(folder)
    for parent in [folder, *folder.parents][:4]:
        parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", AS_NOBODY, folder], capture_output=True, text=True, timeout=60)
    if "ModuleNotFoundError" in done.stderr or "Permission" in done.stderr:
        pytest.skip("this interpreter cannot be used without rights")
    count, refusal = done.stdout.splitlines()
    assert count == "1", done.stderr
    assert "cannot be opened or written" in refusal


def test_rows_survive_kill_9(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.store.test_store import buy, Store\n"
        f"store = Store(Path({str(tmp_path)!r})); store.begin_run('x', {{}}, {{}})\n"
        "buy(store, 0); buy(store, 1); store._db._connection.execute('BEGIN'); \n"
        "store._db._connection.execute('INSERT INTO settings VALUES (1, 2)'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, timeout=60, check=False)
    reader = Store(tmp_path, read_only=True)
    assert [each.index for each in reader.samples()] == [0, 1]
    assert reader.setting("1") is None
    reader.close()


def test_a_store_of_schema_1_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ", ".join(f'"{name}"' for name in SAMPLE_COLUMNS[:-5])
    with monkeypatch.context() as first:
        first.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "traces.db") as database:
        database.execute("INSERT INTO runs VALUES (1, 0.0, 'x', '{}', '{}', '[]')")
        database.execute("INSERT INTO run_ends VALUES (1, 5.0, 'complete')")
        database.execute("INSERT INTO pools VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))", _pool())
        row = tuple(v.decode() if isinstance(v, bytes) else v for v in sample_to_row(sample(tokens=None), 1)[:-5])
        database.execute(f"INSERT INTO samples ({columns}) VALUES ({', '.join('?' * len(row))})", row)
    database.close()
    store = Store(tmp_path)
    assert store.stored_sample(key()) == sample(tokens=None, queued_seconds=0.0, retries=0)
    assert [(run.seconds, run.stop_reason, run.calls) for run in store.runs()] == [(5.0, "complete", {})]
    store.close()


def _pool() -> tuple[object, ...]:
    return pool_to_row(key().pool, SOURCE)
