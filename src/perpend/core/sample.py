"""What comes back from an engine, and what a strategy sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from perpend.core.charge import Usage


class Finish(StrEnum):
    """Why a completion ended."""

    STOP = "stop"
    """The model ended it, or a stop string did."""
    LENGTH = "length"
    """It reached `max_tokens`; whatever answer it holds is not taken."""
    CANCELLED = "cancelled"
    """Nobody wanted the rest."""
    FILTERED = "filtered"
    """The server withheld it."""
    FAILED = "failed"
    """The request cannot be answered (context overflow, a crash of its own); the text is empty."""


class Likely(NamedTuple):
    """A token that might have come in another's place: its text and log-probability."""

    text: str
    logprob: float


class Token(NamedTuple):
    """One generated token: its id, the log-probability it had under temperature 1, and the most likely ones there."""

    id: int
    logprob: float
    top: tuple[Likely, ...] = ()


class Probe(NamedTuple):
    """An answer forced before a trace had ended.

    Attributes:
        answer: None where none was given.
        key: its canonical form, None never votes.
        tokens: what the probe generated, None where that was not recorded.
    """

    answer: str | None
    key: str | None
    tokens: int | None = None


@dataclass(frozen=True)
class Delta:
    """A piece of a completion as it is generated."""

    choice: int
    text: str
    tokens: int


@dataclass(frozen=True)
class Completion:
    """What an engine knows of a finished completion.

    Attributes:
        choice: which of the request's n it is.
        text: without the prefix and the stop string.
        finish: why it ended.
        usage: tokens; a request's prompt is counted with its first choice.
        logprob: the sum over its tokens, None where not asked for or not known.
        tokens: each token, where log-probabilities were asked for.
        started, ended: Unix seconds, from when the engine admitted the request (queueing left out).
        device_seconds: its share of the engine's time (each step's time split over the rows it ran), None if unknown.
        error: what went wrong, where finish is FAILED.
        estimated: the engine was not told the usage: it is a guess, and the call is charged at its reservation.
        recorded: the whole sample that it plays again, whose answer and probes stand as they were taken then.
    """

    choice: int
    text: str
    finish: Finish
    usage: Usage
    logprob: float | None = None
    tokens: tuple[Token, ...] | None = None
    started: float = 0.0
    ended: float = 0.0
    device_seconds: float | None = None
    error: str | None = None
    estimated: bool = False
    recorded: Sample | None = None


class Generation:
    """A request being answered: iterate it for deltas and completions.

    `cancel()` ends it early; the iteration then ends with a CANCELLED completion that holds what had been
    generated. (Closing a bare async iterator could not hand that over, and those tokens are kept and charged.)
    """

    def __init__(self, stream: AsyncIterator[Delta | Completion], cancel: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self.cancel = cancel

    def __aiter__(self) -> AsyncIterator[Delta | Completion]:
        return self._stream


def after_thinking(text: str) -> str:
    """The part of a text in which an answer may be looked for: what follows its `<think>` … `</think>`, if it has any.

    Where the thinking has no end there is no answer.
    """
    _, closed, said = text.rpartition("</think>")
    return "" if not closed and text.lstrip().startswith("<think>") else said


@dataclass(frozen=True)
class Sample:
    """One completion of one problem, as strategies, verifiers and the store see it.

    Attributes:
        problem: the problem's id.
        pool: what its text depends on, as a digest; with `index` it names the sample.
        index: counts equal requests within one strategy's run of one problem.
        engine: the engine's name in the study.
        text: what the model wrote.
        answer: as extracted by the task; None where there is none, or it was truncated.
        key: the answer's canonical form, which votes compare; None never votes.
        finish: why it ended.
        usage: tokens.
        logprob: the sum over its tokens.
        tokens: each token with its log-probability.
        parent: the prefix that it continues, as a digest; None for whole completions.
        probes: answers forced along the trace, by tokens read.
        started, ended: Unix seconds.
        device_seconds: its share of the engine's time.
        error: what went wrong, where finish is FAILED.
        queued_seconds: from when it was wanted to when it was there, without its working time: waiting for room in
            the budget, for a turn at the engine, and for calls that brought nothing.
        retries: calls for it that were lost, and made again.
        choice: which of the samples of one call it is, so that it cannot be drawn again alone; None: it came alone.
        estimated: as of a completion: its usage is a guess, and it is charged at its reservation.
    """

    problem: str
    pool: str
    index: int
    engine: str
    text: str
    answer: str | None
    key: str | None
    finish: Finish
    usage: Usage
    logprob: float | None = None
    tokens: tuple[Token, ...] | None = None
    parent: str | None = None
    probes: Mapping[int, Probe] = field(default_factory=dict)
    started: float = 0.0
    ended: float = 0.0
    device_seconds: float | None = None
    error: str | None = None
    queued_seconds: float = 0.0
    retries: int = 0
    choice: int | None = None
    estimated: bool = False

    def with_more(self, piece: Sample) -> Sample:
        """This beginning and the piece that continues it, as one; its answer is the piece's, which knows the whole."""
        return replace(
            self,
            text=self.text + piece.text,
            answer=piece.answer,
            key=piece.key,
            finish=piece.finish,
            usage=replace(
                self.usage,
                completion=self.usage.completion + piece.usage.completion,
                reasoning=self.usage.reasoning + piece.usage.reasoning,
            ),
            logprob=None if self.logprob is None or piece.logprob is None else self.logprob + piece.logprob,
            tokens=None if self.tokens is None or piece.tokens is None else self.tokens + piece.tokens,
            ended=self.ended + piece.seconds,
            device_seconds=(
                None
                if self.device_seconds is None or piece.device_seconds is None
                else self.device_seconds + piece.device_seconds
            ),
            error=piece.error,
            estimated=self.estimated or piece.estimated,
        )

    @property
    def billed(self) -> Usage:
        """The tokens that its call bills for it: the prompt comes with the first choice."""
        return replace(self.usage, prompt=0, cached=0) if self.choice else self.usage

    @property
    def seconds(self) -> float:
        """Working time: from admission to the last token; queueing and retries are left out."""
        return self.ended - self.started
