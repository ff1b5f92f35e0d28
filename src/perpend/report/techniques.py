"""The cards on techniques: a text a family, `techniques/<family>.md`, and what this study measured of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from perpend.core import ConfigError
from perpend.report import assets, formats
from perpend.strategies import STRATEGIES
from perpend.study.results import Curve, Point, Results, TaskResult

FALLBACK = "There is no card for this strategy; this is its own description."


@dataclass(frozen=True)
class Evidence:
    """What the study measured of one strategy on one task, at its largest N and at its best."""

    task: str
    strategy: str
    n: int
    accuracy: str
    gain: str
    tokens: str
    per_correct: str
    best: str


@dataclass(frozen=True)
class Card:
    """One family: its texts by heading, as HTML, and the evidence."""

    family: str
    title: str
    lead: Markup
    sections: Sequence[tuple[str, Markup]]
    evidence: Sequence[Evidence]


def cards(results: Results) -> list[Card]:
    """A card for each family that the study ran, in order of appearance."""
    families = dict.fromkeys(curve.family for task in results.tasks for curve in task.curves)
    return [_card(family, results) for family in families]


def _card(family: str, results: Results) -> Card:
    title, lead, sections = parse(_text(family))
    return Card(family, title or family, lead, sections, _evidence(family, results))


def _text(family: str) -> str:
    """The family's own file, else its docstring, else a plain statement that there is neither."""
    if re.fullmatch(r"\w+", family):
        try:
            return assets.text(f"techniques/{family}.md")
        except FileNotFoundError:
            pass
    return f"# {family}\n{FALLBACK}\n\n## How it works\n{_docstring(family)}"


def _docstring(family: str) -> str:
    try:
        documented = inspect.getdoc(STRATEGIES.load(family))
    except (ConfigError, ImportError, AttributeError):
        documented = None
    return re.sub(r"^#+ ", "", documented or "It has no docstring either.", flags=re.MULTILINE)


def parse(text: str) -> tuple[str, Markup, list[tuple[str, Markup]]]:
    """Title, lead and sections of a card: `# title`, `## section`, paragraphs, `- lists`, *emphasis*, `code`."""
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    title, _, lead = head.strip().removeprefix("# ").partition("\n")
    sections = [part.partition("\n") for part in parts]
    return title, blocks(lead), [(name.strip(), blocks(body)) for name, _, body in sections]


def blocks(text: str) -> Markup:
    """Paragraphs and lists as HTML; everything in them is escaped."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("- "):
            items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
            found.append(Markup("<ul>%s</ul>") % Markup("").join(Markup("<li>%s</li>") % _inline(i) for i in items))
        elif block:
            found.append(Markup("<p>%s</p>") % _inline(block))
    return Markup("\n").join(found)


def _inline(text: str) -> Markup:
    safe = str(escape(text.strip()))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    safe = re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", safe)
    return Markup(re.sub(r"arXiv (\d{4}\.\d{4,5})", r'<a href="https://arxiv.org/abs/\1">arXiv \1</a>', safe))


def _evidence(family: str, results: Results) -> list[Evidence]:
    return [
        _measured(task, curve, curve.points[-1])
        for task in results.tasks
        for curve in task.curves
        if curve.family == family and curve.points
    ]


def _measured(task: TaskResult, curve: Curve, last: Point) -> Evidence:
    baselines = [c.points[0] for c in task.curves if c.family == "greedy" and c.engine == curve.engine and c.points]
    best = max(curve.points, key=lambda point: point.accuracy)
    several = len({c.engine for c in task.curves}) > 1
    return Evidence(
        task=task.task,
        strategy=f"{curve.engine}: {curve.strategy}" if several else curve.strategy,
        n=last.n,
        accuracy=f"{formats.percent(last.accuracy)} ({formats.percent_range(last.low, last.high)})",
        gain=formats.difference(last.accuracy - baselines[0].accuracy) if baselines else formats.NOTHING,
        tokens=formats.number(last.tokens),
        per_correct=formats.number_estimate(last.cost_per_correct.tokens),
        best=f"{formats.percent(best.accuracy)} at N = {best.n}",
    )
