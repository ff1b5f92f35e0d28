"""Work that may hang, in persistent processes that are killed at a deadline and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from perpend.core import VerifierError

START_SECONDS = 60.0
"""How long a worker may take to import what it needs."""
CHILD = Path(__file__).with_name("killable_child.py")


class Killable:
    """A few worker processes that run `handle(value)` of a Python file, one JSON value in and one out.

    Workers start when first needed, live as long as their parent, and cannot outlive it. A call that takes longer
    than its deadline, or that kills its worker, gives None; the next call gets a fresh worker.

    Args:
        file: defines `handle`; run by path, so that it may import what the parent should not.
        workers: at most so many at a time.
        seconds: the deadline of a call, its worker's start left out.
        megabytes: of memory that a worker may use.
    """

    def __init__(self, file: Path, workers: int = 2, seconds: float = 1.0, megabytes: int = 2048) -> None:
        self._file = file
        self._size = workers
        self._seconds = seconds
        self._megabytes = megabytes
        self._executor: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()

    async def map(self, values: Sequence[Any]) -> list[Any]:
        """`handle` of each value, in order; None for those that did not come back. Raises VerifierError.

        A caller has no more calls waiting than there are workers, so that many callers share them fairly.
        """
        loop = asyncio.get_running_loop()
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._size, thread_name_prefix="killable")
        executor = self._executor
        results: list[Any] = [None] * len(values)
        waiting = iter(enumerate(values))

        async def take() -> None:
            for index, value in waiting:
                results[index] = await loop.run_in_executor(executor, self._call, value)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._size, len(values))):
                    group.create_task(take())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return results

    async def close(self) -> None:
        """End the workers. Safe to call twice; a later call starts them again."""
        executor, self._executor = self._executor, None
        for worker in self._workers:
            worker.interrupt()
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.kill()
        self._workers = []
        self._local = threading.local()

    def _call(self, value: Any) -> Any:
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None or not worker.alive:
            worker = _Worker(self._file, self._megabytes)
            self._local.worker = worker
            with self._lock:
                self._workers = [*(w for w in self._workers if w.alive), worker]
        return worker.call(value, self._seconds)


class _Worker:
    """One process; used by one thread."""

    def __init__(self, file: Path, megabytes: int) -> None:
        command = [sys.executable, "-P", str(CHILD), str(file), str(megabytes), str(os.getpid())]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._buffer = b""
        self.alive = True
        if self._line(START_SECONDS) is None:
            raise VerifierError(f"A worker for {file.name} did not start.", f"Try it: {' '.join(command)}")

    def call(self, value: Any, seconds: float) -> Any:
        """The worker's reply; None where it did not come in time, and then the worker is dead."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            self.kill()
            return None
        line = self._line(seconds)
        return None if line is None else json.loads(line)

    def interrupt(self) -> None:
        """SIGKILL alone, from another thread: the one that waits for a reply sees the end of it."""
        self._process.kill()

    def kill(self) -> None:
        """SIGKILL, and collect it."""
        self.alive = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _line(self, seconds: float) -> bytes | None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 65_536) if ready else b""
            if not piece:
                self.kill()
                return None
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
