"""Names to things: one grammar for strategies, engines, verifiers and tasks, and one registry for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from perpend.core.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A parsed name: `best_of_n(n=16, verifier=prm)`, `jsonl:FILE`, `embedded`.

    Attributes:
        name: what comes first.
        target: after a colon (a file, an address, a model), None without one.
        options: in parentheses.
    """

    name: str
    target: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def parse_call(text: str) -> Call:
    """Read `name`, `name(option=value, …)` or `name:target`. Raises ConfigError."""
    match = re.fullmatch(r"\s*([A-Za-z_][\w-]*)\s*(?:\((.*)\)|:(.+))?\s*", text, re.DOTALL)
    if match is None:
        raise ConfigError(f"{text!r} is not a name.", "Write NAME, NAME(option=value) or NAME:TARGET.")
    name, inside, target = match.groups()
    options: dict[str, str] = {}
    for part in split_top_level(inside or ""):
        option, equals, value = part.partition("=")
        if not equals or not option.strip().isidentifier():
            raise ConfigError(f"{part.strip()!r} in {text!r} is not an option.", "Write option=value.")
        options[option.strip()] = value.strip().strip("'\"")
    return Call(name, target, options)


def split_top_level(text: str) -> list[str]:
    """Split at commas that are not inside parentheses: "a,b(c=1,d=2)" gives two parts."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


class Registry(Generic[T]):
    """The things of one kind, by name; built-in ones are imported when first asked for.

    Args:
        kind: what one of them is called.
        builtin: name → "module:attribute".
        group: the entry-point group through which others add theirs.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self.kind = kind
        self._group = group
        self._builtin = builtin

    def names(self) -> list[str]:
        """All names, ours first."""
        return [*self._builtin, *sorted(self._others())]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in self.names():
            yield name, self.load(name)

    def load(self, name: str) -> Any:
        """The class or factory behind a name. Raises ConfigError."""
        if name in self._builtin:
            module, _, attribute = self._builtin[name].partition(":")
            return getattr(import_module(module), attribute)
        others = self._others()
        if name in others:
            return others[name].load()
        raise ConfigError(f"There is no {self.kind} {name!r}.", f"Known: {', '.join(self.names())}.")

    def build(self, text: str, **defaults: Any) -> T:
        """Make one from its string; `defaults` fill what the string leaves open and the factory takes.

        The target after a colon goes to the factory's first parameter. Raises ConfigError.
        """
        call = parse_call(text)
        factory = self.load(call.name)
        parameters = signature(factory).parameters
        hints = get_type_hints(getattr(factory, "__init__") if isinstance(factory, type) else factory)  # noqa: B009
        values = {name: value for name, value in defaults.items() if name in parameters}
        given: dict[str, str] = dict(call.options)
        if call.target is not None:
            if not parameters:
                raise ConfigError(f"{self.kind.capitalize()} {call.name!r} takes nothing after a colon.")
            given[next(iter(parameters))] = call.target
        for name, value in given.items():
            if name not in parameters:
                known = ", ".join(parameters) or "none"
                raise ConfigError(f"{self.kind.capitalize()} {call.name!r} has no option {name!r}.", f"Known: {known}.")
            try:
                values[name] = TypeAdapter(hints.get(name, str)).validate_python(value)
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise ConfigError(
                    f"{self.kind.capitalize()} {call.name!r}: {name}={value!r} does not fit: {reason}."
                ) from None
        required = [n for n, p in parameters.items() if p.default is p.empty and n not in values]
        if required:
            raise ConfigError(
                f"{self.kind.capitalize()} {call.name!r} needs {required[0]!r}.",
                f"Write {call.name}:{required[0].upper()}.",
            )
        made: T = factory(**values)
        return made

    def _others(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=self._group)}
