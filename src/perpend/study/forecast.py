"""What a study will cost: an upper bound from prompts and max_tokens, or the mean of samples that are stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from perpend.core import Draw, Price, Sample, Strategy, parse_call, pool_key
from perpend.economics import Quote, local_price
from perpend.economics.book import BY_THE_HOUR
from perpend.store import Store
from perpend.study.plan import Block, Plan, PlannedTask
from perpend.study.pricing import price_of
from perpend.study.record import recorded_engines
from perpend.study.results import Cost, Forecast, ForecastLine

BOUND = "upper bound: prompts by their bytes, completions at max_tokens, nothing cached"
PARTLY = "mean of {} stored samples where there are any, else an upper bound"
EXPECTED = "mean of {} stored samples"


@dataclass(frozen=True)
class Unit:
    """One sample of a draw, on average: calls and tokens billed, and seconds of the engine's time; None is unknown."""

    calls: float
    prompt: float
    cached: float
    completion: float
    device_seconds: float | None
    price: Price | None
    pace: float | None
    """Seconds a call, at the study's concurrency."""

    @property
    def usd(self) -> float | None:
        """Dollars, where price and, for one by the hour, time are known."""
        price = self.price
        if price is None or (price.device_second and self.device_seconds is None):
            return None
        tokens = (self.prompt - self.cached) * price.input + self.cached * price.cached
        return tokens + self.completion * price.output + (self.device_seconds or 0.0) * price.device_second

    def alone(self, n: int) -> Unit:
        """The same for a strategy that draws n a problem by itself: the only one has a call and a whole prompt of its
        own, and nothing drawn beside it has put that into the cache.
        """
        return self if n > 1 else replace(self, calls=1.0, prompt=self.prompt / self.calls, cached=0.0)

    def times(self, samples: int) -> Cost:
        """So many samples."""
        calls, tokens = samples * self.calls, samples * (self.prompt - self.cached + self.completion)
        return Cost(
            calls=math.ceil(calls),
            tokens=tokens,
            usd=None if self.usd is None else samples * self.usd,
            unpriced_tokens=tokens if self.usd is None else 0,
            seconds=None if self.pace is None else calls * self.pace,
        )


@dataclass(frozen=True)
class Part:
    """One draw of one task on one engine: what a sample costs, and how many of each problem are stored."""

    task: PlannedTask
    engine: str
    draw: Draw
    unit: Unit
    drawn: tuple[int, ...]

    @property
    def stored(self) -> int:
        """Samples, of all problems."""
        return sum(self.drawn)

    def bought(self, n: int) -> Cost:
        """What the first n samples of each problem have cost alone, at the mean of all that are stored."""
        return self.unit.alone(n).times(sum(min(stored, n) for stored in self.drawn))


def forecast(plan: Plan, known: Mapping[str, Quote], store: Store) -> Forecast:
    """What the plan will cost. `known` are the engines' prices by the token; what is stored makes it an expectation."""
    parts = _parts(plan, _prices(plan, known, store), store)
    stored = sum(part.stored for part in parts)
    bound = any(part.stored == 0 for part in parts)
    sizes = [(part, plan.size(part.draw) * len(part.task.problems)) for part in parts]
    quoted = {name: quote.source for name, quote in known.items()}
    return Forecast(
        prices={name: quoted.get(name) or _by_the_hour(plan, name) for name in plan.engines},
        basis=(BOUND if not stored else PARTLY if bound else EXPECTED).format(stored),
        bound=bound,
        problems=sum(len(task.problems) for task in plan.tasks),
        samples=plan.spec.samples,
        strategies=_planned_alone(plan, parts),
        whole=total(part.unit.times(samples) for part, samples in sizes),
        left=total(part.unit.times(max(0, samples - part.stored)) for part, samples in sizes),
    )


def keep_forecast(made: Forecast, store: Store) -> None:
    """Keep a forecast, unless the newest is of the same study: then that was made before it was drawn."""
    kept = store.forecast()
    if kept is not None and _subject(Forecast.model_validate_json(kept[1])) == _subject(made):
        return
    store.keep_forecast(made.model_dump_json())


def _subject(made: Forecast) -> tuple[object, ...]:
    return made.problems, made.samples, {(line.engine, line.strategy, line.n) for line in made.strategies}


def _by_the_hour(plan: Plan, engine: str) -> str | None:
    rented = parse_call(plan.engines[engine]).name in BY_THE_HOUR
    return local_price(plan.spec.hourly)[1] if rented else None


def total(costs: Iterable[Cost]) -> Cost:
    """Their sum: dollars as far as they are known, with the tokens that they leave out; time where all of it is."""
    each = list(costs)
    dollars = [cost.usd for cost in each if cost.usd is not None]
    seconds = [cost.seconds for cost in each if cost.seconds is not None]
    return Cost(
        calls=sum(cost.calls for cost in each),
        tokens=sum(cost.tokens for cost in each),
        usd=sum(dollars) if dollars else None,
        unpriced_tokens=sum(cost.unpriced_tokens for cost in each),
        seconds=sum(seconds) if len(seconds) == len(each) else None,
    )


