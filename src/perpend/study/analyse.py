"""From a store to `Results`: the figures of every task, and over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from perpend.core import SAMPLED, Finish, PoolField, Pools, Price
from perpend.economics import pareto
from perpend.store import Store
from perpend.study.breakdown import difficulty, gaps
from perpend.study.choose import budgets, compare, rank, recommend, settings
from perpend.study.depths import depths
from perpend.study.evaluate import Analysis, Evaluated, curve, evaluate, halves
from perpend.study.failures import failures
from perpend.study.findings import find
from perpend.study.headlines import headlines
from perpend.study.ledger import bought
from perpend.study.outlook import planned_and_actual
from perpend.study.plan import Plan, PlannedTask
from perpend.study.pools import TaskPools, by_engine, lacks, load_pools, read_pools
from perpend.study.pricing import as_billed
from perpend.study.proxies import proxy_curves
from perpend.study.race import race
from perpend.study.record import engines_of, how_it_was_run, shape_of, waiting
from perpend.study.results import EngineInfo, Results, SampleCounts, TaskResult, Unit
from perpend.study.stopping import stopping


def analyse(plan: Plan, store: Store, prices: Mapping[str, Price]) -> Results:
    """Everything that a study found. Pure but for reading the store: a second call gives the same."""
    engines = engines_of(plan, store)
    analyses = [_task(plan, task, store, engines, prices) for task in plan.tasks]
    how = how_it_was_run(plan, store)
    results = Results(
        title=plan.spec.title,
        findings=[],
        tasks=[analysis.result for analysis in analyses],
        headlines=headlines(analyses),
        engines=list(engines.values()),
        bought=bought(store, prices),
        waiting=waiting(store),
        plan=planned_and_actual(plan, store, prices, bought(store, prices), how.seconds),
        how=how,
    )
    return results.model_copy(update={"findings": find(results, analyses)})


def _task(
    plan: Plan, task: PlannedTask, store: Store, engines: Mapping[str, EngineInfo], prices: Mapping[str, Price]
) -> Analysis:
    pools = load_pools(plan, task, engines, store)
    shapes = {name: shape_of(engine) for name, engine in engines.items()}
    prices = {
        name: as_billed(price, chain(*pools[name].samples.values())) for name, price in prices.items() if name in pools
    }
    problems = next(iter(pools.values())).problems
    evaluated: list[Evaluated] = []
    lacking: dict[str, str] = {}
    for engine, wanted in by_engine(task.strategies, plan.engines_of(task)).items() if problems else ():
        read = {name: read_pools(strategy.draws, engine, pools) for name, strategy in wanted.items()}
        unserved = {name: why for name, each in read.items() if (why := lacks(wanted[name], each))}
        lacking |= unserved
        served = {name: strategy for name, strategy in wanted.items() if name not in unserved}
        together = Pools({draw: pool for name in served for draw, pool in read[name].items()})
        if served:
            evaluated += evaluate(served, engine, together, shapes, prices, plan.spec.seed, task.needs_key)
    splits = halves([problem.id for problem in problems], plan.spec.seed)
    measured = all(each.costs.tokens is not None for each in evaluated)
    unit: Unit = "tokens" if measured else "samples"
    among = settings(evaluated, unit)
    at = budgets(evaluated, unit) if among else []
    drawn = {name: pool for name, each in pools.items() if problems and (pool := each.pools.get(SAMPLED)) is not None}
    result = TaskResult(
        task=task.task.name,
        style=task.style,
        grader=task.grader,
        unit=unit,
        problems=len(problems),
        problems_total=len(task.problems),
        counts=[_counts(name, pool, frozenset(engines[name].holds)) for name, pool in pools.items() if problems],
        failures=[failure for name, pool in pools.items() for failure in failures(name, pool)],
        curves=[curve(each) for each in evaluated],
        gaps=[gap for name, pool in pools.items() for gap in gaps(name, pool, evaluated)],
        difficulty=[d for name, pool in pools.items() if (d := difficulty(name, task, pool, plan.spec.seed))],
        comparisons=compare(among, at, splits),
        recommendations=recommend(among, at, splits),
        rankings=rank(among, at, splits),
        stopping=[s for name, pool in drawn.items() if (s := stopping(name, pool, evaluated, plan.spec.seed))],
        depths=[m for name, pool in drawn.items() if (m := depths(name, pool, plan.spec.seed))],
        races=[
            run
            for name, pool in drawn.items()
            if (run := race(name, pool, pools[name].samples[SAMPLED], task.strategies))
        ],
        proxies=proxy_curves(evaluated, splits),
        frontier=_frontier(evaluated, unit),
    )
    return Analysis(task.task.name, evaluated, result, {**task.left_out, **lacking})


def _counts(engine: str, pools: TaskPools, holds: frozenset[PoolField]) -> SampleCounts:
    samples = [sample for rows in pools.samples.values() for row in rows for sample in row]
    total = max(len(samples), 1)

    def mean(of: PoolField, values: Iterable[float]) -> float | None:
        return sum(values) / total if of in holds else None

    return SampleCounts(
        engine=engine,
        samples=sum(int(pool.mask.sum()) for pool in pools.pools.values()),
        answered=mean(PoolField.ANSWERS, (sample.key is not None for sample in samples)),
        truncated=mean(PoolField.FINISH, (sample.finish is Finish.LENGTH for sample in samples)),
        failed=mean(PoolField.FINISH, (sample.finish is Finish.FAILED for sample in samples)),
        mean_completion_tokens=mean(PoolField.TOKENS, (sample.usage.completion for sample in samples)),
        prompt_tokens=mean(PoolField.PROMPT_TOKENS, (sample.usage.prompt for sample in samples)),
        estimated=mean(PoolField.TOKENS, (sample.estimated for sample in samples)),
    )


def _frontier(evaluated: Sequence[Evaluated], unit: Unit) -> list[tuple[str, str, int]]:
    points = [
        (each.engine, each.name, i + 1, float(cost), float(accuracy))
        for each in evaluated
        if each.deployable
        for i, (cost, accuracy) in enumerate(
            zip(each.costs.counted_in(unit).mean(axis=0), each.costs.correct.mean(axis=0), strict=True)
        )
    ]
    kept = pareto([p[3] for p in points], [p[4] for p in points])
    return [points[i][:3] for i in kept]
