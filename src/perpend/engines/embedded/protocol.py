"""What the engine and its worker say to each other: msgspec structs, in frames of a length and a MessagePack body."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

_LENGTH = struct.Struct("<I")


class ToWorker(msgspec.Struct, tag=True, frozen=True):
    """Base of what the engine says."""


class Load(ToWorker, frozen=True):
    """Load a model; the first thing said to a worker.

    Attributes:
        path: a GGUF file, or the folder of an OpenVINO model.
        context: tokens of prompt and completion together.
        vocabulary: rows of its embedding, 0 where unknown (then nothing is reproducible).
        max_seqs: the most samples in one step.
        cache_gb: memory for keys and values, in whole GB.
        reproducible: keep every step above the row count from which results do not depend on it.
        rows: that row count, where an earlier probe found it; 0 where it found none; None: probe.
    """

    path: str
    context: int
    vocabulary: int
    max_seqs: int
    cache_gb: int
    reproducible: bool
    rows: int | None = None


class Submit(ToWorker, frozen=True):
    """Sample one completion. `turns` are (role, content) pairs; with none, `text` is continued as it is."""

    id: int
    text: str
    turns: list[tuple[str, str]]
    prefix: str
    stop: list[str]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int


class Cancel(ToWorker, frozen=True):
    """Stop a request; it ends with what it has."""

    id: int


class Score(ToWorker, frozen=True):
    """Sum the log-probabilities of `target` after a prompt."""

    id: int
    text: str
    turns: list[tuple[str, str]]
    target: str


class FromWorker(msgspec.Struct, tag=True, frozen=True):
    """Base of what the worker says."""


class Probed(msgspec.Struct, array_like=True, frozen=True):
    """What a probe took: tokens of its prompts, whether they were in the cache or not, of completions, and seconds."""

    prompt: int = 0
    completion: int = 0
    seconds: float = 0.0


class Ready(FromWorker, frozen=True):
    """The model is loaded.

    Attributes:
        rows: rows a step from which results were found not to depend on what else runs; 0: none was; None: not asked.
        context: tokens of prompt and completion together, as the model and its tokenizer take them.
        chat: the model has a chat template.
        cache_tokens: how many tokens the key-value cache holds.
        cache_bytes: how much memory it may take.
        probed: what finding the rows out took.
    """

    rows: int | None
    context: int
    chat: bool
    cache_tokens: int
    cache_bytes: int
    probed: Probed = Probed()


class Unusable(FromWorker, frozen=True):
    """The model cannot be loaded, in the native library's words."""

    reason: str


class Admitted(FromWorker, frozen=True):
    """These requests are in the batch from the next step on."""

    ids: list[int]


class Piece(msgspec.Struct, array_like=True, frozen=True):
    """What a request has so far: new text that will not be taken back, and all its tokens counted."""

    id: int
    text: str
    tokens: int


class Done(msgspec.Struct, array_like=True, frozen=True):
    """A finished request. `finish` is a core `Finish`; `text` is the whole of it."""

    id: int
    finish: str
    text: str
    prompt: int = 0
    cached: int = 0
    tokens: list[tuple[int, float]] = []
    started: float = 0.0
    ended: float = 0.0
    device_seconds: float = 0.0
    error: str | None = None


class Metrics(msgspec.Struct, frozen=True):
    """How the living worker is doing, and what it has done.

    Attributes:
        running: samples in the batch.
        queued: samples that wait for room, or for a block of their prompt that another computes.
        cache_use: the share of the key-value cache that is held, prompts kept for reuse included.
        cache_bytes: how much memory the key-value cache may take.
        steps, step_seconds: of the pipeline, so far.
        filler_tokens, filler_seconds: what keeping results independent of the batch has cost.
    """

    running: int = 0
    queued: int = 0
    cache_use: float = 0.0
    cache_bytes: int = 0
    steps: int = 0
    step_seconds: float = 0.0
    filler_tokens: int = 0
    filler_seconds: float = 0.0


class Progress(FromWorker, frozen=True):
    """What one step brought."""

    pieces: list[Piece]
    done: list[Done]
    metrics: Metrics


class Scored(FromWorker, frozen=True):
    """The answer to Score: a sum, or why there is none."""

    id: int
    logprob: float | None
    error: str | None = None


AnyToWorker = Load | Submit | Cancel | Score
AnyFromWorker = Ready | Unusable | Admitted | Progress | Scored

M = TypeVar("M")


def frame(message: msgspec.Struct) -> bytes:
    """The message, ready to be written."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames(Generic[M]):
    """Takes bytes as they come, and gives the messages that are whole."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[M]:
        """Messages completed by these bytes."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield self._decoder.decode(body)


def worker_frames() -> Frames[AnyToWorker]:
    """For the worker, which hears the engine."""
    return Frames(msgspec.msgpack.Decoder(AnyToWorker))


def engine_frames() -> Frames[AnyFromWorker]:
    """For the engine, which hears the worker."""
    return Frames(msgspec.msgpack.Decoder(AnyFromWorker))
