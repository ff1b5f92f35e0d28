"""Results → the page."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perpend.report import assets, charts, figures, formats, ranking, samples, stopping, techniques
from perpend.report.series import all_series
from perpend.study.results import Cost, PlannedAndActual, ProblemView, Recommendation, Results

SCRIPTS = ("static/charts.js", "static/browser.js")
MANY_TASKS = 4


def write_report(results: Results, problems: Iterable[ProblemView], path: Path) -> None:
    """Write the page whole or not at all.

    Raises:
        OSError: when the folder cannot be written to.
    """
    page = render(results, problems).encode()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def render(results: Results, problems: Iterable[ProblemView]) -> str:
    """The page as one self-contained HTML text; the same input gives the same text."""
    scripts = [assets.vega_bundle(), *(assets.script_safe(assets.text(name)) for name in SCRIPTS)]
    template = environment().get_template("page.html")
    return template.render(
        results=results,
        style=Markup(assets.text("static/report.css")),
        scripts=[Markup(script) for script in scripts],
        policy=" ".join(assets.csp_hash(script) for script in scripts),
        many_tasks=len(results.tasks) > MANY_TASKS,
        cards=techniques.cards(results),
        planned_alone=planned_alone,
        raw=base64.b64encode(results.model_dump_json().encode()).decode(),
        **_charts(results),
        **_samples(problems),
    )


def environment() -> Environment:
    """Jinja with escaping on, undefined names refused, and the formats as filters."""
    made = Environment(
        loader=PackageLoader("perpend.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    for name in (
        "percent", "percent_estimate", "percent_range", "points", "number", "number_estimate", "si", "usd", "dollars",
    ):  # fmt: skip
        made.filters[name] = getattr(formats, name)
    made.filters |= {
        "seconds": formats.seconds,
        "p_value": formats.p_value,
        "name": breakable,
        "changes": changes,
        "scale": ranking.scale,
    }
    return made


def breakable(name: str) -> Markup:
    """A strategy's name as code, which may be broken where its grammar has a joint."""
    return Markup("<code>%s</code>") % Markup("<wbr>").join(re.split(r"(?<=[(,=/:])", name))


def changes(advice: Iterable[Recommendation]) -> list[Recommendation]:
    """Advice by rising budget, without the rows that say the same as the one before."""
    runs = groupby(advice, key=lambda row: (row.engine, row.strategy, row.n))
    return [next(rows) for _, rows in runs]


def planned_alone(plan: PlannedAndActual) -> list[tuple[str, int, Cost, Cost | None]]:
    """Each strategy of a forecast: its name, N, what was to be bought for it, and what was."""
    many = len(plan.forecast.prices) > 1
    return [
        (f"{line.engine}: {line.strategy}" if many else line.strategy, line.n, line.cost, actual)
        for line, actual in zip(plan.forecast.strategies, plan.strategies, strict=True)
    ]


def slugs(names: Iterable[str]) -> list[str]:
    """An id for each name, letters and digits only, unique by its number."""
    return [f"t{i}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:40]}" for i, name in enumerate(names)]


def _charts(results: Results) -> dict[str, Any]:
    series = all_series(results)
    everywhere = [h for h in results.headlines if len(h.tasks) == len(results.tasks) > 1]
    headline = figures.accuracy("all-accuracy", "all tasks", everywhere, series) if everywhere else None
    partly = [series[h.engine, h.strategy].label for h in results.headlines if h not in everywhere]
    by_task = [
        (slug, task, figures.of_task(task, slug, series))
        for slug, task in zip(slugs(t.task for t in results.tasks), results.tasks, strict=True)
    ]
    stops = [(slug, task, stopping.of_task(task, slug, series)) for slug, task, _ in by_task]
    drawn = [figure for _, _, found in by_task for figure in found]
    drawn += [figure for _, _, found in stops for figure in found.figures]
    drawn += [headline] if headline and headline.rows else []
    payload = {
        "specs": charts.specifications(tuple(series.values())) if drawn else {},
        "figures": {f.id: {"alt": f.alt, "height": f.height, "rows": f.rows, "variants": f.variants} for f in drawn},
    }
    return {
        "by_task": by_task,
        "stopping": [stop for stop in stops if stop[2].figures],
        "series": series,
        "headline": headline,
        "partly": partly,
        "payload": Markup(assets.json_for_script(payload)),
    }


def _samples(problems: Iterable[ProblemView]) -> dict[str, Any]:
    text, shown, drawn = samples.pack(problems)
    return {"samples": text, "problem_count": shown, "sample_count": drawn}
