"""What a study has bought, in dollars as far as prices are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from perpend.core import Cause, Charge, Price
from perpend.store import Store
from perpend.study.results import Cost, LedgerLine


def priced(charge: Charge, price: Price | None) -> Charge:
    """A charge with its dollars: those that were booked, else what its tokens cost at the price that is known now."""
    if charge.usd is not None or price is None:
        return charge
    return replace(charge, usd=price.usd(charge.usage, charge.device_seconds or 0.0))


def bought(store: Store, prices: Mapping[str, Price]) -> list[LedgerLine]:
    """The bought ledger, by engine and cause. Calls made before their engine had a price are priced now."""
    known: dict[tuple[str, Cause], Charge] = {}
    unpriced: dict[tuple[str, Cause], Charge] = {}
    for engine, cause, charge in _charges(store):
        with_dollars = priced(charge, prices.get(engine))
        kept = unpriced if with_dollars.usd is None else known
        kept[engine, cause] = kept.get((engine, cause), Charge()) + with_dollars
    lines = [_line(*key, known.get(key), unpriced.get(key)) for key in dict.fromkeys([*known, *unpriced])]
    return [line for line in lines if line.calls or line.prompt_tokens or line.completion_tokens]


def paid(lines: Sequence[LedgerLine], seconds: float | None = None) -> Cost:
    """All lines together: the dollars that are known, and how many tokens they leave out."""
    dollars = [line.usd for line in lines if line.usd is not None]
    return Cost(
        calls=sum(line.calls for line in lines),
        tokens=sum(line.prompt_tokens - line.cached_tokens + line.completion_tokens for line in lines),
        usd=sum(dollars) if dollars else None,
        unpriced_tokens=sum(line.unpriced_tokens for line in lines),
        seconds=seconds,
    )


def _charges(store: Store) -> Iterator[tuple[str, Cause, Charge]]:
    for each in store.bought():
        yield each.engine, each.cause, each.charge
    yield from store.overhead()


def _line(engine: str, cause: Cause, known: Charge | None, unpriced: Charge | None) -> LedgerLine:
    whole = (known or Charge()) + (unpriced or Charge())
    return LedgerLine(
        engine=engine,
        cause=cause.value,
        calls=whole.calls,
        prompt_tokens=whole.usage.prompt,
        cached_tokens=whole.usage.cached,
        completion_tokens=whole.usage.completion,
        usd=None if known is None else known.usd,
        unpriced_tokens=0 if unpriced is None else unpriced.usage.tokens,
        flops=whole.flops,
        device_seconds=whole.device_seconds,
    )
