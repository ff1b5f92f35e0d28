"""What can go wrong, sorted by what a user can do about it."""

from __future__ import annotations

from perpend.core.charge import Usage


class PerpendError(Exception):
    """Base of every error that perpend raises on purpose.

    Args:
        message: one sentence that says what is wrong, and where.
        remedy: one sentence that says what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(PerpendError):
    """A setting, flag, name or file that the user gave cannot be used."""


class TaskError(PerpendError):
    """A task's problems cannot be read or rendered."""


class EngineError(PerpendError):
    """An engine cannot be started, or stopped working for good.

    Args:
        usage: what the call cost that ended like this, None where nobody knows.
    """

    def __init__(self, message: str, remedy: str = "", *, usage: Usage | None = None) -> None:
        super().__init__(message, remedy)
        self.usage = usage


class RequestFailed(EngineError):  # noqa: N818 (named for what happened, as the field does)
    """One request cannot be answered, while the engine works on; it costs its problem a sample and nothing else."""


class CallLost(RequestFailed):
    """A call broke after it was sent, so that it may have cost all that was reserved for it.

    Args:
        retry_seconds: until the caller may send it again, under a new reservation; None: it will not be answered.
        usage: as for every EngineError.
    """

    def __init__(
        self, message: str, remedy: str = "", *, retry_seconds: float | None = None, usage: Usage | None = None
    ) -> None:
        super().__init__(message, remedy, usage=usage)
        self.retry_seconds = retry_seconds


class SamplesExhausted(EngineError):  # noqa: N818 (named for what happened)
    """A recording has fewer samples of a problem than of others, and no more are to be had; nothing was paid."""


class VerifierError(PerpendError):
    """A verifier cannot score."""


class StoreError(PerpendError):
    """A study's folder cannot be read, written or extended."""
