"""Names that the user wrote, checked before any work starts, with the closest one suggested."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perpend.core import Registry

PLURALS = {"strategy": "strategies", "verifier": "verifiers", "engine": "engines", "task": "tasks"}


def check_name(registry: Registry[Any], text: str) -> None:
    """Raise ConfigError where `text` names nothing in the registry, or an option that the thing does not take."""
    from perpend.core import ConfigError, parse_call

    call, kind = parse_call(text), registry.kind
    if call.name not in registry.names():
        see = f"`perpend list {PLURALS[kind]}` shows all."
        raise ConfigError(f"There is no {kind} {call.name!r}.", f"{suggestion(call.name, registry.names())}{see}")
    known = signature(registry.load(call.name)).parameters if call.options else {}
    for option in call.options:
        if option not in known:
            hint = suggestion(option, known)
            remedy = f"{hint}It takes: {', '.join(known) or 'no options'}."
            raise ConfigError(f"{kind.capitalize()} {call.name!r} has no option {option!r}.", remedy)


def suggestion(name: str, known: Iterable[str]) -> str:
    """A sentence with the closest of the known names, or nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}? " if close else ""
