"""The main job: spec → pool → evaluation → results. Resumable at any moment, extendable at any time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from pydantic import ValidationError

from perpend.core import (
    Budget,
    ConfigError,
    Engine,
    PerpendError,
    Price,
    Purse,
    Scope,
    Silent,
    StopReason,
    StoreError,
    World,
)
from perpend.economics import Quote
from perpend.store import Store, export_samples
from perpend.study.admission import ProblemHistory, histories
from perpend.study.analyse import analyse
from perpend.study.compatible import check_compatible, check_models
from perpend.study.draw import Drawing, StudyListener, task_worlds
from perpend.study.environment import hardware, versions
from perpend.study.folder import hold
from perpend.study.forecast import forecast, keep_forecast
from perpend.study.meter import Meter, refused_calls
from perpend.study.overhead import JobPurse, Overhead, probing
from perpend.study.plan import Plan
from perpend.study.pricing import price_of, quotes, refuse_unpriced, refuse_unpriced_endpoints
from perpend.study.record import INTERRUPTED, engine_info, engines_of, peaks, recorded_engines
from perpend.study.resolve import build_engines, make_plan
from perpend.study.results import EngineInfo, ProblemView, Results
from perpend.study.scoring import score_missing
from perpend.study.spec import SPEC, StudySpec
from perpend.study.views import views

RESULTS, SAMPLES = "results.json", "samples.parquet"


class Quiet(Silent):
    """A study listener that does nothing."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def planned(self, samples: int, stored: int, problems: int) -> None:
        """Nothing."""

    def block(self, done: int, total: int) -> None:
        """Nothing."""

    def metered(self, meter: Meter) -> None:
        """Nothing."""


async def run_study(
    spec: StudySpec, folder: Path, listener: StudyListener | None = None, command: str = "perpend study"
) -> Results:
    """Draw what the folder lacks of a study's pool, evaluate every strategy on it, and write the results.

    A folder that holds a study already is extended; what is stored is never bought again. Started again after an
    interruption, it goes on where it stopped.

    Raises:
        ConfigError: for a name or setting that cannot be used, or that contradicts what the folder holds.
        StoreError: where the folder is in use, unreadable or full.
        EngineError: where an engine cannot start or is lost for good.
    """
    watch = listener or Quiet()
    with ExitStack() as stack:
        stack.enter_context(hold(folder))
        plan = plan_of(spec, folder)
        known = known_prices(plan)
        store = Store(folder)
        stack.callback(store.close)
        keep_forecast(forecast(plan, known, store), store)
        await draw_pool(plan, known, store, watch, command, folder / SPEC)
        watch.phase("evaluating")
        export_samples(store, folder / SAMPLES)
        return _evaluate(plan, store, folder)


async def reevaluate(folder: Path) -> Results:
    """Compute the results again from what is stored; no engine is needed.

    A verifier that has changed since scores the stored samples anew.

    Raises:
        StoreError: where the folder is in use, or its traces cannot be read.
        ConfigError: where the folder holds no study that can be read, or this perpend would ask the problems
            otherwise than they were.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(hold(_studied(folder)))
        plan = make_plan(StudySpec.load(folder / SPEC), folder)
        store = Store(folder)
        stack.callback(store.close)
        check_compatible(plan, store)
        check_models(plan, {info.name: info.fingerprint for info in engines_of(plan, store).values()}, store)
        _close_later(plan, stack)
        await score_missing(plan, store, task_worlds(plan, World({}, {}, store, plan.spec.seed)))
        return _evaluate(plan, store, folder)


def load_results(folder: Path) -> Results:
    """The results that were written last. Raises StoreError."""
    try:
        return Results.model_validate_json((folder / RESULTS).read_bytes())
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no results yet.", "Run `perpend report` on it.") from None
    except OSError as error:
        raise StoreError(f"{folder / RESULTS} cannot be read: {error.strerror}.", "Check its permissions.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise StoreError(
            f"{folder / RESULTS} is not ours ({where}: {first['msg']}).", "Run `perpend report` to write it again."
        ) from None


def problem_views(folder: Path) -> Iterator[ProblemView]:
    """Every problem with its samples, for the report's browser. Raises StoreError, ConfigError."""
    plan = make_plan(StudySpec.load(_studied(folder) / SPEC), folder)
    store = Store(folder, read_only=True)
    try:
        yield from views(plan, store)
    finally:
        store.close()


def plan_of(spec: StudySpec, folder: Path) -> Plan:
    """The plan of a spec, with what the folder holds already. Raises ConfigError, TaskError."""
    return make_plan(spec.extend(StudySpec.load(folder / SPEC)) if (folder / SPEC).exists() else spec, folder)


def known_prices(plan: Plan) -> dict[str, Quote]:
    """The prices by the token, by engine name. Raises ConfigError where dollars are capped that cannot be counted."""
    known = quotes(plan)
    refuse_unpriced_endpoints(plan, known)
    return known


