"""Which price holds for an engine: what the user said of it, what a price file says, or what is publicly known."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perpend.core import ConfigError, Price, parse_call
from perpend.economics.known import known_price
from perpend.economics.prices import Quote, parse_price, quoted

ENDPOINT = "openai"
BY_THE_HOUR = ("embedded", "vllm")
"""Engines that cost this machine's time, unless a price is given for them by name."""
HOW = (
    "Write IN,CACHED,OUT in dollars per million tokens, NAME=IN,CACHED,OUT for one engine, or the name of a price file "
    "(.toml or .json)."
)
ENTRY = 'Write model = "IN,CACHED,OUT", or model = {input = …, cached = …, output = …}, per million tokens.'


@dataclass
class PriceBook:
    """What the user said of prices.

    Attributes:
        by_name: engine name → its price.
        by_model: model, or URL#MODEL → its price, from files.
        general: of every engine that nothing else is said of and that is not paid by the hour.
    """

    by_name: dict[str, Quote] = field(default_factory=dict)
    by_model: dict[str, Quote] = field(default_factory=dict)
    general: Quote | None = None

    @classmethod
    def of(cls, said: Iterable[str]) -> PriceBook:
        """Read what `--price` was given: "IN,CACHED,OUT", "NAME=IN,CACHED,OUT" or a file, each. Raises ConfigError."""
        book = cls()
        for text in said:
            name, equals, price = text.partition("=")
            if equals and name.strip().replace("-", "_").isidentifier():
                book.by_name[name.strip()] = quoted(parse_price(price), "as given")
            elif text.strip().lower().endswith((".toml", ".json")):
                book.by_model |= read_price_file(Path(text.strip()))
            else:
                book.general = quoted(_price(text), "as given")
        return book

    def quote(self, name: str, use: str, own: str | None = None) -> Quote | None:
        """The price of an engine, by its name and string; `own` is what its own settings say.

        None where it is not known, or where it is paid by the hour. Raises ConfigError.
        """
        if own is not None:
            return quoted(parse_price(own), "as given")
        urls, model = address(use)
        found = self.by_name.get(name) or self._in_files(urls, model)
        if found is not None or parse_call(use).name in BY_THE_HOUR:
            return found
        return self.general or (known_price(urls[0], model) if urls and model else None)

    def check_names(self, names: Iterable[str]) -> None:
        """Raise ConfigError where a price is for an engine that there is not."""
        known = list(names)
        for name in self.by_name:
            if name not in known:
                raise ConfigError(f"There is no engine {name!r} to have a price.", f"Named here: {', '.join(known)}.")

    def _in_files(self, urls: Iterable[str], model: str | None) -> Quote | None:
        if model is None:
            return None
        return next((self.by_model[key] for url in urls if (key := f"{url}#{model}") in self.by_model), None) or (
            self.by_model.get(model)
        )


def address(use: str) -> tuple[tuple[str, ...], str | None]:
    """The URLs and the model of an endpoint's string, as far as it names them; nothing for other engines."""
    from perpend.engines.openai.target import Target

    call = parse_call(use)
    target = call.target or call.options.get("target")
    if call.name != ENDPOINT or target is None:
        return (), None
    parsed = Target.parse(target)
    return parsed.urls, parsed.model


def read_price_file(path: Path) -> dict[str, Quote]:
    """Prices by model from a TOML or JSON file. Raises ConfigError that names the entry at fault."""
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"The price file {path} cannot be read: {error.strerror}.", HOW) from None
    except ValueError as error:
        raise ConfigError(f"The price file {path} is not {path.suffix[1:].upper()}: {error}.", ENTRY) from None
    if not isinstance(entries, Mapping):
        raise ConfigError(f"The price file {path} is not a table of models.", ENTRY)
    return {str(model): quoted(_entry(path, model, entry), path.name) for model, entry in entries.items()}


def _entry(path: Path, model: str, entry: Any) -> Price:
    known = {"input", "cached", "output"}
    if isinstance(entry, Mapping) and {"input", "output"} <= entry.keys() <= known:
        entry = f"{entry['input']},{entry.get('cached', entry['input'])},{entry['output']}"
    try:
        return parse_price(entry if isinstance(entry, str) else str(entry))
    except ConfigError:
        raise ConfigError(f"The price of {model!r} in {path} is not understood.", ENTRY) from None


def _price(text: str) -> Price:
    try:
        return parse_price(text)
    except ConfigError:
        raise ConfigError(f"Price {text!r} is not understood.", HOW) from None
