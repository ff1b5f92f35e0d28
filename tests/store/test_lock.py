"""One process at a time works on a folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perpend.core import StoreError
from perpend.store import FolderLock

HOLD = """
import sys, time
from pathlib import Path
from perpend.store import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(StoreError, match=rf"in use by another perpend \(process {holder.pid}\)"):
            FolderLock(tmp_path)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    FolderLock(tmp_path).close()


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path)
    FolderLock(tmp_path).close()


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    program = "import time; print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program], close_fds=False, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    lock.close()
    try:
        FolderLock(tmp_path).close()
    finally:
        child.kill()
        child.wait()


def test_closing_twice_is_safe(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.close()
    lock.close()