async def draw_pool(
    plan: Plan, known: Mapping[str, Quote], store: Store, watch: StudyListener, command: str, keep: Path | None
) -> None:
    """Start the engines, draw, and close them whatever happens. The spec is written to `keep`, unless that is None.

    The run is open before an engine starts, since the probe of an endpoint is paid for.
    """
    check_compatible(plan, store)
    engines = build_engines(plan, store.path.parent)
    async with AsyncExitStack() as stack:
        _close_later(plan, stack)
        for engine in engines.values():
            stack.push_async_callback(engine.close)
        store.begin_run(command, versions(), hardware())
        store.close_reservations(info.name for info in recorded_engines(store).values() if info.local)
        stop_reason = INTERRUPTED
        try:
            prices = {name: quote.price for name, quote in known.items()}
            history = histories(store, prices)
            scope = _job_scope(plan, store, history.values(), prices)
            purses = {name: JobPurse(name, scope, store, prices.get(name)) for name in engines}
            watch.phase("starting " + ", ".join(engines))
            await _start(engines, purses)
            infos = [
                engine_info(engine, plan.engines[name], plan.spec.hourly, known.get(name), purses[name].paid)
                for name, engine in engines.items()
            ]
            _keep_what_began(plan, infos, store, keep)
            prices, replay = _prices(infos, plan), plan.spec.reproducible
            world = World(engines, {}, store, plan.spec.seed, prices, watch, reproducible=replay)
            stop_reason = await _draw(Drawing(plan, store, scope, task_worlds(plan, world), watch, history), world)
        except PerpendError as error:
            stop_reason = error.message
            raise
        finally:
            refused = {name: refused_calls(engine) for name, engine in engines.items()}
            store.end_run(str(stop_reason), refused, peaks(engines))


def _close_later(plan: Plan, stack: AsyncExitStack) -> None:
    """Free what verifiers hold when the stack unwinds."""
    for verifier in (verifier for task in plan.tasks for verifier in task.verifiers.values()):
        stack.push_async_callback(verifier.close)


def _job_scope(plan: Plan, store: Store, history: Iterable[ProblemHistory], prices: Mapping[str, Price]) -> Scope:
    """The budget of the whole job, with what earlier runs spent of it."""
    spent = sum((each.spent for each in history), probing(store, prices))
    elapsed = sum(run.seconds for run in store.runs()[:-1])
    return Scope(Budget.parse(plan.spec.budget or ""), spent=spent, elapsed=elapsed)


async def _start(engines: Mapping[str, Engine], purses: Mapping[str, Purse]) -> None:
    """All of them side by side; the first error is raised once none is under way any more."""
    starting = (engine.start(purses[name]) for name, engine in engines.items())
    for outcome in await asyncio.gather(*starting, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _keep_what_began(plan: Plan, infos: Sequence[EngineInfo], store: Store, keep: Path | None) -> None:
    """Write down what is studied, and on what. Raises ConfigError where the folder holds another model's samples."""
    check_models(plan, {info.name: info.fingerprint for info in infos}, store)
    refuse_unpriced(plan.spec, [info.name for info in infos if info.rates is None])
    if keep is not None:
        _write(keep, plan.spec.to_toml())
    if store.setting("seed") is None:
        store.keep_setting("seed", str(plan.spec.seed))
    for task in plan.tasks:
        store.keep_problems(task.problems)
    store.describe_engines([info.model_dump_json() for info in infos])


async def _draw(drawing: Drawing, world: World) -> StopReason:
    """Draw and score; what the engines spend on no sample is booked at both ends."""
    overhead = Overhead(world.engines, world.prices, drawing.store)
    overhead.book()
    try:
        drawing.listener.phase("drawing")
        stop_reason = await drawing.run()
        drawing.listener.phase("scoring")
        await score_missing(drawing.plan, drawing.store, drawing.worlds)
        return stop_reason
    finally:
        overhead.book()


def _prices(infos: Iterable[EngineInfo], plan: Plan) -> dict[str, Price]:
    priced = {info.name: price_of(info, plan.spec.hourly) for info in infos}
    return {name: price for name, price in priced.items() if price is not None}


def _evaluate(plan: Plan, store: Store, folder: Path) -> Results:
    results = analyse(plan, store, _prices(engines_of(plan, store).values(), plan))
    _write(folder / RESULTS, results.model_dump_json(indent=1))
    return results


def _studied(folder: Path) -> Path:
    """The folder, where it holds a study. Raises ConfigError."""
    if not os.access(folder / SPEC, os.R_OK):
        why = f"{SPEC} is missing, or may not be read"
        raise ConfigError(f"{folder} holds no study ({why}).", "Give the folder that `perpend study` wrote.")
    return folder


def _write(path: Path, text: str) -> None:
    """Replace a file whole, so that a killed process leaves the old one or the new one. Raises StoreError."""
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", "Free some space and start again.") from error
