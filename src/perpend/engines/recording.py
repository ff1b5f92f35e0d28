"""What a replay engine plays: samples by name, and the engine that they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from perpend.core import DRAWN, Caps, ConfigError, ModelShape, PoolField, Sample, SampleKey
from perpend.store import Store


@dataclass(frozen=True)
class SampleName:
    """Names a sample by what a study asks for, whatever the prompt was."""

    task: str
    problem: str
    greedy: bool
    index: int


@dataclass(frozen=True)
class Recording:
    """The samples of one engine.

    Attributes:
        samples: by name; the indices of a problem run from 0. Those of a problem may end before others'.
        fingerprint, version, shape, caps: of the engine that drew them.
        answered: whether answers were taken when they were drawn, and stand; else they are in the texts.
    """

    samples: Mapping[SampleName, Sample]
    fingerprint: str = "recorded"
    version: str = "unknown"
    shape: ModelShape | None = None
    caps: Caps = field(default_factory=Caps)
    answered: bool = False


@dataclass(frozen=True)
class Held:
    """What a study's folder holds of one engine, without reading it: by task, whether greedy samples and others."""

    tasks: Mapping[str, frozenset[bool]]


def held_by(folder: str, engine: str = "") -> Held:
    """What there is to play of one engine of a study. Raises StoreError, ConfigError."""
    with Store(Path(folder), read_only=True) as store:
        sources = [stored.source for stored in store.pools() if not stored.source.prefix]
    chosen = _choose(engine, sorted({source.engine for source in sources}), folder)
    kinds: dict[str, set[bool]] = {}
    for source in sources:
        if source.engine == chosen:
            kinds.setdefault(source.task, set()).add(source.prompt.temperature == 0)
    return Held({task: frozenset(of) for task, of in kinds.items()})


def read_recording(folder: str, engine: str = "") -> Recording:
    """The samples of one engine of a study; of the only one where it is not named. Raises StoreError, ConfigError."""
    with Store(Path(folder), read_only=True) as store:
        described = {info["name"]: info for run in store.runs() for info in map(json.loads, run.engines)}
        pools = {stored.pool: stored.source for stored in store.pools() if not stored.source.prefix}
        chosen = _choose(engine, sorted({source.engine for source in pools.values()}), folder)
        probes = store.probes()
        samples: dict[SampleName, Sample] = {}
        for sample in store.samples():
            source = pools.get(sample.pool)
            if source is not None and source.engine == chosen:
                greedy = source.prompt.temperature == 0
                along = probes.get(SampleKey(sample.pool, sample.index), {})
                name = SampleName(source.task, source.problem, greedy, sample.index)
                samples[name] = replace(sample, probes=along)
    if not samples:
        raise ConfigError(
            f"Of what {chosen} answered in {folder} only counts are stored, which cannot be played again.",
            f"perpend report {folder} has the coverage that they give.",
        )
    fingerprint = next(source.fingerprint for source in pools.values() if source.engine == chosen)
    return _described(samples, fingerprint, described.get(chosen, {}))


def _choose(engine: str, names: list[str], folder: str) -> str:
    if engine in names:
        return engine
    if not engine and len(names) == 1:
        return names[0]
    problem = f"has no engine {engine!r}" if engine else "has samples of several engines" if names else "has no samples"
    raise ConfigError(f"The study in {folder} {problem}.", f"Write replay:{folder}#ENGINE with one of {names}.")


def _described(samples: Mapping[SampleName, Sample], fingerprint: str, info: Mapping[str, Any]) -> Recording:
    """With what the study wrote down about its engine."""
    shape = info.get("shape")
    return Recording(
        samples,
        fingerprint,
        info.get("version", "unknown"),
        None if shape is None else ModelShape(**shape),
        Caps(
            seeds=True,
            logprobs=int(any(sample.logprob is not None for sample in samples.values())),
            local=bool(info.get("local", False)),
            simulated=bool(info.get("simulated", False)),
            holds=frozenset(map(PoolField, info["holds"])) if "holds" in info else DRAWN,
        ),
        answered=True,
    )