def bought_alone(plan: Plan, prices: Mapping[str, Price], store: Store) -> dict[tuple[str, str], Cost]:
    """What was bought for each strategy, by engine and name; what several share counts for each. Nothing: left out."""
    bought: dict[tuple[str, str], list[Cost]] = {}
    for part in _parts(plan, prices, store):
        for name, strategy in part.task.strategies.items():
            if _draws(strategy, part) and part.stored:
                bought.setdefault((part.engine, name), []).append(part.bought(strategy.n))
    return {name: total(each) for name, each in bought.items()}


def _planned_alone(plan: Plan, parts: Iterable[Part]) -> list[ForecastLine]:
    """What the study would buy for each strategy alone, on each engine, over all its tasks."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    sizes: dict[tuple[str, str], int] = {}
    for part in parts:
        for name, strategy in part.task.strategies.items():
            if _draws(strategy, part):
                samples = min(plan.size(part.draw), strategy.n) * len(part.task.problems)
                costs.setdefault((part.engine, name), []).append(part.unit.alone(strategy.n).times(samples))
                sizes[part.engine, name] = min(strategy.n, plan.spec.samples)
    return [
        ForecastLine(engine=engine, strategy=name, n=sizes[engine, name], cost=total(each))
        for (engine, name), each in costs.items()
    ]


def _draws(strategy: Strategy, part: Part) -> bool:
    return any(
        draw.engine in (None, part.engine) and (draw.temperature, draw.n) == (part.draw.temperature, part.draw.n)
        for draw in strategy.draws
    )


def _parts(plan: Plan, prices: Mapping[str, Price], store: Store) -> list[Part]:
    paces, fingerprints = _paces(store), _fingerprints(plan, store)
    parts = []
    for task in plan.tasks:
        samples: dict[str, list[Sample]] = {}
        for sample in store.samples(task.task.name, tokens=False):
            samples.setdefault(sample.pool, []).append(sample)
        for engine, draws in plan.draws(task).items():
            for draw in draws:
                pools = _pools(task, draw, engine, fingerprints.get(engine))
                rows = [[s for s in samples.get(pool, []) if s.index < plan.size(draw)] for pool in pools]
                drawn = list(chain.from_iterable(rows))
                usage = _mean(drawn) if drawn else _bound(task, draw)
                unit = Unit(*usage, prices.get(engine), paces.get(engine))
                parts.append(Part(task, engine, draw, unit, tuple(map(len, rows))))
    return parts


def _pools(task: PlannedTask, draw: Draw, engine: str, fingerprint: str | None) -> list[str]:
    """The keys of a draw's pools; none where the engine has not run here."""
    if fingerprint is None:
        return []
    return [pool_key(Block(task, problem).source(draw, engine, fingerprint)) for problem in task.problems]


def _mean(samples: list[Sample]) -> tuple[float, float, float, float, float | None]:
    n = len(samples)
    usages, seconds = [sample.billed for sample in samples], [sample.device_seconds for sample in samples]
    return (
        sum(not sample.choice for sample in samples) / n,
        sum(usage.prompt for usage in usages) / n,
        sum(usage.cached for usage in usages) / n,
        sum(usage.completion for usage in usages) / n,
        None if None in seconds else sum(filter(None, seconds)) / n,
    )


def _bound(task: PlannedTask, draw: Draw) -> tuple[float, float, float, float, float | None]:
    prompts = [task.prompt(problem, draw) for problem in task.problems]
    longest = sum(prompt.upper_bound_tokens() for prompt in prompts) / len(prompts)
    return 1.0, longest, 0.0, sum(prompt.max_tokens for prompt in prompts) / len(prompts), None


def _prices(plan: Plan, known: Mapping[str, Quote], store: Store) -> dict[str, Price]:
    recorded = recorded_engines(store)
    prices: dict[str, Price | None] = {}
    for name, use in plan.engines.items():
        if name in known:
            prices[name] = known[name].price
        elif parse_call(use).name in BY_THE_HOUR:
            prices[name] = local_price(plan.spec.hourly)[0]
        elif name in recorded:
            prices[name] = price_of(recorded[name], plan.spec.hourly)
    return {name: price for name, price in prices.items() if price is not None}


def _paces(store: Store) -> dict[str, float]:
    """Seconds a call, by engine: from the first reservation of a run to its last settlement, over all its calls."""
    spans: dict[tuple[str, int], tuple[float, float]] = {}
    calls: dict[str, int] = {}
    for each in store.bought():
        began, ended = spans.get((each.engine, each.run), (each.at, each.at))
        spans[each.engine, each.run] = min(began, each.at), max(ended, each.at + each.seconds)
        calls[each.engine] = calls.get(each.engine, 0) + 1
    lengths: dict[str, float] = {}
    for (engine, _), (began, ended) in spans.items():
        lengths[engine] = lengths.get(engine, 0.0) + ended - began
    return {engine: length / calls[engine] for engine, length in lengths.items()}


def _fingerprints(plan: Plan, store: Store) -> dict[str, str]:
    return {name: info.fingerprint for name, info in recorded_engines(store).items() if name in plan.engines}
