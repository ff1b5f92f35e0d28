"""A reply put together from the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from perpend.core import Delta
from perpend.engines.openai.failures import Loss, Lost, Refused
from perpend.engines.openai.wire import (
    Choice,
    Logprobs,
    Message,
    Reply,
    TokenLogprob,
    TokenUsage,
    known_usage,
    read_reply,
)


@dataclass
class Piece:
    """What one event adds to a choice.

    Attributes:
        thought, said: text.
        tokens: with their log-probabilities.
        again: the event was, byte for byte, the one before.
    """

    thought: str
    said: str
    tokens: list[TokenLogprob]
    again: bool = False


@dataclass
class Growing:
    """A choice that is being streamed."""

    pieces: list[Piece] = field(default_factory=list)
    finish: str | None = None

    def choice(self, index: int, chat: bool) -> Choice:
        """As if it had come whole."""
        said = "".join(p.said for p in self.pieces)
        thought = "".join(p.thought for p in self.pieces)
        tokens = [token for piece in self.pieces for token in piece.tokens]
        return Choice(
            index=index,
            finish_reason=self.finish,
            message=Message(content=said, reasoning_content=thought or None) if chat else None,
            text=None if chat else said,
            logprobs=Logprobs(content=tokens) if tokens else None,
            pieces=len(self.pieces),
        )


class Assembly:
    """Reads the events of one stream.

    An event that repeats the one before it byte for byte is either a token said twice or an event sent twice. It is
    taken for the latter where its log-probabilities could not honestly be the same (they are not 0), and, at the end,
    where there are more pieces of text than the server counted tokens.

    Args:
        chat: the stream is a chat's.
    """

    def __init__(self, chat: bool) -> None:
        self._chat = chat
        self._growing: dict[int, Growing] = {}
        self._usage: TokenUsage | None = None
        self._last = b""
        self._fingerprint: str | None = None
        self._whole: Reply | None = None

    @property
    def begun(self) -> bool:
        """Whether any text has arrived."""
        return any(growing.pieces for growing in self._growing.values())

    def read(self, event: bytes) -> Iterator[Delta]:
        """Take one event in, and say what text it brought. Raises Lost, and Refused: before any text, so at no cost."""
        try:
            reply = read_reply(event)
        except Refused as refusal:
            if self.begun:
                raise Lost(Loss.ABORTED, str(refusal)) from None
            raise
        self._usage = reply.usage or self._usage
        self._fingerprint = reply.system_fingerprint or self._fingerprint
        again, self._last = event == self._last, event
        for choice in reply.choices or []:
            if choice is None:
                raise Lost(Loss.NULL)
            if choice.message is not None:
                self._whole = reply  # it does not stream, though asked to
                return
            yield from self._grow(choice, again)

    def reply(self) -> Reply:
        """All of it. Raises Lost where text came twice and nobody can tell which."""
        if self._whole is not None:
            return self._whole
        self._drop_repeated()
        choices: list[Choice | None] = [g.choice(i, self._chat) for i, g in sorted(self._growing.items())]
        return Reply(choices, self._usage, system_fingerprint=self._fingerprint)

    def finished(self) -> Reply:
        """The choices that were whole before the stream broke, without its usage; none that may hold text twice."""
        whole = {
            index: growing
            for index, growing in self._growing.items()
            if growing.finish is not None and not any(piece.again for piece in growing.pieces)
        }
        choices: list[Choice | None] = [growing.choice(i, self._chat) for i, growing in sorted(whole.items())]
        return Reply(choices, system_fingerprint=self._fingerprint)

    def _grow(self, choice: Choice, again: bool) -> Iterator[Delta]:
        growing = self._growing.setdefault(choice.index, Growing())
        growing.finish = choice.finish_reason or growing.finish
        delta = choice.delta or Message(content=choice.text)
        piece = Piece(delta.thought, delta.said or "", choice.tokens, again)
        if again and any(token.logprob for token in piece.tokens):
            return
        if piece.thought or piece.said:
            growing.pieces.append(piece)
            yield Delta(choice.index, piece.thought + piece.said, len(piece.tokens) or 1)
        elif piece.tokens:  # the token that ends the text, or a part of a character
            growing.pieces.append(piece)

    def _drop_repeated(self) -> None:
        """Where there are more pieces than tokens, those that repeat the one before were sent twice."""
        usage = known_usage(self._usage)
        if usage is None:
            return
        every = [piece for growing in self._growing.values() for piece in growing.pieces]
        excess, repeated = len(every) - usage.completion, sum(piece.again for piece in every)
        if not 0 < excess <= repeated:  # fewer pieces than tokens are usual; many more, a server that cuts tokens up
            return
        if excess < repeated:
            raise Lost(Loss.MALFORMED, f"{len(every)} pieces of text for {usage.completion} tokens", usage=usage)
        for growing in self._growing.values():
            growing.pieces = [piece for piece in growing.pieces if not piece.again]
