"""A stored study as an engine: every sample that was drawn can be drawn again, for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from perpend.core import (
    Caps,
    Charge,
    Completion,
    ConfigError,
    Delta,
    EngineError,
    Finish,
    Generation,
    ModelShape,
    Prompt,
    Purse,
    Request,
    Sample,
    SamplesExhausted,
)
from perpend.engines.recording import Recording, SampleName, read_recording
from perpend.engines.virtual_clock import VirtualClock, Wait


class ReplayEngine:
    """Answers with stored samples, looked up by task, problem and index; the greedy sample at temperature 0.

    Requests that run side by side finish in the order of their completion tokens, ties by index, on a clock of tokens
    that stands still while the strategy thinks. Nothing is generated and nothing waits.

    Args:
        folder: of a study, with the engine's name in it after a `#` where it has several.
        name: its name in the new study.
        source: samples that are already in memory, instead of a folder.
        study_folder: of the study that it is part of, which it plays again where it is told of no other.
    """

    def __init__(
        self, folder: str = "", *, name: str = "replay", source: Recording | None = None, study_folder: str = ""
    ) -> None:
        place, _, self._recorded = folder.partition("#")
        self._folder = place or study_folder
        if not self._folder and source is None:
            raise ConfigError("Engine replay needs the folder of a study.", "Write replay:DIR or replay:DIR#ENGINE.")
        self.name = name
        self._samples: Mapping[SampleName, Sample] | None = None
        self._clock = VirtualClock()
        if source is not None:
            self._play(source)

    @property
    def overhead(self) -> Charge:
        """Nothing."""
        return Charge()

    async def start(self, purse: Purse | None = None) -> None:  # noqa: ARG002 (nobody bills it)
        """Read the folder. Raises StoreError, and ConfigError where it has no such engine."""
        if self._samples is None:
            self._play(read_recording(self._folder, self._recorded))

    async def close(self) -> None:
        """Nothing to free."""

    def generate(self, request: Request) -> Generation:
        """The stored sample. Iterating raises EngineError where there is none."""
        wait = Wait()
        return Generation(self._stream(request, wait), wait.cut)

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:  # noqa: ARG002 (the protocol's)
        """Refused: no model is there to score a text."""
        raise EngineError("A stored study cannot score a given text.", "Use the engine that it was drawn from.")

    def _play(self, recording: Recording) -> None:
        """Be the engine that was recorded, without what a record cannot do."""
        self._samples = recording.samples
        self._answered = recording.answered
        self._sizes = Counter(replace(name, index=0) for name in recording.samples)
        self.fingerprint = recording.fingerprint
        self.version = recording.version
        self.shape: ModelShape | None = recording.shape
        self.caps: Caps = replace(
            recording.caps,
            exact_replay=True,
            continuation=False,
            loglik=False,
            note=f"replayed from {self._folder or 'memory'}",
        )

    async def _stream(self, request: Request, wait: Wait) -> AsyncIterator[Delta | Completion]:
        if request.prefix or request.n != 1:
            raise EngineError("A stored study replays whole samples, one a request.", "Use n=1 and no prefix.")
        sample = self._find(request)
        said = await self._clock.spend(sample.usage.completion, request.index, wait)
        whole = said == sample.usage.completion
        completion = _as_completion(sample, answered=self._answered) if whole else _cut(sample, said)
        if completion.text:
            yield Delta(0, completion.text, completion.usage.completion)
        yield completion

    def _find(self, request: Request) -> Sample:
        greedy = request.prompt.temperature == 0
        name = SampleName(request.task, request.problem_id, greedy, request.index)
        if self._samples is None:
            raise EngineError(f"Engine {self.name} was not started.", "Call start() first.")
        found = self._samples.get(name)
        if found is None:
            stored = self._sizes[replace(name, index=0)]
            others = (size for each, size in self._sizes.items() if (each.task, each.greedy) == (name.task, greedy))
            kind = "greedy sample" if greedy else "sample"
            error = SamplesExhausted if 0 < stored <= name.index < max(others) else EngineError
            raise error(
                f"The stored study has {stored} {kind}{'' if stored == 1 else 's'} of problem {request.problem_id} of "
                f"task {request.task}; index {request.index} was asked for.",
                "Ask for fewer samples, or draw more into that study first.",
            )
        return found


def _as_completion(sample: Sample, *, answered: bool) -> Completion:
    return Completion(
        choice=0,
        text=sample.text,
        finish=sample.finish,
        usage=sample.usage,
        logprob=sample.logprob,
        tokens=sample.tokens,
        started=sample.started,
        ended=sample.ended,
        device_seconds=sample.device_seconds,
        error=sample.error,
        estimated=sample.estimated,
        recorded=sample if answered else None,
    )


def _cut(sample: Sample, said: int) -> Completion:
    """The first tokens of a sample: its time in proportion, and its text too where token boundaries are not known."""
    share = said / sample.usage.completion
    tokens = None if sample.tokens is None else sample.tokens[:said]
    return Completion(
        choice=0,
        text=sample.text[: round(len(sample.text) * share)],
        finish=Finish.CANCELLED,
        usage=replace(sample.usage, completion=said, reasoning=min(sample.usage.reasoning, said)),
        logprob=None if tokens is None else sum(token.logprob for token in tokens),
        tokens=tokens,
        started=sample.started,
        ended=sample.started + share * sample.seconds,
        device_seconds=None if sample.device_seconds is None else share * sample.device_seconds,
        estimated=sample.estimated,
    )
