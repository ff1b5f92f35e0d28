"""The samples that the pipeline is running, and those that wait: one `step` moves all of them by a token."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from openvino_genai.py_openvino_genai import GenerationHandle

from perpend.engines.embedded.admission import BLOCK_TOKENS, Admission, Waiting, blocks_for, chain
from perpend.engines.embedded.fillers import Fillers
from perpend.engines.embedded.marks import Left, Marks, Written, shareable_blocks
from perpend.engines.embedded.native import first_line
from perpend.engines.embedded.pipeline import Pipeline, read_tokens
from perpend.engines.embedded.protocol import Done, Metrics, Piece, Progress, Submit
from perpend.engines.embedded.text import Transcript

SPARE_BLOCKS = 40
"""Cache blocks that admission leaves to fillers and to blocks on their way out."""


@dataclass
class Row:
    """One sample: its request, and what it has so far."""

    request: Submit
    prompt: tuple[int, ...]
    blocks: tuple[bytes, ...]
    transcript: Transcript
    written: Written | None = None
    cached: int = 0
    handle: GenerationHandle | None = None
    tokens: list[tuple[int, float]] = field(default_factory=list)
    started: float = 0.0
    device_seconds: float = 0.0

    @property
    def left(self) -> Left | None:
        """What a marked sample has in the cache now that another might find; None before its first token."""
        return self.written.left([id for id, _ in self.tokens[:BLOCK_TOKENS]]) if self.written and self.tokens else None

    def done(self, finish: str, error: str | None = None) -> Done:
        """How it ended."""
        now = time.time()
        return Done(
            id=self.request.id,
            finish=finish,
            text=self.transcript.text,
            prompt=len(self.prompt) if self.handle else 0,
            cached=self.cached,
            tokens=self.tokens,
            started=self.started or now,
            ended=now,
            device_seconds=self.device_seconds,
            error=error,
        )


class Batch:
    """Queue, batch and fillers over one pipeline.

    Args:
        pipeline: what computes.
        context: tokens of prompt and completion together.
        max_seqs: the most samples in the batch.
        cache_blocks: blocks that the key-value cache holds.
        rows: the least rows in a step, made up with fillers.
        marks: what keeps the cache's state out of the numbers; None: whatever is cached is reused.
    """

    def __init__(
        self, pipeline: Pipeline, context: int, max_seqs: int, cache_blocks: int, rows: int, marks: Marks | None
    ) -> None:
        self._pipeline = pipeline
        self._context = context
        self._cache_blocks = max(cache_blocks - SPARE_BLOCKS, 1)
        self._admission = Admission(max(max_seqs - rows, 1), self._cache_blocks)
        self._fillers = Fillers(pipeline, rows)
        self._marks = marks
        self._waiting: dict[int, Row] = {}
        self._running: dict[int, Row] = {}
        self._done: list[Done] = []
        self._steps, self._step_seconds, self._filler_tokens, self._filler_seconds = 0, 0.0, 0, 0.0
        self._cache_bytes = pipeline.cache_bytes()

    @property
    def busy(self) -> bool:
        """There is something to compute, or to tell."""
        return bool(self._waiting or self._running or self._done)

    def submit(self, request: Submit) -> None:
        """Queue a sample; one that cannot fit ends at once."""
        row = self._row(request)
        problem = self._problem(row)
        if problem:
            self._done.append(row.done("failed", problem))
            return
        most = len(row.prompt) + request.max_tokens
        self._waiting[request.id] = row
        self._admission.add(Waiting(request.id, len(row.prompt), row.blocks, blocks_for(most) + 1))

    def cancel(self, id: int) -> None:
        """End a sample with what it has; its slot is free in the next step."""
        if self._admission.withdraw(id):
            self._done.append(self._waiting.pop(id).done("cancelled"))
        elif id in self._running:
            self._leave(id, "cancelled")

    def admit(self) -> list[int]:
        """Let those into the batch who may; their ids."""
        ids: list[int] = []
        admitted = self._admission.admit()
        busy = {left for row in self._running.values() if (left := row.left)} if admitted else set()
        for id, cached in admitted:
            row = self._waiting.pop(id)
            row.cached, row.started = cached, time.time()
            ask = row.request
            try:
                row.handle = self._pipeline.sample(
                    self._written(row, busy), ask.max_tokens, ask.temperature, ask.top_p, ask.seed, tuple(ask.stop)
                )
            except (RuntimeError, ValueError, TypeError) as error:
                self._admission.end(id)
                self._done.append(row.done("failed", f"The pipeline refused the request: {first_line(error)}"))
                continue
            self._running[id] = row
            ids.append(id)
        return ids

    def step(self) -> Progress:
        """Compute one token of every sample in the batch, and say what it brought."""
        real = len(self._running)
        fillers = self._fillers.fit(real)
        pieces: list[Piece] = []
        if real:
            self._book(self._pipeline.step(), real, fillers)
            pieces = self._collect()
        done, self._done = self._done, []
        return Progress(pieces, done, self.metrics())

    def metrics(self) -> Metrics:
        """How it is doing."""
        return Metrics(
            running=len(self._running),
            queued=len(self._waiting),
            cache_use=self._pipeline.cache_use(),
            cache_bytes=self._cache_bytes,
            steps=self._steps,
            step_seconds=self._step_seconds,
            filler_tokens=self._filler_tokens,
            filler_seconds=self._filler_seconds,
        )

    def _row(self, ask: Submit) -> Row:
        tokens = self._pipeline.tokens
        if ask.turns:
            prompt = tokens.encode_cached(tokens.render(ask.turns) + ask.prefix)
        else:
            prompt = tokens.raw_cached(ask.text + ask.prefix)
        blocks = chain(prompt)
        if self._marks:
            blocks = blocks[: shareable_blocks(len(prompt))]
        return Row(ask, prompt, blocks, Transcript(tuple(ask.stop)))

    def _written(self, row: Row, busy: Collection[Left]) -> Sequence[int]:
        """The prompt as the pipeline is to see it."""
        if self._marks is None:
            return row.prompt
        row.written = self._marks.write(row.prompt, row.blocks, busy)
        return row.written.ids

    def _problem(self, row: Row) -> str | None:
        """Why a request can never be answered."""
        prompt, wanted = len(row.prompt), row.request.max_tokens
        if not prompt:
            return "The prompt is empty."
        if wanted < 1:
            return f"max_tokens is {wanted}; it must be at least 1."
        if prompt + wanted > self._context:
            least = "at least " if prompt >= self._context else ""  # the tokenizer stops there
            limit = f"the context of {self._context} tokens"
            return f"The prompt's {least}{prompt} tokens and max_tokens {wanted} exceed {limit}."
        if blocks_for(prompt + wanted) + 1 > self._cache_blocks:
            room = self._cache_blocks * BLOCK_TOKENS
            return f"The prompt's {prompt} tokens and max_tokens {wanted} exceed the cache of {room} tokens."
        return None

    def _book(self, seconds: float, real: int, fillers: int) -> None:
        share = seconds / (real + fillers)
        for row in self._running.values():
            row.device_seconds += share
        self._steps += 1
        self._step_seconds += seconds
        self._filler_tokens += fillers
        self._filler_seconds += share * fillers

    def _collect(self) -> list[Piece]:
        """Read what the step generated, end those that are finished, and give out text that stays."""
        finishes = {row.request.id: self._read(row) for row in self._running.values()}
        heard = list(self._running.values())
        decode = self._pipeline.tokens.decode
        for row, text in zip(heard, decode([row.transcript.open_tokens for row in heard]), strict=True):
            row.transcript.update(text, decode)
        pieces = []
        for row in heard:
            finish = "stop" if row.transcript.stopped else finishes[row.request.id]
            if finish:
                self._leave(row.request.id, finish)
            else:
                pieces.append(Piece(row.request.id, row.transcript.piece(), len(row.tokens)))
        return pieces

    def _read(self, row: Row) -> str | None:
        assert row.handle is not None
        fresh, finish = read_tokens(row.handle)
        if fresh and not row.tokens:
            self._admission.computed(row.request.id)
        row.tokens += fresh
        for token, _ in fresh:
            row.transcript.add(token)
        return finish

    def _leave(self, id: int, finish: str) -> None:
        row = self._running.pop(id)
        assert row.handle is not None
        row.handle.cancel()  # a stop string may end what the pipeline would go on with; after the end it does nothing
        self._admission.end(id, self._left_behind(row))
        self._done.append(row.done(finish))

    def _left_behind(self, row: Row) -> Sequence[bytes]:
        """Blocks of prompt and completion that others may find from now on."""
        if self._marks is not None:
            if row.left:
                self._marks.end(row.left)
            return ()
        computed = (*row.prompt, *(token for token, _ in row.tokens[:-1]))
        return chain(computed, row.blocks) if row.tokens else ()
