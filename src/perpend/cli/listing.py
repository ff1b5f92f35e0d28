"""`perpend list`: the strategies, verifiers, engines and tasks that a name can stand for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from inspect import Parameter, getdoc, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perpend.cli.options import Debug, Json
from perpend.cli.output import emit, out, verb

if TYPE_CHECKING:
    from perpend.core import Registry


class Kind(StrEnum):
    """What can be listed."""

    STRATEGIES = "strategies"
    VERIFIERS = "verifiers"
    ENGINES = "engines"
    TASKS = "tasks"


@dataclass(frozen=True)
class Entry:
    """One name, what it stands for, and its options with their defaults (None: it must be given).

    An oracle needs the right answer, so that it can grade or show a ceiling, and cannot be deployed.
    """

    name: str
    description: str
    options: dict[str, str | None] = field(default_factory=dict)
    oracle: bool = False

    @property
    def usage(self) -> str:
        """How it is written, options left at their defaults included."""
        given = [option if default is None else f"{option}={default}" for option, default in self.options.items()]
        return ", ".join(given)


@verb()
def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List what a name can stand for, each with its options and their defaults."""
    entries = entries_of(registry_of(kind))
    if as_json:
        emit([asdict(entry) for entry in entries])
    else:
        _draw(kind, entries)


def registry_of(kind: Kind) -> Registry[Any]:
    """The registry of a kind."""
    from perpend.engines import ENGINES
    from perpend.strategies import STRATEGIES
    from perpend.tasks import TASKS
    from perpend.verifiers import VERIFIERS

    registries: dict[Kind, Registry[Any]] = {
        Kind.STRATEGIES: STRATEGIES,
        Kind.VERIFIERS: VERIFIERS,
        Kind.ENGINES: ENGINES,
        Kind.TASKS: TASKS,
    }
    return registries[kind]


def entries_of(registry: Registry[Any]) -> list[Entry]:
    """Every name of a registry; one that cannot be imported here says why."""
    return [_entry(registry, name) for name in registry.names()]


def _entry(registry: Registry[Any], name: str) -> Entry:
    try:
        factory = registry.load(name)
    except ImportError as error:
        return Entry(name, f"not usable here: {error}")
    doc = (getdoc(factory) or "").strip()
    options = {p.name: _default(p) for p in signature(factory).parameters.values() if _is_option(p)}
    return Entry(name, " ".join(doc.split("\n\n")[0].split()), options, oracle=getattr(factory, "oracle", False))


GIVEN_BY_THE_STUDY = ("task", "name", "reproducible", "source", "study_folder", "key")
"""Parameters that no one writes in a string."""


def _is_option(parameter: Parameter) -> bool:
    named = parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return named and parameter.name not in GIVEN_BY_THE_STUDY


def _default(parameter: Parameter) -> str | None:
    return None if parameter.default is Parameter.empty else str(parameter.default)


def _draw(kind: Kind, entries: list[Entry]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(ratio=1)
    for entry in entries:
        options = Text(f"\n{entry.usage}", style="dim") if entry.options else Text()
        mark = Text("\noracle: needs the right answer, so it cannot be deployed", "yellow") if entry.oracle else Text()
        table.add_row(entry.name, Text(entry.description) + options + mark)
    console = out()
    console.print(table)
    console.print(Text(f"Written {EXAMPLES[kind]}"), style="dim")


EXAMPLES = {
    Kind.STRATEGIES: "NAME or NAME(option=value, …): --strategies 'greedy, majority, best_of_n(verifier=check)'",
    Kind.VERIFIERS: "as a strategy's option: best_of_n(verifier=NAME), or verifier=FILE.py:FUNCTION for your own",
    Kind.ENGINES: "NAME or NAME:TARGET: --engine embedded:model.gguf, --engine replay:runs/quickstart",
    Kind.TASKS: "NAME, NAME(option=value, …) or NAME:FILE: --task 'arithmetic(difficulty=2)', --task jsonl:mine.jsonl",
}
