"""One life of a vLLM server: started, waited for, and ended with all that it started."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import aiohttp
import msgspec

from perpend.core import EngineError
from perpend.engines.embedded.weights import cache_dir
from perpend.engines.openai.secret import Secret
from perpend.engines.vllm import watcher
from perpend.engines.vllm.target import Target

POLL_SECONDS = 0.2
ANSWER_SECONDS = 10.0
GRACE_SECONDS = 20.0
"""From being asked to end until being killed: vLLM frees its GPUs meanwhile."""
SLACK_SECONDS = 5.0
TAIL_LINES, TAIL_BYTES = 12, 1 << 16
LOOPBACK = "127.0.0.1"
QUIET = ("--uvicorn-log-level", "warning")
"""A line in the log for every request would fill the disk in a long study."""


class Server:
    """A running server. Made by `start_server`.

    Attributes:
        url: of its API.
        key: that it wants; nobody else knows it.
        version: of vLLM.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, key: Secret, model: str, log: Path) -> None:
        self.url, self.key, self.version = f"http://{LOOPBACK}:{port}/v1", key, ""
        self._process, self._model, self._log, self._log_is_named = process, model, log, False

    @property
    def pid(self) -> int:
        """Of the leader of its process group."""
        return self._process.pid

    def check(self) -> None:
        """Raise EngineError, with the end of its log, where it has ended."""
        if self._process.returncode is not None:
            raise self._error(f"The vLLM server of {self._model} has ended")

    @contextmanager
    def to_blame(self) -> Iterator[None]:
        """Around what its client does: an error there is the server's end, where that has ended. Raises EngineError."""
        self.check()
        try:
            yield
        except EngineError:
            self.check()
            raise

    async def until_healthy(self, seconds: float) -> None:
        """Wait until it has loaded the model. Raises EngineError where it ends before, or takes longer."""
        root = self.url.removesuffix("/v1")
        try:
            async with (
                asyncio.timeout(seconds),
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as session,
            ):
                while await _get(session, f"{root}/health") is None:
                    self.check()
                    await asyncio.sleep(POLL_SECONDS)
                self.version = _version(await _get(session, f"{root}/version"))
        except TimeoutError:
            late = f"vLLM did not get to serve {self._model} within {seconds:g} seconds"
            raise self._error(late, "Give it longer with start_seconds. ") from None

    async def end(self) -> None:
        """End the server and all that it started. Its log is kept where an error has named it."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GRACE_SECONDS + SLACK_SECONDS)
        with suppress(ProcessLookupError):  # the group is gone, unless something else has killed its watcher
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if not self._log_is_named:
            self._log.unlink(missing_ok=True)

    def _error(self, what: str, remedy: str = "") -> EngineError:
        """What went wrong, with the end of the log."""
        self._log_is_named = True
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()[-TAIL_LINES:]
        said = self.key.scrub("\n".join(lines)) or "(nothing)"
        return EngineError(f"{what}; its log ends with:\n{said}", f"{remedy}The whole log is {self._log}.")


async def start_server(command: str, target: Target, seconds: float) -> Server:
    """Start a server, and wait until it has loaded the model.

    Args:
        command: the `vllm` to run.
        target: what it serves.
        seconds: to wait at most.

    Raises:
        EngineError: with the end of its log, where it does not come up.
    """
    key, port = secrets.token_urlsafe(32), _free_port()
    with _new_log(target.served) as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", watcher.__file__, str(os.getpid()), str(GRACE_SECONDS)),
            *(command, "serve", target.model, "--host", LOOPBACK, "--port", str(port)),
            *("--served-model-name", target.served, *QUIET, *target.flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "VLLM_API_KEY": key},
            start_new_session=True,
        )
    server = Server(process, port, Secret(key), target.served, Path(log.name))
    try:
        await server.until_healthy(seconds)
    except BaseException:
        await server.end()
        raise
    return server


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind((LOOPBACK, 0))
        return int(asked.getsockname()[1])


def _new_log(served: str) -> IO[bytes]:
    """A file in the cache folder for all that a server says. Raises EngineError."""
    folder, name = cache_dir() / "vllm", re.sub(r"[^\w.-]+", "-", served)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".log", dir=folder, delete=False)
    except OSError as error:
        raise EngineError(
            f"The log of vLLM cannot be written to {folder}: {error.strerror}.", "Set PERPEND_CACHE to another folder."
        ) from None


async def _get(session: aiohttp.ClientSession, url: str) -> bytes | None:
    """What is there; None where there is nothing, or nobody to ask yet."""
    try:
        async with session.get(url) as response:
            return await response.read() if response.status == 200 else None
    except (aiohttp.ClientError, OSError):
        return None


def _version(told: bytes | None) -> str:
    try:
        return msgspec.json.decode(told or b"", type=dict[str, str])["version"]
    except (msgspec.DecodeError, KeyError):
        return "of unknown version"
