"""What a study's engines cost: resolved once at the start, and written down with the engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from perpend.core import Budget, ConfigError, Price, Sample, Usage, parse_call
from perpend.economics import PER_MILLION, PriceBook, Quote, local_price
from perpend.engines.openai.target import Target
from perpend.study.plan import Plan
from perpend.study.results import EngineInfo, Rates
from perpend.study.spec import StudySpec

ENDPOINT = "openai"
FREE = ("simulated", "replay")
"""Engines that bill nobody, also where they are given a price."""
SECONDS_AN_HOUR = 3600


def quotes(plan: Plan) -> dict[str, Quote]:
    """The prices by the token that are known before any engine runs, by engine name. Raises ConfigError."""
    book = PriceBook.of(plan.spec.price)
    book.check_names(plan.engines)
    own = {name: wanted.price for name, wanted in zip(plan.engines, plan.spec.engine, strict=True)}
    found = {name: book.quote(name, use, own[name]) for name, use in plan.engines.items()}
    return {name: quote for name, quote in found.items() if quote is not None}


def bill(use: str, quote: Quote | None) -> str | None:
    """Why an engine's tokens cost someone money: its price, or that a hosted one's is unknown. None: they do not."""
    call = parse_call(use)
    if call.name in FREE:
        return None
    if quote is not None:
        return quote.source if quote.by_token else None
    hosted = call.name == ENDPOINT and Target.parse(call.target or call.options.get("target", "")).hosted
    return "a price that is not known (give it with --price IN,CACHED,OUT)" if hosted else None


def quote_of(quote: Quote | None, *, local: bool, simulated: bool, hourly: float | None) -> Quote | None:
    """The price of an engine that has started: its own, or this machine's time; a simulated one costs nothing real."""
    if quote is not None or not local or simulated:
        return quote
    return Quote(*local_price(hourly))


def rates_of(quote: Quote | None) -> Rates | None:
    """A price as results.json has it."""
    if quote is None:
        return None
    price = quote.price
    return Rates(
        input=price.input / PER_MILLION,
        cached=price.cached / PER_MILLION,
        output=price.output / PER_MILLION,
        hour=price.device_second * SECONDS_AN_HOUR,
    )


def price_of(info: EngineInfo, hourly: float | None) -> Price | None:
    """Dollars as they were written down with the engine, None where they are not known."""
    if info.rates is not None:
        rates = info.rates
        by_token = (rates.input * PER_MILLION, rates.cached * PER_MILLION, rates.output * PER_MILLION)
        return Price(*by_token, rates.hour / SECONDS_AN_HOUR)
    return local_price(hourly)[0] if info.local and not info.simulated else None


def as_billed(price: Price, rows: Iterable[Sequence[Sample]]) -> Price:
    """A price at which the canonical charge of N samples, one prompt new and N − 1 cached, is what the endpoint bills.

    Its `cached` is what a token of a prompt that came again was seen to cost, over all rows: the share that the server
    had cached at the price of cached tokens, the rest as new, and nothing where one call asked for several samples. A
    row holds the samples of one problem, of which one pays for the whole prompt; what the server had cached of that one
    too (a beginning that problems share) counts for the others, up to all that they have. Where no prompt came again,
    it is taken to be billed as new.
    """
    repeats = new = cached = 0
    for row in rows:
        prompts = [sample.usage.prompt for sample in row if sample.usage.prompt]
        if prompts:
            billed = sum((sample.billed for sample in row), Usage())
            again = (len(prompts) - 1) * max(prompts)
            anew = min(max(billed.prompt - billed.cached - max(prompts), 0), again)
            repeats, new, cached = repeats + again, new + anew, cached + min(billed.cached, again - anew)
    return replace(price, cached=(new * price.input + cached * price.cached) / repeats if repeats else price.input)


def refuse_unpriced_endpoints(plan: Plan, known: Mapping[str, Quote]) -> None:
    """Raise ConfigError where dollars are capped that cannot be counted; before a call is made."""
    endpoints = [name for name, use in plan.engines.items() if parse_call(use).name == ENDPOINT]
    refuse_unpriced(plan.spec, [name for name in endpoints if name not in known])


def refuse_unpriced(spec: StudySpec, unpriced: Iterable[str]) -> None:
    """Raise ConfigError where dollars are capped and an engine has no price."""
    refuse_unpriced_caps([spec.budget, spec.per_problem], unpriced)


def refuse_unpriced_caps(caps: Iterable[Budget | str | None], unpriced: Iterable[str]) -> None:
    """Raise ConfigError where one of the budgets caps dollars and an engine has no price."""
    budgets = [Budget.parse(cap) if isinstance(cap, str) else cap or Budget() for cap in caps]
    without = next(iter(unpriced), None)
    if without is not None and any(budget.usd is not None for budget in budgets):
        raise ConfigError(
            f"Dollars are capped, and no price of engine {without} is known.",
            "Give one with --price IN,CACHED,OUT (dollars per million tokens), or cap tokens instead.",
        )
