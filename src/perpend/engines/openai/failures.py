"""What can go wrong with one HTTP call, sorted by what it may have cost."""

from __future__ import annotations

import random
import re
import time
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import msgspec

from perpend.core import EngineError, Usage

OVERFLOW = re.compile(
    r"context[ _](length|size|window)|maximum context|exceed_context|prompt is too long|too many tokens"
    r"|longer than the (model's )?max|input (length|is too long)|max_model_len",
    re.IGNORECASE,
)
SHOWN_CHARACTERS = 300
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 20.0
LONGEST_ASKED_PAUSE = 600.0


class Loss(StrEnum):
    """Why a call that was sent brought nothing."""

    STATUS = "5xx"
    """The server failed, and said so."""
    DROPPED = "dropped"
    """The connection ended before the reply did."""
    LATE = "timed out"
    """A time-out of ours ended it."""
    CUT = "cut"
    """The reply ended without saying why."""
    MALFORMED = "malformed"
    """The reply is not what the protocol says."""
    EMPTY = "empty"
    """There was nothing in it."""
    NULL = "null"
    """It says null where an answer should be."""
    ABORTED = "aborted"
    """The server gave it up."""


class Cut(Exception):  # noqa: N818 (named for what happened)
    """The caller has cancelled the request."""


class NotSent(Exception):  # noqa: N818
    """No connection came about: the call cost nothing."""


class Refused(Exception):  # noqa: N818
    """The server answered with a status below 500 that is no success: the call cost nothing.

    Args:
        status: of HTTP.
        message: the server's own words.
        code: its name for the error, and its type.
        retry_after: seconds that it asks for, None where it does not.
    """

    def __init__(self, status: int, message: str, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.message = message
        self.code = code
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered later."""
        quota = "insufficient_quota" in self.code or "billing" in self.code
        return self.status in (408, 409, 425, 429) and not quota

    @property
    def overflow(self) -> bool:
        """Whether prompt and completion are too long for the model."""
        return self.status == 413 or (
            self.status in (400, 422) and bool(OVERFLOW.search(f"{self.code} {self.message}"))
        )

    @property
    def filtered(self) -> bool:
        """Whether the prompt was withheld from the model."""
        return self.status == 400 and "content_filter" in self.code


class Rejected(EngineError):  # noqa: N818
    """The server objects to what a request asks for, before it has answered any: it may not be able to do that."""


class Lost(Exception):  # noqa: N818
    """The call was sent and brought nothing that is of use; it may have cost all that it could.

    Args:
        kind: why.
        message: the details.
        retry_after: seconds that the server asks for.
        usage: what the server says it cost, None where it does not.
    """

    def __init__(
        self, kind: Loss, message: str = "", retry_after: float | None = None, usage: Usage | None = None
    ) -> None:
        super().__init__(f"{kind.value}: {message}" if message else kind.value)
        self.kind = kind
        self.retry_after = retry_after
        self.usage = usage


def of_status(status: int, body: bytes, retry_after: str | None) -> Refused | Lost:
    """The failure that a status other than 200 stands for."""
    message, code, _ = read_error(body)
    pause = seconds_to_wait(retry_after)
    if status >= 500:
        return Lost(Loss.STATUS, f"HTTP {status} {message}".strip(), pause)
    return Refused(status, message, code, pause)


def of_error(error: object) -> Refused | Lost:
    """The failure that an error inside a reply with status 200 stands for."""
    message, code, status = describe(error)
    return Refused(status, message, code) if 400 <= status < 500 else Lost(Loss.STATUS, message)


def final(refusal: Refused, url: str, model: str) -> EngineError:
    """What a refusal that no other request would escape means for the study; the call cost nothing."""
    said = f" It says: {refusal.message}" if refusal.message else ""
    if refusal.status in (401, 403):
        return EngineError(
            f"{url} does not accept the API key (HTTP {refusal.status}).{said}",
            f"Set PERPEND_API_KEY or OPENAI_API_KEY to one that may use {model}.",
            usage=Usage(),
        )
    if refusal.status == 404:
        return EngineError(
            f"{url} has no model {model}, or is not the address of an API (HTTP 404).{said}",
            "Write openai:URL#MODEL, with the URL up to /v1.",
            usage=Usage(),
        )
    if refusal.status in (402, 429):
        said = f"The quota at {url} is used up (HTTP {refusal.status}).{said}"
        return EngineError(said, "Raise it, and go on.", usage=Usage())
    if 300 <= refusal.status < 400:
        return EngineError(
            f"{url} redirects elsewhere (HTTP {refusal.status}).", "Write the address that it leads to.", usage=Usage()
        )
    kind = Rejected if refusal.status in (400, 422) else EngineError
    said = f"{url} rejects the request (HTTP {refusal.status}).{said}"
    return kind(said, "Change what it objects to.", usage=Usage())


def read_error(body: bytes) -> tuple[str, str, int]:
    """The message, code and status in an error's body, whatever its form."""
    try:
        return describe(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return " ".join(body.decode(errors="replace").split())[:SHOWN_CHARACTERS], "", 0


def describe(error: Any) -> tuple[str, str, int]:
    """The message, code and status of an error that has been decoded: servers differ in how they nest them."""
    if isinstance(error, dict):
        inner = error.get("error")
        if isinstance(inner, dict | str):
            return describe(inner)
        message = error.get("message") or error.get("detail") or ""
        names = [error.get("code"), error.get("type"), error.get("object")]
        code = " ".join(str(name) for name in names if name is not None)
        status = error.get("code")
        return _short(message), code, status if isinstance(status, int) else 0
    return _short(error), "", 0


def seconds_to_wait(header: str | None) -> float | None:
    """`Retry-After` in seconds: a number, or a date of HTTP; None without one that can be read."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_ASKED_PAUSE) if seconds == seconds else None


def pause_before_retry(failed: int, asked: float | None, rng: random.Random) -> float:
    """Seconds before the next try, after so many failed: what the server asks for, else doubling; with jitter."""
    if asked is not None:
        return asked * rng.uniform(1.0, 1.1)
    return rng.uniform(0.5, 1.0) * min(FIRST_PAUSE * 2.0 ** min(failed - 1, 16), LONGEST_PAUSE)


def _short(value: object) -> str:
    return " ".join(str(value).split())[:SHOWN_CHARACTERS]
