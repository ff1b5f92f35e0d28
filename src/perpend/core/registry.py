"""Names to things: one grammar for strategies, engines, verifiers and tasks, and one registry for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

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
        if option.strip() in options:
            raise ConfigError(f"{text!r} sets {option.strip()} twice.", "Set it once.")
        options[option.strip()] = _unquoted(value)
    return Call(name, target, options)


def split_top_level(text: str) -> list[str]:
    """Split at commas that are not inside parentheses or quotes: "a,b(c=1,d=2)" gives two parts. Raises ConfigError."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        else:
            depth += (char == "(") - (char == ")")
        if depth < 0:
            break
        if char == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    if depth or quote:
        raise ConfigError(f"{text!r} has a parenthesis or a quotation mark without its partner.", "Close or remove it.")
    return [part.strip() for part in parts if part.strip()]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


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
        given: dict[str, str] = dict(call.options)
        if call.target is not None:
            if not parameters:
                raise ConfigError(f"{self._named(call)} takes nothing after a colon.", f"Write {call.name}.")
            given[next(iter(parameters))] = call.target
        values = {name: value for name, value in defaults.items() if name in parameters}
        values |= {name: self._value(call, factory, name, text) for name, text in given.items()}
        required = [n for n, p in parameters.items() if p.default is p.empty and n not in values]
        if required:
            raise ConfigError(f"{self._named(call)} needs {required[0]!r}.", _write(call, parameters, required[0]))
        made: T = factory(**values)
        return made

    def _value(self, call: Call, factory: Any, name: str, text: str) -> Any:
        """An option's text as the type that the factory wants."""
        parameters = signature(factory).parameters
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise ConfigError(f"{self._named(call)} has no option {name!r}.", f"Known: {known}.")
        hints = get_type_hints(getattr(factory, "__init__") if isinstance(factory, type) else factory)  # noqa: B009
        try:
            return TypeAdapter(hints.get(name, str)).validate_python(text)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ConfigError(f"{self._named(call)}: {name}={text!r} does not fit: {reason}.") from None
        except PydanticSchemaGenerationError:
            raise ConfigError(f"{self._named(call)}: {name} cannot be given as text.", "Leave it out.") from None

    def _named(self, call: Call) -> str:
        return f"{self.kind.capitalize()} {call.name!r}"

    def _others(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=self._group)}


def _write(call: Call, parameters: Mapping[str, Parameter], name: str) -> str:
    """How to give what is missing: the first parameter may come after a colon, alone."""
    if name == next(iter(parameters)) and not call.options:
        return f"Write {call.name}:{name.upper()}."
    return f"Write {call.name}({name}=…)."
