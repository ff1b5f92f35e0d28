"""From tokens to text: incrementally, and with stop strings cut out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

FREEZE_AT = 96
"""Once so many tokens are open, the older ones are decoded for the last time."""
KEEP_OPEN = 32

Decode = Callable[[Sequence[Sequence[int]]], list[str]]
"""Texts of token sequences, each as it continues other text (a leading space is kept)."""


@dataclass
class Transcript:
    """One completion's text as its tokens come.

    A character can span tokens, so the newest tokens are decoded again with what follows, and a piece is given out
    only when neither a later token nor a stop string can take it back.
    """

    stop: tuple[str, ...] = ()
    text: str = ""
    stopped: bool = False
    _frozen: str = ""
    _open: list[int] = field(default_factory=list)
    _given: int = 0

    @property
    def open_tokens(self) -> Sequence[int]:
        """What has to be decoded after each step."""
        return self._open

    def add(self, token: int) -> None:
        """A token has been generated."""
        self._open.append(token)

    def update(self, decoded: str, decode: Decode) -> None:
        """The open tokens' text is this now."""
        before = len(self.text)
        self.text = self._frozen + decoded
        self._cut_at_stop(max(0, before - max(map(len, self.stop), default=0)))
        if len(self._open) >= FREEZE_AT and not self.stopped:
            self._freeze(decoded, decode)

    def piece(self, final: bool = False) -> str:
        """New text that stays, whatever comes next; with `final`, nothing does."""
        end = len(self.text) if final or self.stopped else len(self.text) - self._uncertain()
        piece = self.text[self._given : end]
        self._given = max(self._given, end)
        return piece

    def _cut_at_stop(self, start: int) -> None:
        found = [at for stop in self.stop if (at := self.text.find(stop, start)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self.stopped = True

    def _uncertain(self) -> int:
        """Characters at the end that may become part of a stop string or of a longer character."""
        broken = len(self.text) - len(self.text.rstrip("\ufffd"))
        return max([broken, *(_overlap(self.text, stop) for stop in self.stop)])

    def _freeze(self, decoded: str, decode: Decode) -> None:
        """Decode no more what lies well behind, where the text splits cleanly there."""
        old, new = self._open[:-KEEP_OPEN], self._open[-KEEP_OPEN:]
        first, second = decode([old, new])
        if first + second == decoded:
            self._frozen += first
            self._open = new


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of the text that begins the stop string."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
