"""How a study was run and what it paid: engines, ledger, versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from perpend.core import Charge, Engine, ModelShape, StoreError
from perpend.economics import Quote
from perpend.store import RunRecord, Store
from perpend.study.plan import Plan
from perpend.study.pricing import quote_of, rates_of
from perpend.study.results import EngineInfo, HowItWasRun, ProbeCost, ShapeInfo, WaitingLine

INTERRUPTED = "interrupted"
"""The stop reason of a run that did not get to say one."""


def engine_info(engine: Engine, use: str, hourly: float | None, known: Quote | None, probing: Charge) -> EngineInfo:
    """An engine as it is now; it must have been started. `known` is its price by the token."""
    shape = engine.shape
    quote = quote_of(known, local=engine.caps.local, simulated=engine.caps.simulated, hourly=hourly)
    return EngineInfo(
        name=engine.name,
        spec=use,
        fingerprint=engine.fingerprint,
        version=engine.version,
        simulated=engine.caps.simulated,
        local=engine.caps.local,
        exact_replay=engine.caps.exact_replay,
        cache_bytes=engine.caps.cache_bytes,
        cache_tokens=engine.caps.cache_tokens,
        holds=sorted(engine.caps.holds),
        note=engine.caps.note,
        shape=None if shape is None else ShapeInfo(**vars(shape)),
        price=None if quote is None else quote.source,
        rates=rates_of(quote),
        probe=_probe_cost(probing),
    )


def _probe_cost(charge: Charge) -> ProbeCost | None:
    """What an endpoint was paid for being probed, None where it was not."""
    if not charge.usage.tokens:
        return None
    return ProbeCost(prompt_tokens=charge.usage.prompt, completion_tokens=charge.usage.completion, usd=charge.usd)


def recorded_engines(store: Store) -> dict[str, EngineInfo]:
    """The engines as they were when last started, by name. Only what has run is there."""
    runs = store.runs()
    recorded = [EngineInfo.model_validate_json(text) for run in runs for text in run.engines]
    last = {info.name: info for info in recorded}
    return {name: info.model_copy(update={"peak_cache_bytes": _peak(name, runs)}) for name, info in last.items()}


def _peak(name: str, runs: Sequence[RunRecord]) -> int | None:
    """The most bytes that an engine's key-value cache took in any run; None where none could tell."""
    return max((run.peaks[name] for run in runs if name in run.peaks), default=None)


def peaks(engines: Mapping[str, Engine]) -> dict[str, int]:
    """The same of this run, by name, of engines that can tell."""
    found = {name: getattr(engine, "peak_cache_bytes", None) for name, engine in engines.items()}
    return {name: peak for name, peak in found.items() if peak is not None}


def engines_of(plan: Plan, store: Store) -> dict[str, EngineInfo]:
    """The plan's engines as they were when last started, by name. Raises StoreError where one never was."""
    recorded = recorded_engines(store)
    for name in plan.engines:
        if name not in recorded:
            raise StoreError(f"Engine {name} of this study has not run yet.", "Run `perpend study` on its folder.")
    return {name: recorded[name] for name in plan.engines}


def shape_of(info: EngineInfo) -> ModelShape | None:
    """What FLOPs are computed from."""
    return None if info.shape is None else ModelShape(**info.shape.model_dump())


def waiting(store: Store) -> list[WaitingLine]:
    """Queueing and retries, by engine, where there were any."""
    refused: dict[str, Counter[str]] = {}
    for run in store.runs():
        for name, counts in run.calls.items():
            refused.setdefault(name, Counter()).update(counts)
    return [
        WaitingLine(
            engine=name,
            samples=each.samples,
            working_seconds=each.working_seconds,
            queued_seconds=each.queued_seconds,
            retries=each.retries,
            refused=refused.get(name, Counter()),
        )
        for name, each in store.waiting().items()
    ]


def how_it_was_run(plan: Plan, store: Store) -> HowItWasRun:
    """The last run's command, versions and hardware, and the time of all runs whose engines got to start."""
    runs = [run for run in store.runs() if run.engines]
    last = runs[-1]
    return HowItWasRun(
        command=last.command,
        seed=plan.spec.seed,
        samples=plan.spec.samples,
        temperature=_temperature(plan),
        started=iso(runs[0].started),
        seconds=sum(run.seconds for run in runs),
        restarts=sum(run.stop_reason in (None, INTERRUPTED) for run in runs[:-1]),
        budget=plan.spec.budget,
        stop_reason=last.stop_reason or INTERRUPTED,
        versions=last.versions,
        hardware=last.hardware,
    )


def _temperature(plan: Plan) -> str:
    """What was asked for, by task where they differ."""
    asked = {task.task.name: task.sampling.temperature for task in plan.tasks}
    said = {name: "the task's own" if t is None else f"{t:g}" for name, t in asked.items()}
    if len(set(said.values())) == 1:
        return "the tasks' own" if None in asked.values() else next(iter(said.values()))
    return ", ".join(f"{name} {value}" for name, value in said.items())


def iso(seconds: float) -> str:
    """Unix seconds as UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
