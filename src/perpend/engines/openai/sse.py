"""Server-sent events: bytes in, the data of events out."""

from __future__ import annotations

from collections.abc import Iterator

from perpend.engines.openai.failures import Loss, Lost

LONGEST_EVENT = 16 * 2**20
BOM = b"\xef\xbb\xbf"


class Events:
    """Cuts a stream into events. It works on bytes, so a character that is split between packets stays whole.

    Comments and fields other than `data` and `id` are passed over, as are events that have the id of the last one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._id = b""
        self._last_id = b""
        self._began = False

    def feed(self, packet: bytes) -> Iterator[bytes]:
        """The data of the events that the packet completes. Raises Lost where one has no end."""
        lines = (self._rest + packet).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_EVENT:
            raise Lost(Loss.MALFORMED, "an event without an end")
        for line in lines:
            yield from self._line(line.rstrip(b"\r"))

    def end(self) -> Iterator[bytes]:
        """The data of an event that the stream ended in the middle of; it may be whole but for its empty line."""
        yield from self._line(self._rest.rstrip(b"\r"))
        yield from self._line(b"")
        self._rest = b""

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not self._began:
            line, self._began = line.removeprefix(BOM), True
        if line:
            self._field(line)
        elif self._data:
            data, self._data = b"\n".join(self._data), []
            if not self._id or self._id != self._last_id:
                yield data
            self._last_id, self._id = self._id, b""

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id":
            self._id = value
