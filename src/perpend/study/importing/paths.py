"""Columns inside rows: dotted paths, and rows with lists spread into one sample each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perpend.study.importing.fields import MAY_BE_LISTS, OF_ONE_SAMPLE

EVERY, NAMES, WHOLE = "*", "@", "."
"""Parts of a path: every value of an object, by name; their names, in the same order; the row itself."""


class Unfit(Exception):  # noqa: N818 (what a row is, not what went wrong)
    """A row that cannot be read as samples; its text says why."""


@dataclass(frozen=True)
class Place:
    """A value, and what is left of the path that leads on from it."""

    value: Any
    rest: Sequence[str] = ()
    found: bool = True


Position = tuple[int, ...]
"""Where in the lists of its row a sample stands, the outermost list first."""


def spread(row: Any, paths: Mapping[str, str]) -> Iterator[tuple[Position, dict[str, Any]]]:
    """Each sample of a row, as a value a field.

    Lists that fields of single samples (`OF_ONE_SAMPLE`) meet on their way are gone through side by side, so that they
    must be equally long; what others meet beside them is gone through too, where it is as long. Everything else holds
    for all samples of the row. Raises Unfit.
    """
    return _spread({field: Place(row, _parts(path)) for field, path in paths.items()}, ())


def has(row: Any, path: str) -> bool:
    """Whether the path leads anywhere in a row."""
    place = _walk(Place(row, _parts(path)))
    if isinstance(place.value, list) and place.rest:
        return any(has(item, ".".join(place.rest)) for item in place.value)
    return place.found


def _spread(places: Mapping[str, Place], position: Position) -> Iterator[tuple[Position, dict[str, Any]]]:
    met = {field: _walk(place) for field, place in places.items()}
    lists = {field: len(place.value) for field, place in met.items() if _is_list(field, place)}
    lengths = {field: length for field, length in lists.items() if _kind(field) in OF_ONE_SAMPLE}
    if not lengths:
        yield position, {field: _leaf(field, place) for field, place in met.items()}
        return
    if len(set(lengths.values())) > 1:
        told = " and ".join(f"{length} of {field}" for field, length in lengths.items())
        raise Unfit(f"its lists are not equally long: {told}")
    (length,) = set(lengths.values())
    along = [field for field in met if lists.get(field) == length]
    for i in range(length):
        inside = {field: Place(met[field].value[i], met[field].rest) for field in along}
        yield from _spread({**met, **inside}, (*position, i))


def _walk(place: Place) -> Place:
    """As far along its path as there are objects."""
    value, rest = place.value, place.rest
    while rest and isinstance(value, dict):
        if rest[0] in (EVERY, NAMES):
            names = sorted(value)
            return Place(names if rest[0] == NAMES else [value[name] for name in names], rest[1:])
        longest = next((n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in value), None)
        if longest is None:
            return Place(None, (), found=False)
        value, rest = value[".".join(rest[:longest])], rest[longest:]
    if rest and not isinstance(value, list):
        return Place(None, (), found=False)
    return Place(value, rest, place.found)


def _parts(path: str) -> list[str]:
    return [] if path == WHOLE else path.split(".")


def _kind(field: str) -> str:
    return field.partition(".")[0]


def _is_list(field: str, place: Place) -> bool:
    """Whether there is something to go through: a chat is one prompt."""
    if not isinstance(place.value, list):
        return False
    chat = field == "prompt" and any(isinstance(turn, dict) and "role" in turn for turn in place.value)
    return bool(place.rest) or not chat


def _leaf(field: str, place: Place) -> Any:
    if isinstance(place.value, list) and (place.rest or _kind(field) not in MAY_BE_LISTS):
        raise Unfit(f"its {field} is a list of {len(place.value)} where one value is needed")
    return place.value
