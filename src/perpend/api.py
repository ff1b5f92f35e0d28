"""The same as the command line, from Python: sync and async, with results that draw themselves in a notebook.

import perpend

study = perpend.study(task="word_problems", engine="embedded", samples=16)
answer = perpend.solve("What is 17 * 23?", strategy="majority(n=16)")
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from perpend.core import Budget, Engine, Listener, Result, split_top_level
from perpend.study.replayed import played_folder, played_spec
from perpend.study.solve import DEFAULT_STRATEGY
from perpend.study.solve import solve as solve_question
from perpend.study.spec import SPEC, Sampling, StudySpec

if TYPE_CHECKING:
    from rich.table import Table

    from perpend.study import StudyListener
    from perpend.study.results import Results

T = TypeVar("T")


class Settings(TypedDict, total=False):
    """What a study may be told, apart from what to measure; see `StudySpec` for each."""

    title: str
    samples: int
    seed: int
    budget: str
    per_problem: str
    limit: int
    style: str
    temperature: float
    top_p: float
    max_tokens: int
    thinking_tokens: int
    logprobs: int
    system: str
    max_connections: int
    reproducible: bool
    hourly: float
    price: str | Sequence[str]


@dataclass(frozen=True)
class Study:
    """A finished study: `results`, and a folder that holds everything else. A notebook draws its table."""

    folder: Path
    results: Results

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def headlines(self) -> list[str]:
        """What was found, in three sentences at most."""
        from perpend.report.terminal import headline_lines

        return headline_lines(self.results)

    def table(self) -> Table:
        """Every strategy of every task at its largest N, for `rich.print`."""
        from perpend.report.terminal import summary_table

        return summary_table(self.results)

    def __repr__(self) -> str:
        done = sum(task.problems for task in self.results.tasks)
        total = sum(task.problems_total for task in self.results.tasks)
        return f"<Study {self.results.title!r} in {self.folder}: {done} of {total} problems>"

    def _repr_html_(self) -> str:
        rows = [
            (
                task.task,
                curve.strategy,
                str(p.n),
                f"{p.accuracy:.3f} [{p.low:.3f}, {p.high:.3f}]",
                "–" if p.tokens is None else f"{p.tokens:,.0f}",
            )
            for task in self.results.tasks
            for curve in task.curves
            for p in curve.points[-1:]
        ]
        said = "".join(f"<li>{escape(line)}</li>" for line in self.headlines)
        link = f'<p><a href="{escape(self.report.resolve().as_uri())}">{escape(str(self.report))}</a></p>'
        return f"<ul>{said}</ul>{_html_table(('task', 'strategy', 'N', 'accuracy', 'tokens'), rows)}{link}"


@dataclass(frozen=True)
class Answer:
    """The answer to one question, with its votes and what it cost. A notebook draws them."""

    result: Result

    @property
    def answer(self) -> str | None:
        """None where no sample held one."""
        return self.result.answer

    @property
    def text(self) -> str:
        """The chosen sample's whole text."""
        return self.result.text

    @property
    def votes(self) -> Mapping[str | None, int]:
        """How many samples gave each answer, most first; None stands for no answer."""
        shown: dict[str | None, str | None] = {}
        for sample in self.result.candidates:
            shown.setdefault(sample.key, sample.answer if sample.key is not None else None)
        counts = Counter(sample.key for sample in self.result.candidates)
        return {shown[key]: count for key, count in counts.most_common()}

    @property
    def tokens(self) -> int:
        """prompt − cached + completion, over everything that was asked."""
        return self.result.charge.total.usage.tokens

    @property
    def seconds(self) -> float:
        """From the question to the answer."""
        return self.result.charge.total.latency_seconds

    def __str__(self) -> str:
        return "no answer" if self.answer is None else self.answer

    def _repr_html_(self) -> str:
        rows = [("no answer" if answer is None else answer, str(count)) for answer, count in self.votes.items()]
        cost = f"{len(self.result.candidates)} samples, {self.tokens:,} tokens, {self.seconds:.1f} s"
        stopped = escape(f"{cost}; stopped: {self.result.stop_reason}")
        return f"<p><b>{escape(str(self))}</b></p>{_html_table(('answer', 'votes'), rows)}<p>{stopped}</p>"


async def study_async(
    spec: StudySpec | Path | str | None = None,
    *,
    task: str | Sequence[str] | None = None,
    engine: str | Sequence[str] | None = None,
    strategies: str | Sequence[str] | None = None,
    out: Path | str = "runs/study",
    listener: StudyListener | None = None,
    **settings: Unpack[Settings],
) -> Study:
    """Measure strategies on a model and tasks, and write the report.

    Args:
        spec: a spec, or a TOML file of one, that the rest overrides; without it and without `task`, the quickstart.
        task: one task string or several.
        engine: one engine string or several, each ENGINE or NAME=ENGINE.
        strategies: a string separated by commas, or several.
        out: the study's folder; one that exists is extended.
        listener: told about progress.
        settings: the rest of a `StudySpec`.

    Raises:
        PerpendError: a ConfigError for a setting that cannot be used, a StoreError for a folder that cannot.
    """
    from perpend.report import write_report
    from perpend.study import problem_views, run_study

    given = {"task": task, "engine": engine, "strategies": strategies, **settings}
    folder = Path(out)
    chosen = make_spec(spec, {name: value for name, value in given.items() if value is not None}, folder)
    results = await (run_study(chosen, folder, listener) if listener else run_study(chosen, folder))
    done = Study(folder, results)
    write_report(results, problem_views(folder), done.report)
    return done


