"""The API key: it comes from the environment, and goes into one header and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping

from perpend.core import ConfigError

VARIABLES = ("PERPEND_API_KEY", "OPENAI_API_KEY")
SHORTEST_SECRET = 8
"""Shorter keys are placeholders ("none", "EMPTY"); looking for them in texts would garble those."""


class Secret:
    """A key that does not show itself.

    Args:
        value: the key; empty for none.
    """

    def __init__(self, value: str = "") -> None:
        self._value = value.strip()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Secret:
        """The first of `PERPEND_API_KEY` and `OPENAI_API_KEY` that is set. Raises ConfigError for what is no key."""
        name = next((name for name in VARIABLES if environment.get(name)), None)
        value = "" if name is None else environment[name].strip()
        if not value.isprintable():
            raise ConfigError(f"{name} holds a line break or another control character.", "Set it to the key alone.")
        return cls(value)

    def __repr__(self) -> str:
        return "Secret(…)" if self._value else "Secret()"

    def headers(self) -> dict[str, str]:
        """The header that carries it."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def scrub_bytes(self, body: bytes) -> bytes:
        """The same for a reply as it came."""
        value = self._value.encode()
        return body.replace(value, b"[API key]") if len(value) >= SHORTEST_SECRET and value in body else body

    def scrub(self, text: str) -> str:
        """A text that a server sent, without the key, should the server have put it there."""
        if len(self._value) < SHORTEST_SECRET or self._value not in text:
            return text
        return text.replace(self._value, "[API key]")
