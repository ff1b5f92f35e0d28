"""Worker processes that can be killed: nothing that they run stalls the caller or outlives it."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time

import pytest

from perpend.core import VerifierError
from perpend.verifiers.killable import Killable

HANDLE = """
import os, time

def handle(value):
    if value == "hang":
        while True:
            pass
    if value == "die":
        os._exit(3)
    if value == "hoard":
        return len(bytearray(10**10))
    if value == "talk":
        print("a line that is no reply", flush=True)
    if value == "sleep":
        time.sleep(0.2)
    return [value, os.getpid()]
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "work.py").write_text(HANDLE)
    return tmp_path / "work.py"


@pytest.fixture
async def pool(file):
    pool = Killable(file, workers=2, seconds=0.5)
    yield pool
    await pool.close()


async def test_results_come_back_in_order(pool):
    results = await pool.map(list(range(20)))
    assert [value for value, _ in results] == list(range(20))
    assert len({pid for _, pid in results}) <= 2


async def test_hanging_and_dying_give_none_and_the_rest_goes_on(pool):
    await pool.map(["warm", "warm"])
    began = time.monotonic()
    results = await pool.map(["hang", "a", "die", "b", "hoard", "c"])
    assert [result and result[0] for result in results] == [None, "a", None, "b", None, "c"]
    assert time.monotonic() - began < 5


async def test_the_loop_never_waits_for_a_worker(pool):
    await pool.map(["warm", "warm"])
    lags = []

    async def watch():
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            lags.append(time.monotonic() - began)

    watcher = asyncio.create_task(watch())
    await pool.map(["hang"])
    watcher.cancel()
    assert max(lags) < 0.3


async def test_what_a_library_prints_is_no_reply(pool):
    assert [r[0] for r in await pool.map(["talk", "x"])] == ["talk", "x"]


async def test_many_callers_share_two_workers(pool):
    rounds = await asyncio.gather(*(pool.map([i, i]) for i in range(10)))
    assert len({pid for results in rounds for _, pid in results}) <= 2


async def test_it_starts_again_after_close(pool):
    await pool.map([1])
    await pool.close()
    assert (await pool.map([2]))[0][0] == 2


def test_it_works_in_one_event_loop_after_another(file):
    pool = Killable(file, workers=1)
    assert [asyncio.run(pool.map([i]))[0][0] for i in range(3)] == [0, 1, 2]
    asyncio.run(pool.close())


async def test_a_worker_that_cannot_start_says_so(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0\n")
    pool = Killable(tmp_path / "bad.py")
    with pytest.raises(VerifierError, match=r"bad.py did not start"):
        await pool.map([1])
    await pool.close()


def test_workers_die_with_their_parent_even_in_a_busy_loop(file):
    code = f"""
        import asyncio, os, pathlib, signal
        from perpend.verifiers.killable import Killable
        async def main():
            pool = Killable(pathlib.Path({str(file)!r}), workers=1, seconds=60)
            print((await pool.map([1]))[0][1], flush=True)
            task = asyncio.create_task(pool.map(["hang"]))
            await asyncio.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(50):
        if not _runs(pid):
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


def _runs(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
