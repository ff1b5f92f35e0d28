"""The engine that serves a model itself, with vLLM."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from perpend.core import (
    Caps,
    Charge,
    Completion,
    Delta,
    EngineError,
    Generation,
    ModelShape,
    Prompt,
    Purse,
    Request,
    Usage,
)
from perpend.engines.openai import OpenAIEngine
from perpend.engines.openai.asking import Bottomless
from perpend.engines.openai.calls import Counts
from perpend.engines.vllm.command import usable_command
from perpend.engines.vllm.server import Server, start_server
from perpend.engines.vllm.target import Target, find_target, read_flags

PATIENCE_SECONDS = 30.0
"""A living server on this machine takes every connection at once."""


class VllmEngine:
    """Serves a model with vLLM on this machine: the server starts and ends with the engine.

    It needs `pip install 'perpend[vllm]'` and a GPU, or vLLM's CPU build. What the server says goes into a file in the
    cache folder. It listens on this machine alone, and wants a key that nobody else knows.

    Args:
        model: a Hugging Face repository's owner/name, a folder with a model, or a GGUF file.
        name: in the study.
        args: further flags of `vllm serve`, as one would type them.
        start_seconds: until it must have loaded the model, which it may have to download before.
    """

    fingerprint: str
    caps: Caps
    version: str

    def __init__(self, model: str, *, name: str = "vllm", args: str = "", start_seconds: float = 1800.0) -> None:
        self.name = name
        self.shape: ModelShape | None = None
        self._model, self._flags, self._start_seconds = model, read_flags(args), start_seconds
        self._live: tuple[Server, OpenAIEngine] | None = None
        self._starting = asyncio.Lock()
        self._probes, self._probe_seconds = Probes(), 0.0
        self._time = SharedTime()

    @property
    def overhead(self) -> Charge:
        """What probing has taken, over all starts."""
        return Charge(self._probes.usage, device_seconds=self._probe_seconds)

    @property
    def counts(self) -> Counts:
        """Calls of the living server."""
        return self._live[1].counts if self._live else Counts()

    @property
    def server_pid(self) -> int | None:
        """The leader of the server's process group, None while there is none."""
        return self._live[0].pid if self._live else None

    async def start(self, purse: Purse | None = None) -> None:  # noqa: ARG002 (nobody bills it)
        """Start the server, and probe what it can do. Raises EngineError, and ConfigError where there is no model."""
        async with self._starting:
            if self._live is not None:
                return
            command = await asyncio.to_thread(usable_command)
            target = await asyncio.to_thread(find_target, self._model, self._flags)
            server = await start_server(command, target, self._start_seconds)
            client = OpenAIEngine(
                f"{server.url}#{target.served}", name=self.name, patience_seconds=PATIENCE_SECONDS, key=server.key
            )
            try:
                with server.to_blame():
                    await self._probe(client)
            except BaseException:
                await server.end()
                raise
            self._describe(target, server, client)
            self._live = server, client

    async def close(self) -> None:
        """End the server. The engine can be started again."""
        async with self._starting:
            live, self._live = self._live, None
            if live is not None:
                server, client = live
                await client.close()
                await server.end()

    def generate(self, request: Request) -> Generation:
        """Answer a request as the OpenAI engine does. Raises EngineError where the server was not started.

        Iterating raises what that engine raises, and EngineError with the end of the server's log where it has ended.
        """
        server, client = self._started()
        asked = client.generate(request)
        return Generation(self._answer(server, asked), asked.cancel)

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:
        """The log-probability of a text after a raw prompt. Raises what the OpenAI engine raises."""
        server, client = self._started()
        since = self._time.enter()
        try:
            with server.to_blame():
                return await client.loglik(prompt, text, attempt)
        finally:
            self._time.leave(since)

    async def _answer(self, server: Server, asked: Generation) -> AsyncIterator[Delta | Completion]:
        """What the client yields; completions once all of them are there, so that they can share their time."""
        completions: list[Completion] = []
        since = self._time.enter()
        try:
            with server.to_blame():
                async for item in asked:
                    if isinstance(item, Completion):
                        completions.append(item)
                    else:
                        yield item
        finally:
            seconds = self._time.leave(since)
        for completion in completions:
            yield replace(completion, device_seconds=seconds / len(completions))

    async def _probe(self, client: OpenAIEngine) -> None:
        began = time.monotonic()
        await client.start(self._probes)
        self._probe_seconds += time.monotonic() - began
        client.forget()  # another server may get this one's port

    def _describe(self, target: Target, server: Server, client: OpenAIEngine) -> None:
        self.fingerprint, self.caps = target.fingerprint, replace(client.caps, local=True)
        self.version = f"vLLM {server.version}, {shlex.join((target.served, *target.flags))}"

    def _started(self) -> tuple[Server, OpenAIEngine]:
        if self._live is None:
            raise EngineError(f"Engine {self.name} was not started.", "Call start() first.")
        return self._live


class Probes(Bottomless):
    """Adds up the tokens of probes, which nobody bills."""

    def __init__(self) -> None:
        self.usage = Usage()

    def settle(self, reservation: int, used: Usage | None) -> None:  # noqa: ARG002 (the signature is the protocol's)
        """Add what a call took; what nobody knows is nothing that anyone has to pay."""
        self.usage += used or Usage()


class SharedTime:
    """Divides a server's time: each moment equally among the requests that are then under way."""

    def __init__(self) -> None:
        self._under_way, self._each, self._until = 0, 0.0, 0.0

    def enter(self) -> float:
        """Begin a request; returns what `leave` is to be given."""
        self._advance(1)
        return self._each

    def leave(self, since: float) -> float:
        """End it; returns its share in seconds."""
        self._advance(-1)
        return self._each - since

    def _advance(self, change: int) -> None:
        now = time.monotonic()
        self._each += (now - self._until) / self._under_way if self._under_way else 0.0
        self._under_way, self._until = self._under_way + change, now
