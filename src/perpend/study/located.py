"""Where a user's words for a folder lead: to a folder, or to an example that ships with the package."""

from __future__ import annotations

from pathlib import Path

from perpend.study.importing.examples import EXAMPLE, unpacked


def located(place: str) -> Path:
    """The folder; that of `example:NAME` is unpacked where it is not yet. Raises ConfigError, StoreError."""
    return unpacked(place.removeprefix(EXAMPLE)) if place.startswith(EXAMPLE) else Path(place)


def located_call(use: str) -> str:
    """A task's or engine's string with the example that it names, if it names one, by its folder."""
    name, colon, target = use.partition(":")
    if not target.startswith(EXAMPLE):
        return use
    place, mark, rest = target.partition("#")
    return f"{name}{colon}{located(place)}{mark}{rest}"
