"""Writes an arranged file as a study's folder: its samples in a store, and a spec that plays them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perpend.core import (
    ConfigError,
    DrawnFrom,
    Finish,
    Probe,
    Problem,
    Sample,
    SampleKey,
    Score,
    Strategy,
    Usage,
    digest,
    pool_key,
)
from perpend.core.sample import after_thinking
from perpend.store import Origin, Store
from perpend.strategies import STRATEGIES
from perpend.study.environment import versions
from perpend.study.importing.arrange import Arranged, ProblemSamples
from perpend.study.importing.found import Found
from perpend.study.results import EngineInfo
from perpend.study.spec import DEFAULT_STRATEGIES, SPEC, StudySpec
from perpend.tasks.imported import Imported, data_of, prompt_of
from perpend.tasks.reading import Reader


@dataclass(frozen=True)
class Writing:
    """What is written into a folder.

    Attributes:
        folder: that exists and holds no study.
        arranged: the samples.
        origin: where they are from.
        reader: how answers are taken.
        whole_answers: the file has a column of answers; else they are in the texts.
    """

    folder: Path
    arranged: Arranged
    origin: Origin
    reader: Reader
    whole_answers: bool

    def write(self, title: str, command: str) -> StudySpec:
        """Write everything, the study file last, so that a folder without one is no study."""
        spec = self._spec(title)
        with Store(self.folder) as store:
            store.begin_run(command, {"perpend": versions()["perpend"]}, {})
            store.describe_engines([info.model_dump_json() for info in self._engines()])
            store.keep_origin(self.origin)
            for name, problems in self.arranged.tasks.items():
                store.keep_problems(Problem(id_, name, data_of(of.prompt), of.key) for id_, of in problems.items())
            for name, problems in self.arranged.tasks.items():
                self._write_task(Imported(f"{self.folder}#{name}"), problems, store)
            store.end_run("complete")
        (self.folder / SPEC).write_text(spec.to_toml(), encoding="utf-8")
        return spec

    def _write_task(self, task: Imported, problems: Mapping[str, ProblemSamples], store: Store) -> None:
        sources = {
            (problem.id, model): DrawnFrom(task.name, problem.id, model, self._fingerprint(model), prompt_of(problem))
            for problem in task.problems()
            for model in problems[problem.id].samples
        }
        drawn = [(source, problems[id_].samples[model]) for (id_, model), source in sources.items()]
        if self.arranged.counts:
            store.add_counts([(source, of[0].n or 0, of[0].c or 0) for source, of in drawn])
            return
        named = [
            (SampleKey(pool, index), source, found)
            for source, of in drawn
            for pool in [pool_key(source)]
            for index, found in enumerate(of)
        ]
        store.add_recorded(sources.values(), (self._sample(*each) for each in named))
        for verifier in task.scored_by:
            given = ((name, self._score(verifier, task, found)) for name, _, found in named)
            store.record_scores(
                task.recorded_as(verifier), [(name, Score(value)) for name, value in given if value is not None]
            )

    def _sample(self, name: SampleKey, source: DrawnFrom, found: Found) -> Sample:
        answer = self._answer(found)
        return Sample(
            problem=source.problem,
            pool=name.pool,
            index=name.index,
            engine=source.engine,
            text=found.text or "",
            answer=answer,
            key=None if answer is None else self.reader.canonical(answer),
            finish=found.finish or Finish.STOP,
            usage=Usage(found.prompt_tokens or 0, completion=found.completion_tokens or 0),
            logprob=found.logprob,
            probes=dict(self._probes(found)),
            ended=found.seconds or 0.0,
        )

    def _answer(self, found: Found) -> str | None:
        """As the file has it; else as it stands in the text, unless that was cut."""
        if self.whole_answers:
            return None if found.answer is None else self.reader.extract(found.answer)
        whole = found.finish in (None, Finish.STOP)
        return self.reader.extract(after_thinking(found.text)) if found.text is not None and whole else None

    def _probes(self, found: Found) -> Iterator[tuple[int, Probe]]:
        for number, said in enumerate(found.probes or (), start=1):
            answer = None if said is None else self.reader.extract(said)
            key = None if answer is None else self.reader.canonical(answer)
            yield number * (found.probe_every or 0), Probe(answer, key)

    def _score(self, verifier: str, task: Imported, found: Found) -> float | None:
        """A verifier's, or the verdict; None where the sample has none."""
        return found.correct if verifier == task.grader else found.scores.get(verifier)

    def _fingerprint(self, model: str) -> str:
        return digest(["imported", self.origin.sha256, model])

    def _engines(self) -> list[EngineInfo]:
        origin = self.origin
        return [
            EngineInfo(
                name=model,
                spec=_engine(model),
                fingerprint=self._fingerprint(model),
                version=f"imported from {origin.file}",
                simulated=False,
                exact_replay=None,
                holds=sorted(self.arranged.held[model]),
                note=f"Its samples were drawn by others and imported from {origin.file} (sha256 {origin.sha256}).",
                shape=None,
                price=None,
            )
            for model in self.arranged.models
        ]

    def _spec(self, title: str) -> StudySpec:
        return StudySpec.of(
            {
                "title": title,
                "task": [{"use": f"imported:#{name}"} for name in self.arranged.tasks],
                "engine": [{"use": _engine(model), "name": model} for model in self.arranged.models],
                "strategies": strategies_for(self.arranged.verifiers),
                "samples": self.arranged.most,
            }
        )


def strategies_for(verifiers: Sequence[str]) -> tuple[str, ...]:
    """All that choose among a problem's samples; those that select by a score once for each verifier."""
    alone = [name for name in STRATEGIES.names() if _reads_samples_alone(name)]
    scored = {name for name in alone if STRATEGIES.build(name).verifier is not None}
    written = [
        text
        for name in alone
        for text in ([f"{name}(verifier={each})" for each in verifiers] if name in scored else [name])
    ]
    return tuple(dict.fromkeys((*DEFAULT_STRATEGIES, *written)))


def _reads_samples_alone(name: str) -> bool:
    try:
        strategy: Strategy = STRATEGIES.build(name)
    except ConfigError:  # it wants to be told of engines
        return False
    return all(draw.engine is None and draw.temperature is None for draw in strategy.draws)


def _engine(model: str) -> str:
    return f"replay:#{model}"