def study(
    spec: StudySpec | Path | str | None = None,
    *,
    task: str | Sequence[str] | None = None,
    engine: str | Sequence[str] | None = None,
    strategies: str | Sequence[str] | None = None,
    out: Path | str = "runs/study",
    listener: StudyListener | None = None,
    **settings: Unpack[Settings],
) -> Study:
    """`study_async`, to its end; works in a notebook too."""
    return run_to_end(
        study_async(spec, task=task, engine=engine, strategies=strategies, out=out, listener=listener, **settings)
    )


async def solve_async(
    question: str,
    *,
    strategy: str = DEFAULT_STRATEGY,
    engine: str | Engine = "embedded",
    task: str = "question",
    style: str | None = None,
    budget: Budget | str | None = None,
    sampling: Sampling | None = None,
    seed: int = 0,
    hourly: float | None = None,
    price: str | Sequence[str] = (),
    listener: Listener | None = None,
) -> Answer:
    """Answer one question: see `perpend.study.solve.solve` for the arguments."""
    return Answer(
        await solve_question(
            question,
            strategy=strategy,
            engine=engine,
            task=task,
            style=style,
            budget=budget,
            sampling=sampling,
            seed=seed,
            hourly=hourly,
            price=_listed(price),
            listener=listener,
        )
    )


def solve(
    question: str,
    *,
    strategy: str = DEFAULT_STRATEGY,
    engine: str = "embedded",
    task: str = "question",
    style: str | None = None,
    budget: Budget | str | None = None,
    sampling: Sampling | None = None,
    seed: int = 0,
    hourly: float | None = None,
    price: str | Sequence[str] = (),
    listener: Listener | None = None,
) -> Answer:
    """`solve_async`, to its end; works in a notebook too."""
    return run_to_end(
        solve_async(
            question,
            strategy=strategy,
            engine=engine,
            task=task,
            style=style,
            budget=budget,
            sampling=sampling,
            seed=seed,
            hourly=hourly,
            price=_listed(price),
            listener=listener,
        )
    )


def quickstart() -> StudySpec:
    """The study that ships with the package."""
    with as_file(files("perpend.study") / "quickstart.toml") as path:
        return StudySpec.load(path)


def make_spec(spec: StudySpec | Path | str | None, given: Mapping[str, Any], folder: Path | None = None) -> StudySpec:
    """A spec and what overrides it. Raises ConfigError.

    Without a spec and without tasks it is the study that the folder holds already, else the one that the engine plays
    again, else the quickstart's.
    """
    if isinstance(spec, Path | str):
        spec = StudySpec.load(Path(spec))
    if spec is None and "task" not in given:
        spec = _unnamed(folder, _listed(given.get("engine", ())))
    base = {} if spec is None else spec.model_dump(exclude_unset=True)
    return StudySpec.of({**base, **{name: SHAPES.get(name, _as_is)(value) for name, value in given.items()}})


def _unnamed(folder: Path | None, engines: Sequence[str]) -> StudySpec:
    """What is studied where nobody says it."""
    if folder is not None and (folder / SPEC).exists():
        return StudySpec.load(folder / SPEC)
    played = played_folder([engine_part(text)["use"] for text in engines])
    return quickstart() if played is None else played_spec(played)


def engine_part(text: str) -> dict[str, str]:
    """ENGINE or NAME=ENGINE, as a study file has it."""
    name, equals, use = text.partition("=")
    return {"name": name, "use": use} if equals and name.replace("-", "_").isidentifier() else {"use": text}


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, in a thread of its own where this one's event loop is already running (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[T | BaseException] = []
    thread = threading.Thread(target=lambda: outcome.append(_outcome(work)), name="perpend")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _outcome(work: Coroutine[Any, Any, T]) -> T | BaseException:
    try:
        return asyncio.run(work)
    except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
        return error


def _parts(texts: str | Iterable[str]) -> list[str]:
    return split_top_level(texts) if isinstance(texts, str) else list(texts)


def _listed(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _as_is(value: Any) -> Any:
    return value


SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "task": lambda texts: [{"use": text} for text in _listed(texts)],
    "engine": lambda texts: [engine_part(text) for text in _listed(texts)],
    "strategies": _parts,
}
"""How what a user writes becomes what a study file holds."""


def _html_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
