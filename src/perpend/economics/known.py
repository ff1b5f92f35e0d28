"""Prices of hosted models, from the list that `genai-prices` ships with; nothing is fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from perpend.core import Price
from perpend.economics.prices import PER_MILLION, Quote, quoted

KINDS = ("input_mtok", "cache_read_mtok", "output_mtok")
"""Of a price in the list: dollars per million tokens."""
HOURS = 24


def known_price(url: str, model: str, now: datetime | None = None) -> Quote | None:
    """What a model costs at an address, None where the list does not say.

    A price that depends on the hour is taken at its dearest of the day, and of one that rises with the prompt's length
    the first step, which is said. A model that is also paid by the request has no price here, since calls do not.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        provider, found = get_snapshot().find_provider_model(model, None, None, url)
    except LookupError:
        return None
    today = (now or datetime.now(UTC)).replace(minute=0)
    listed = [found.get_prices(today.replace(hour=hour)) for hour in range(HOURS)]
    if any(getattr(each, "requests_kcount", None) for each in listed):
        return None
    steps = {step for each in listed for kind in KINDS if (step := _first_step(getattr(each, kind, None)))}
    dearest = [max((_dollars(getattr(each, kind, None)) for each in listed), key=_or_nothing) for kind in KINDS]
    fresh, cached, output = dearest
    if fresh is None or output is None:
        return None
    rates = [fresh, fresh if cached is None else cached, output]
    where = f"genai-prices {version('genai-prices')}, {provider.id} {found.id}"
    note = f", for prompts up to {min(steps):,} tokens" if steps else ""
    return quoted(Price(*(rate * PER_MILLION for rate in rates)), where + note)


def _first_step(listed: Any) -> int | None:
    """The tokens of prompt up to which a stepped price is its first; None where it has no steps."""
    tiers = getattr(listed, "tiers", None)
    return int(tiers[0].start) if tiers else None


def _dollars(listed: Any) -> float | None:
    return None if listed is None else float(getattr(listed, "base", listed))


def _or_nothing(dollars: float | None) -> float:
    return -1.0 if dollars is None else dollars
