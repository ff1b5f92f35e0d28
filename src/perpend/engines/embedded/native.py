"""What native errors say."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The message of a native error, without the place in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Exception from", "Check ")) and "/src/" not in line]
    return (said or lines or [type(error).__name__])[0]
