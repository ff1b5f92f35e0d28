"""The embedded engine: a model on this machine's CPU, in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

from perpend.core import (
    Caps,
    Charge,
    Completion,
    Delta,
    EngineError,
    Finish,
    Generation,
    ModelShape,
    Prompt,
    Purse,
    Request,
    Usage,
)
from perpend.engines.embedded.desk import Desk
from perpend.engines.embedded.known import PROBES, installed, probe_key
from perpend.engines.embedded.protocol import Load, Metrics, Ready, Score, Submit
from perpend.engines.embedded.ticket import Ticket
from perpend.engines.embedded.weights import Weights, find_weights, remember, remembered


class EmbeddedEngine:
    """Runs a model with OpenVINO GenAI's continuous batching, behind a pipe.

    Each request is one sample with its own seed; samples join and leave the batch at any step, and those whose
    prompts begin alike share that beginning's computation.

    Raw prompts are tokenised as llama.cpp does: with a BOS token where the model wants one, and the names of special
    tokens (`<|im_end|>`) read as those tokens. A `prefix` is tokenised together with the prompt that it follows.

    Args:
        model: None for the default (SmolLM2-135M-Instruct), a .gguf file, an OpenVINO folder, or a Hugging Face
            repository's owner/name.
        name: in the study.
        reproducible: the same (prompt, seed) gives the same text whatever else runs, as far as the probe at start
            finds this possible. Costs filler rows when fewer samples than the threshold run.
        max_seqs: the most rows in a step.
        cache_gb: whole GB for keys and values. Taken from the system as they fill up.
    """

    fingerprint: str
    caps: Caps
    shape: ModelShape | None
    version: str

    def __init__(
        self,
        model: str | None = None,
        *,
        name: str = "embedded",
        reproducible: bool = True,
        max_seqs: int = 256,
        cache_gb: int = 2,
    ) -> None:
        self.name = name
        self._model, self._reproducible = model, reproducible
        self._max_seqs, self._cache_gb = max_seqs, cache_gb
        self._desk: Desk | None = None
        self._ids = itertools.count()
        self._starting = asyncio.Lock()
        self._chat = False

    @property
    def metrics(self) -> Metrics:
        """Rows, cache and fillers of the living worker, as of its last step."""
        return self._desk.metrics if self._desk else Metrics()

    @property
    def overhead(self) -> Charge:
        """What fillers and the probe have taken, over the lives of all workers."""
        return self._desk.overhead if self._desk else Charge()

    @property
    def peak_cache_bytes(self) -> int | None:
        """The most memory that keys and values have taken, prompts kept for reuse included; None before it runs."""
        return self._desk.peak_cache_bytes if self._desk else None

    @property
    def worker_pid(self) -> int | None:
        """The process that computes, None while there is none."""
        return self._desk.pid if self._desk else None

    async def start(self, purse: Purse | None = None) -> None:  # noqa: ARG002 (nobody bills it)
        """Load the model, and probe whether samples replay exactly. Raises EngineError."""
        async with self._starting:
            if self._desk is not None:
                return
            weights = await asyncio.to_thread(find_weights, self._model)
            key = probe_key(weights, self._max_seqs)
            desk = Desk(self._load(weights, remembered(PROBES).get(key)))
            ready = await desk.open()
            if self._reproducible and ready.rows is not None:
                remember(PROBES, key, ready.rows)
            self._describe(weights, ready)
            self._desk = desk

    async def close(self) -> None:
        """End the worker. The engine can be started again."""
        async with self._starting:
            desk, self._desk = self._desk, None
            if desk is not None:
                await desk.close()

    def generate(self, request: Request) -> Generation:
        """Answer a request. One that can never fit the context ends as FAILED; the engine goes on.

        Raises (while it is iterated):
            EngineError: the request asks for what this engine does not do, or the engine is lost.
        """
        ticket = Ticket(_submit(next(self._ids), request))
        cancelled = False

        def cancel() -> None:
            nonlocal cancelled
            cancelled = True
            if self._desk is not None:
                self._desk.drop(ticket, tell=True)

        async def stream() -> AsyncIterator[Delta | Completion]:
            self._refuse(request)
            await self.start()
            if cancelled:
                yield Completion(0, "", Finish.CANCELLED, Usage())
                return
            async for event in self._events(request, ticket):
                yield event

        return Generation(stream(), cancel)

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:  # noqa: ARG002 (the protocol's)
        """The log-probability of `text` after `prompt`, summed over its tokens.

        The first call loads the model a second time (without a prefix cache). Raises EngineError.
        """
        await self.start()
        assert self._desk is not None
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        ticket = Ticket(Score(next(self._ids), prompt.text or "", _turns(prompt), text), answer=answer)
        self._desk.take(ticket)
        try:
            return await answer
        finally:
            self._desk.drop(ticket, tell=False)

    async def _events(self, request: Request, ticket: Ticket) -> AsyncIterator[Delta | Completion]:
        desk = self._desk
        assert desk is not None
        if request.prompt.messages is not None and not self._chat:
            raise EngineError(f"The model of engine {self.name} has no chat template.", "Use a few-shot task style.")
        desk.take(ticket)
        try:
            while True:
                event = await ticket.events.get()
                if isinstance(event, EngineError):
                    raise event
                if isinstance(event, Completion):
                    yield event if request.logprobs else replace(event, logprob=None, tokens=None)
                    return
                yield event
        finally:
            desk.drop(ticket, tell=False)

    def _refuse(self, request: Request) -> None:
        """Say no to what would otherwise be silently left out."""
        asked = {
            f"n = {request.n} completions a request": request.n != 1,
            f"{request.logprobs} log-probabilities a token": request.logprobs > 1,
            "a limit on thinking tokens": request.prompt.thinking_tokens is not None,
            f"the extra fields {', '.join(request.extra)}": bool(request.extra),
        }
        for what, refused in asked.items():
            if refused:
                raise EngineError(
                    f"Engine {self.name} (embedded) does not do {what}.",
                    "Send one request a sample, with logprobs 0 or 1, or use a served engine: openai:URL.",
                )

    def _load(self, weights: Weights, rows: int | None) -> Load:
        return Load(
            path=str(weights.path),
            context=weights.context,
            vocabulary=weights.vocabulary,
            max_seqs=self._max_seqs,
            cache_gb=self._cache_gb,
            reproducible=self._reproducible,
            rows=rows if self._reproducible else None,
        )

    def _describe(self, weights: Weights, ready: Ready) -> None:
        self.fingerprint, self.shape, self._chat = weights.fingerprint, weights.shape, ready.chat
        self.version = f"openvino-genai {installed('openvino-genai')}, {weights.label}"
        exact = bool(ready.rows) if self._reproducible else None
        self.caps = Caps(
            context=ready.context,
            seeds=True,
            exact_replay=exact,
            logprobs=1,
            continuation=True,
            loglik=True,
            local=True,
            cache_bytes=ready.cache_bytes,
            cache_tokens=ready.cache_tokens,
            note=_note(exact, ready.rows or 0),
        )


def _note(exact: bool | None, rows: int) -> str:
    if exact is None:
        return "Seeds were not probed: a sample's text may depend on what else runs (reproducible=False)."
    if not exact:
        return "Samples did not replay exactly at the probe: a sample's text may depend on what else runs."
    return (
        f"The same prompt and seed gave the same tokens and log-probabilities, to the bit, alone and in a crowd, with"
        f" and without its prompt in the cache, with at least {rows} rows a step; idle rows are filled up to that."
    )


def _submit(id: int, request: Request) -> Submit:
    prompt = request.prompt
    return Submit(
        id=id,
        text=prompt.text or "",
        turns=_turns(prompt),
        prefix=request.prefix,
        stop=[stop for stop in prompt.stop if stop],
        max_tokens=prompt.max_tokens,
        temperature=prompt.temperature,
        top_p=prompt.top_p,
        seed=request.seed,
    )


def _turns(prompt: Prompt) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in prompt.messages or ()]
