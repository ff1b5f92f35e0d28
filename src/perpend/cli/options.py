"""Flags that more than one verb has. Each has an environment variable: PERPEND_ and its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

SAMPLING = "Sampling"
LIMITS = "Limits"
OUTPUT = "Output"


def flag(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:
    """A typer option whose environment variable is PERPEND_ and its long name."""
    long = names[0].split("/")[0]
    env = "PERPEND_" + long.removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, help=help, envvar=env, rich_help_panel=panel, **more)


def names_of(kind: str) -> Callable[[str], list[str]]:
    """What the shell completes: the names of a kind that begin as the user did."""

    def complete(incomplete: str) -> list[str]:
        from perpend.cli.listing import Kind, registry_of

        *before, last = incomplete.split(",")
        known = registry_of(Kind(kind)).names()
        return [",".join([*before, name]) for name in known if name.startswith(last.strip())]

    return complete


Json = Annotated[
    bool,
    flag(
        "--json",
        help="Print one JSON value on stdout (also of an error), and nothing else; progress on stderr as JSON lines.",
        panel=OUTPUT,
    ),
]
Debug = Annotated[bool, flag("--debug", help="Show the traceback of an error.", panel=OUTPUT)]
Yes = Annotated[
    bool,
    flag("--yes", "-y", help="Answer every question with yes (fetch the model, spend without a cap).", panel=OUTPUT),
]
Seed = Annotated[int | None, flag("--seed", help="Of every sample. [default: 0]", panel=SAMPLING)]
Temperature = Annotated[
    float | None,
    flag("--temperature", min=0.0, help="Of sampling. [default: what suits the task, mostly 0.7]", panel=SAMPLING),
]
TopP = Annotated[
    float | None, flag("--top-p", min=0.0, max=1.0, help="Nucleus sampling. [default: 1, off]", panel=SAMPLING)
]
MaxTokens = Annotated[
    int | None,
    flag("--max-tokens", min=1, help="The most tokens of a completion. [default: what suits the task]", panel=SAMPLING),
]
ThinkingTokens = Annotated[
    int | None,
    flag(
        "--thinking-tokens",
        min=1,
        help="The most tokens of thinking, where the engine can bound it. [default: the model's own]",
        panel=SAMPLING,
    ),
]
Logprobs = Annotated[
    int | None,
    flag(
        "--logprobs",
        min=0,
        help="Keep the log-probabilities of so many of the most likely tokens, too. [default: 0, each token's own]",
        panel=SAMPLING,
    ),
]
System = Annotated[str | None, flag("--system", help="A system message, for chat prompts.", panel=SAMPLING)]
Prices = Annotated[
    list[str] | None,
    flag(
        "--price",
        help="Dollars per million tokens: IN,CACHED,OUT, for one engine NAME=IN,CACHED,OUT, or a price file (.toml, "
        ".json). Repeats. [default: known for hosted models]",
        panel=LIMITS,
    ),
]
Hourly = Annotated[
    float | None, flag("--hourly", min=0.0, help="Dollars an hour that a local machine costs.", panel=LIMITS)
]
Folder = Annotated[Path, typer.Argument(help="A study's folder.", show_default=False)]
