"""Found samples put in order: by task, problem and model, every contradiction named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from perpend.core import ConfigError, Message, PoolField
from perpend.study.importing.found import Found

MODEL = "imported"
"""The engine's name where the file names no model."""

Asked = str | tuple[Message, ...] | None


@dataclass
class ProblemSamples:
    """One problem, and what was drawn of it by each model.

    Attributes:
        key: None where the file has none.
        prompt: what was asked, None where the file does not tell.
        samples: by model, in order of their index; or one count each.
    """

    key: str | None = None
    prompt: Asked = None
    samples: dict[str, list[Found]] = field(default_factory=dict)


@dataclass(frozen=True)
class Arranged:
    """A file's samples in order.

    Attributes:
        tasks: by task and problem.
        models: in order of first appearance.
        held: by model, what is known of every one of its samples.
        counts: whether only counts are known.
        graded: whether the file has verdicts, or counts them.
        verifiers: whose scores it has.
    """

    tasks: Mapping[str, Mapping[str, ProblemSamples]]
    models: Sequence[str]
    held: Mapping[str, frozenset[PoolField]]
    counts: bool
    graded: bool
    verifiers: Sequence[str]

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(_size(each) for of in self.tasks.values() for p in of.values() for each in p.samples.values())

    @property
    def most(self) -> int:
        """The most samples that any problem has of a model."""
        return max(_size(each) for of in self.tasks.values() for p in of.values() for each in p.samples.values())


def arrange(found: Iterable[Found], task: str, unfit: list[tuple[str, str]], notes: list[str]) -> Arranged:
    """Samples by task, problem and model.

    Args:
        found: the samples.
        task: the task's name where the file has none.
        unfit: takes the places that contradict others, with the reason.
        notes: takes what was decided, a sentence each.

    Raises:
        ConfigError: where no problem can be told from another, or nothing is left.
    """
    tasks: dict[str, dict[str, ProblemSamples]] = defaultdict(lambda: defaultdict(ProblemSamples))
    numbers: dict[tuple[str, Asked], str] = {}
    for each in found:
        name = each.task or task
        problem = (
            each.problem or numbers.setdefault((name, each.prompt), str(len(numbers))) if each.prompt else each.problem
        )
        if problem is None:
            raise ConfigError(
                "Nothing tells which samples answer the same problem.",
                "Map problem=COLUMN, or prompt=COLUMN: samples of one prompt are one problem's.",
            )
        place = tasks[name][problem]
        reason = _contradiction(place, each)
        if reason is not None:
            unfit.append((each.place, reason))
            continue
        place.key, place.prompt = place.key or each.key, place.prompt or each.prompt
        place.samples.setdefault(each.model or MODEL, []).append(each)
    _check_gradable(tasks, unfit)
    _drop_partly_drawn(tasks, notes)
    if not any(tasks.values()):
        first = f" ({unfit[0][0]}: {unfit[0][1]})" if unfit else ""
        raise ConfigError(f"No sample can be used{first}.", "Correct --map; --dry-run shows what it makes of the file.")
    return _described({name: dict(problems) for name, problems in tasks.items() if problems}, notes)


def _contradiction(place: ProblemSamples, each: Found) -> str | None:
    """Why a sample cannot stand beside those of its problem that came before it."""
    if each.key is not None and place.key not in (None, each.key):
        return f"its key is {each.key!r}, and that of the same problem was {place.key!r}"
    if each.prompt is not None and place.prompt not in (None, each.prompt):
        return "the same problem was asked otherwise before"
    others = place.samples.get(each.model or MODEL, [])
    if each.n is not None and others:
        same = (others[0].n, others[0].c) == (each.n, each.c)
        return None if same else f"it counts {each.c} of {each.n} right, and another row {others[0].c} of {others[0].n}"
    return None


def _check_gradable(tasks: Mapping[str, dict[str, ProblemSamples]], unfit: list[tuple[str, str]]) -> None:
    """Take out samples that are there twice, and those that neither a key nor a verdict grades."""
    for problems in tasks.values():
        for place in problems.values():
            for model, samples in place.samples.items():
                kept: list[Found] = []
                place.samples[model] = kept
                seen: set[float] = set()
                for each in sorted(samples, key=lambda s: 0.0 if s.index is None else s.index):
                    if each.n is not None:
                        kept[:] = [each]
                    elif place.key is None and each.correct is None:
                        unfit.append((each.place, "neither a key nor a verdict tells whether it is right"))
                    elif each.index in seen:
                        unfit.append((each.place, f"its problem has sample {each.index:g} already"))
                    else:
                        kept.append(each)
                    if each.index is not None:
                        seen.add(each.index)


def _drop_partly_drawn(tasks: Mapping[str, dict[str, ProblemSamples]], notes: list[str]) -> None:
    """Models are compared on the same problems, so those that one of them has no samples of are left out."""
    for name, problems in tasks.items():
        models = {model for place in problems.values() for model, samples in place.samples.items() if samples}
        partly = [id_ for id_, place in problems.items() if any(not place.samples.get(model) for model in models)]
        for id_ in partly:
            del problems[id_]
        if partly and models:
            notes.append(
                f"{len(partly)} problems of {name} were left out, since some model has no samples of them "
                f"({', '.join(partly[:3])}{', …' if len(partly) > 3 else ''})."
            )


def _described(tasks: Mapping[str, Mapping[str, ProblemSamples]], notes: list[str]) -> Arranged:
    by_model: dict[str, list[Found]] = defaultdict(list)
    for problems in tasks.values():
        for place in problems.values():
            for model, samples in place.samples.items():
                by_model[model] += samples
    everything = [each for samples in by_model.values() for each in samples]
    return Arranged(
        tasks=tasks,
        models=list(by_model),
        held={model: _held(model, samples, notes) for model, samples in by_model.items()},
        counts=any(each.n is not None for each in everything),
        graded=any(each.correct is not None or each.n is not None for each in everything),
        verifiers=list(dict.fromkeys(name for each in everything for name in each.scores)),
    )


def _held(model: str, samples: Sequence[Found], notes: list[str]) -> frozenset[PoolField]:
    """What is known of all samples of a model; of answers, texts and probes, what is known of any."""
    told = Counter(
        kind
        for each in samples
        for kind, value in (
            (PoolField.TOKENS, each.completion_tokens),
            (PoolField.PROMPT_TOKENS, each.prompt_tokens),
            (PoolField.SECONDS, each.seconds),
            (PoolField.FINISH, each.finish),
            (PoolField.TEXTS, each.text),
            (PoolField.PROBES, each.probes),
            (PoolField.ANSWERS, each.text if each.answer is None else each.answer),
        )
        if value is not None
    )
    of_any = {PoolField.ANSWERS, PoolField.TEXTS, PoolField.PROBES}
    for kind, count in told.items():
        if kind not in of_any and count < len(samples):
            notes.append(
                f"{kind} are missing for {len(samples) - count:,} of {len(samples):,} samples of {model}, so "
                f"that they are taken as not measured."
            )
    return frozenset(kind for kind, count in told.items() if kind in of_any or count == len(samples))


def _size(samples: Sequence[Found]) -> int:
    return sum(1 if each.n is None else each.n for each in samples)
