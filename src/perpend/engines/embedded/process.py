"""One life of a worker process, as the engine sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import msgspec

import perpend
from perpend.core import EngineError
from perpend.engines.embedded.protocol import AnyFromWorker, Load, Ready, Unusable, engine_frames, frame

START_SECONDS = 300.0
"""Loading and probing take five to ten seconds here; a model of gigabytes on a slow disk takes longer."""
END_SECONDS = 5.0
READ_BYTES = 1 << 18


class UnusableModel(EngineError):  # noqa: N818 (named for what it is)
    """No worker will ever load this model; any other failure to start may pass."""


class WorkerProcess:
    """A running worker. Made by `start_worker`."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: IO[bytes]) -> None:
        self._process, self._stderr = process, stderr
        self._said: list[str] = []
        self._frames = engine_frames()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, message: msgspec.Struct) -> None:
        """Say something to the worker. What a dead one is told is lost; its death is seen by `receive`."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(frame(message))

    async def receive(self) -> AsyncIterator[AnyFromWorker]:
        """What the worker says, until it ends."""
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(READ_BYTES):
            for message in self._frames.feed(data):
                yield message

    async def end(self) -> None:
        """Hang up, which ends a worker between two steps; kill it if that takes too long."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), END_SECONDS)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if not self._stderr.closed:
            self._stderr.seek(0)
            self._said = self._stderr.read().decode(errors="replace").strip().splitlines()
            self._stderr.close()

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def last_words(self) -> str:
        """The last line that an ended worker wrote to stderr, or how it ended."""
        code = self._process.returncode
        how = f"it ended with {f'signal {-code}' if code and code < 0 else f'code {code}'}"
        return self._said[-1] if self._said else how


async def start_worker(load: Load) -> tuple[WorkerProcess, Ready]:
    """Start a worker and have it load a model. Raises EngineError, UnusableModel where trying again is no use."""
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
    here = str(Path(perpend.__file__).parents[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "perpend.engines.embedded.worker", str(os.getpid())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))},
    )
    worker = WorkerProcess(process, stderr)
    try:
        worker.send(load)
        return worker, await asyncio.wait_for(_until_ready(worker, load.path), START_SECONDS)
    except TimeoutError:
        worker.kill()
        await worker.end()
        raise EngineError(
            f"The model {load.path} was not loaded within {START_SECONDS:.0f} seconds.", "Try a smaller one."
        ) from None
    except BaseException:
        worker.kill()
        await worker.end()
        raise


async def _until_ready(worker: WorkerProcess, path: str) -> Ready:
    async for message in worker.receive():
        if isinstance(message, Ready):
            return message
        if isinstance(message, Unusable):
            raise UnusableModel(f"The model {path} cannot be loaded: {message.reason}.", remedy_for(message.reason))
    await worker.end()
    raise EngineError(
        f"The worker that loads {path} died: {worker.last_words()}.",
        "Check that there is memory for the model, and that `pip install openvino-genai` works on this machine.",
    )


def remedy_for(reason: str) -> str:
    """What to do about a model that the native library refuses."""
    if "No module named" in reason or "cannot open shared object" in reason:
        return "Install it with `pip install openvino-genai`."
    if "tensor" in reason.lower() or "unordered_map" in reason or "type" in reason.lower():
        return "It reads GGUF tensors of the types F32, F16, BF16, Q4_0, Q4_1, Q4_K, Q6_K and Q8_0; requantise to one."
    return "Check that the file is whole, or name another model."
