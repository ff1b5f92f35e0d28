"""The figures of the page: rows for the chart, the same numbers as a table, and what a screen reader says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from perpend.report import formats
from perpend.report.charts import COMPUTE, COST, Axis
from perpend.report.series import Key, Series
from perpend.study.results import Curve, Estimate, Gaps, Headline, HeadlinePoint, Point, ProxyCurve, TaskResult

Row = dict[str, object]
SeriesOf = Mapping[Key, Series]
LABEL_ROOM = (0.17, 0.08)
"""A label's share of a chart's width and height, on a phone."""


@dataclass(frozen=True)
class Variant:
    """One view of a figure: a specification, and the rows that it shows."""

    label: str
    spec: str
    where: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A chart, the switch above it, its legend and its table.

    Attributes:
        kind: picks the caption, `templates/captions/<kind>.html`.
        missing: what it cannot show, because it was not measured.
    """

    id: str
    kind: str
    title: str
    alt: str
    variants: Sequence[Variant]
    rows: Sequence[Row]
    series: Sequence[Series]
    head: Sequence[str]
    cells: Sequence[Sequence[str]]
    height: int = 330
    missing: Sequence[str] = ()
    note: str = ""


def of_task(task: TaskResult, slug: str, series: SeriesOf) -> list[Figure]:
    """The figures of one task that have anything to show."""
    made = (
        accuracy(f"{slug}-accuracy", task.task, task.curves, series),
        frontier(f"{slug}-frontier", task, series),
        cost(f"{slug}-cost", task, series),
        gaps(f"{slug}-gaps", task, series),
        difficulty(f"{slug}-difficulty", task, series),
        proxy(f"{slug}-proxy", task, series),
        depth(f"{slug}-depth", task),
    )
    return [figure for figure in made if figure.rows and figure.variants]


def accuracy(name: str, where: str, curves: Sequence[Curve] | Sequence[Headline], series: SeriesOf) -> Figure:
    """Accuracy against every kind of compute that was measured."""
    rows = [
        _point(series[c.engine, c.strategy], p) | {"single": len(c.points) == 1, "last": p is c.points[-1]}
        for c in curves
        for p in c.points
    ]
    shown, missing = _split(COMPUTE, rows)
    return Figure(
        id=name, kind="accuracy", title="Accuracy against compute",
        alt=f"Accuracy against compute on {where}: one line a strategy, with 95 % bands. A table of it is below.",
        variants=[Variant(a.label, f"accuracy-{a.field}") for a in shown],
        rows=rows, series=_used(curves, series), missing=[a.label for a in missing],
        head=["Strategy", "N", "Accuracy", "95 % interval", *(a.label for a in shown)],
        cells=[
            [s.label + (" (oracle)" if s.oracle else ""), str(p.n), formats.percent(p.accuracy),
             formats.percent_range(p.low, p.high), *(_cost(a, p) for a in shown)]
            for s, p in _pairs(curves, series)
        ],
    )  # fmt: skip


def frontier(name: str, task: TaskResult, series: SeriesOf) -> Figure:
    """Which deployable points are worth their tokens."""
    best = set(task.frontier)
    labelled = _labelled(task)
    axis = next(a for a in COMPUTE if a.field == task.unit)
    curves = [c for c in task.curves if not c.oracle]
    rows: list[Row] = [
        _point(series[c.engine, c.strategy], p)
        | {
            "frontier": (c.engine, c.strategy, p.n) in best,
            "label": f"N = {p.n}" if (c.engine, c.strategy, p.n) in labelled else "",
        }
        for c in curves
        for p in c.points
    ]
    ordered = sorted(_pairs(curves, series), key=lambda pair: float(getattr(pair[1], task.unit)))
    return Figure(
        id=name, kind="frontier", title="Pareto frontier",
        alt=f"Accuracy against {task.unit} on {task.task}, every deployable setting; {len(best)} are not dominated.",
        variants=[Variant(axis.label, f"frontier-{axis.field}")], rows=rows, series=_used(curves, series),
        head=["Strategy", "N", axis.label, "Accuracy", "On the frontier"],
        cells=[
            [s.label, str(p.n), _cost(axis, p), formats.percent(p.accuracy),
             "yes" if (s.engine, s.strategy, p.n) in best else "dominated"]
            for s, p in ordered
        ],
    )  # fmt: skip


def cost(name: str, task: TaskResult, series: SeriesOf) -> Figure:
    """What one correct answer costs."""
    curves = [c for c in task.curves if not c.oracle]
    shown = [a for a in COST if any(_has(getattr(p.cost_per_correct, a.field)) for c in curves for p in c.points)]
    drawn = steps(max((p.n for c in curves for p in c.points), default=1))
    rows = [row for a in shown for row in _cost_rows(a, curves, series) if row["n"] in drawn]
    return Figure(
        id=name, kind="cost", title="Cost per correct answer",
        alt=f"Cost of one correct answer on {task.task} by strategy and number of samples, with 95 % intervals.",
        variants=[Variant(a.label, f"cost-{a.field}", {"unit": a.field}) for a in shown],
        rows=rows, series=_used(curves, series), missing=[a.label for a in COST if a not in shown],
        head=["Strategy", "N", *(f"{a.label} per correct answer" for a in shown)],
        cells=[
            [s.label, str(p.n), *(formats.number_estimate(getattr(p.cost_per_correct, a.field)) for a in shown)]
            for s, p in _pairs(curves, series)
            if isinstance(p, Point)
        ],
    )  # fmt: skip


def gaps(name: str, task: TaskResult, series: SeriesOf) -> Figure:
    """Where accuracy is lost: in what was drawn, or in the choice among it."""
    sizes = sorted({g.n for g in task.gaps}, reverse=True)
    rows = [row for gap in task.gaps for row in _gap_rows(gap, series)]
    most = max((len(g.selection_gap) for g in task.gaps), default=0) * len({g.engine for g in task.gaps})
    return Figure(
        id=name, kind="gaps", title="Where accuracy is lost",
        alt=f"Share of the problems of {task.task} answered right, lost in selection and never drawn, by strategy.",
        variants=[Variant(f"N = {n}", "gaps", {"n": n}) for n in sizes], rows=rows, series=(), height=48 * most + 20,
        head=["Strategy", "N", "Right", "Selection gap (points)", "Coverage gap"],
        cells=[
            [_label(series, g.engine, s), str(g.n), formats.percent((g.coverage.value or 0) - (e.value or 0)),
             formats.points(e), formats.percent(g.coverage_gap)]
            for g in task.gaps for s, e in g.selection_gap.items()
        ],
    )  # fmt: skip


def difficulty(name: str, task: TaskResult, series: SeriesOf) -> Figure:
    """Who wins on which problems."""
    rows: list[Row] = [
        {"s": series[d.engine, s].id, "name": series[d.engine, s].label, "engine": d.engine, "order": i,
         "bin": f"{b.label.replace('|', '/')}|n = {b.problems:.3g}", "bin_label": b.label,
         "accuracy": e.value, "low": e.low, "high": e.high, "text": formats.percent_estimate(e)}
        for d in task.difficulty for i, b in enumerate(d.bins) for s, e in b.accuracy.items()
        if (d.engine, s) in series and e.value is not None
    ]  # fmt: skip
    used = {row["s"] for row in rows}
    return Figure(
        id=name, kind="difficulty", title="By difficulty",
        alt=f"Accuracy on {task.task} in bins of similar difficulty, by strategy, with 95 % intervals.",
        variants=[Variant(f"{d.engine}, N = {d.n}", "difficulty", {"engine": d.engine}) for d in task.difficulty],
        rows=rows, series=[s for s in series.values() if s.id in used],
        note="; ".join(dict.fromkeys(f"N = {d.n}, {d.method}" for d in task.difficulty)),
        head=["Bin", "Problems", "Strategy", "Accuracy (95 % interval)"],
        cells=[
            [b.label, f"{b.problems:.3g}", _label(series, d.engine, s), formats.percent_estimate(e)]
            for d in task.difficulty for b in d.bins for s, e in b.accuracy.items()
        ],
    )  # fmt: skip


def proxy(name: str, task: TaskResult, series: SeriesOf) -> Figure:
    """What verifiers think of their choices, beside how right those are."""
    curves = [c for c in task.proxies if any(p.proxy is not None for p in c.points)]
    lines = [(c, series[c.engine, c.strategy]) for c in curves]
    rows: list[Row] = [
        {"s": s.id, "n": p.n, "proxy": p.proxy, "accuracy": p.accuracy.value, "low": p.accuracy.low,
         "high": p.accuracy.high, "text": formats.percent_estimate(p.accuracy), "kl": f"{p.kl_bound:.2f} nats at most",
         "step": p.n in steps(c.points[-1].n), "peak": p.n == c.best_n and _falls(c),
         "peak_label": f"best at N = {c.best_n}"}
        for c, s in lines for p in c.points
    ]  # fmt: skip
    return Figure(
        id=name, kind="proxy", title="What the verifier thinks, and what is true",
        alt=f"Accuracy and the verifier's mean value of what it chooses on {task.task}, against N, by strategy.",
        variants=[Variant(s.label, "proxy", {"s": s.id}) for _, s in lines], rows=rows, series=(),
        note=", ".join(f"{s.label} ({formats.points(c.fall)} points)" for c, s in lines if _falls(c)),
        head=["Strategy", "N", "Verifier's mean value", "Accuracy (95 % interval)", "Divergence, nats at most",
              "Fall from the best N to the largest, points"],
        cells=[
            [s.label, str(p.n), formats.number(p.proxy), formats.percent_estimate(p.accuracy), f"{p.kl_bound:.2f}",
             formats.points(c.fall) if p is c.points[-1] else ""]
            for c, s in lines for p in c.points
        ],
    )  # fmt: skip


def depth(name: str, task: TaskResult) -> Figure:
    """Accuracy over traces and the tokens that each may think for."""
    cells = [(m, cell) for m in task.depths for cell in m.cells]
    rows: list[Row] = [
        {"s": "", "engine": m.engine, "n": cell.n, "depth": cell.depth, "accuracy": cell.accuracy.value,
         "text": formats.percent_estimate(cell.accuracy), "tokens": cell.tokens,
         "short": f"{100 * (cell.accuracy.value or 0):.0f}"}
        for m, cell in cells
    ]  # fmt: skip
    tallest = max((len({cell.depth for cell in m.cells}) for m in task.depths), default=0)
    return Figure(
        id=name, kind="depth", title="Width and depth",
        alt=f"Accuracy of a vote on {task.task} by number of traces and the tokens at which each is capped.",
        variants=[Variant(m.engine, "depth", {"engine": m.engine}) for m in task.depths], rows=rows, series=(),
        height=24 * tallest + 60, note=", ".join(dict.fromkeys(f"{m.every:,}" for m in task.depths)),
        head=["Engine", "Traces", "Cap, tokens", "Accuracy (95 % interval)", "Tokens a question"],
        cells=[
            [m.engine, str(cell.n), formats.number(cell.depth), formats.percent_estimate(cell.accuracy),
             formats.number(cell.tokens)]
            for m, cell in cells
        ],
    )  # fmt: skip


def _falls(curve: ProxyCurve) -> bool:
    """Whether accuracy is lower at the largest N than at its best one, beyond chance."""
    return curve.fall.low is not None and curve.fall.low > 0


def steps(most: int) -> list[int]:
    """1, 2, 4, … and the most."""
    return sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most})


def _labelled(task: TaskResult) -> set[tuple[str, str, int]]:
    """Of the frontier, the points that have room for a label on a phone: the most accurate one, and back from it those
    that stand far enough from the last one labelled.
    """
    points = {(c.engine, c.strategy, p.n): p for c in task.curves if not c.oracle for p in c.points}
    at = {key: (log(getattr(p, task.unit) or 1), p.accuracy) for key, p in points.items()}
    costs, ends = [cost for cost, _ in at.values()], [end for p in points.values() for end in (p.low, p.high)]
    wide, high = (max(values, default=0.0) - min(values, default=0.0) or 1.0 for values in (costs, ends))
    chosen: list[tuple[str, str, int]] = []
    for key in reversed(task.frontier):
        gaps = [(abs(at[key][0] - at[c][0]) / wide, abs(at[key][1] - at[c][1]) / high) for c in chosen]
        if all(across > LABEL_ROOM[0] or up > LABEL_ROOM[1] for across, up in gaps):
            chosen.append(key)
    return set(chosen)


def _point(series: Series, point: Point | HeadlinePoint) -> Row:
    return {
        "s": series.id, "name": series.label, "oracle": series.oracle, "n": point.n,
        "accuracy": point.accuracy, "low": point.low, "high": point.high,
        "text": f"{formats.percent(point.accuracy)} ({formats.percent_range(point.low, point.high)})",
        **{axis.field: getattr(point, axis.field) for axis in COMPUTE},
    }  # fmt: skip


def _cost_rows(axis: Axis, curves: Sequence[Curve], series: SeriesOf) -> Iterator[Row]:
    known: list[tuple[Series, int, Estimate]] = [
        (series[c.engine, c.strategy], p.n, getattr(p.cost_per_correct, axis.field))
        for c in curves
        for p in c.points
        if _has(getattr(p.cost_per_correct, axis.field))
    ]
    top = 1.5 * max(max(e.value or 0, e.high or 0) for _, _, e in known) if known else None
    for s, n, e in known:
        yield {
            "s": s.id, "name": s.label, "n": n, "unit": axis.field, "cost": e.value,
            "low": e.low or e.value, "high": e.high or top, "open": e.high is None, "text": formats.number_estimate(e),
        }  # fmt: skip


def _gap_rows(gap: Gaps, series: SeriesOf) -> Iterator[Row]:
    covered = gap.coverage.value or 0.0
    for order, (strategy, lost) in enumerate(gap.selection_gap.items()):
        gap_width = lost.value or 0.0
        right = covered - gap_width
        edge: Row = {
            "edge_low": covered - (gap_width if lost.high is None else lost.high),
            "edge_high": covered - (gap_width if lost.low is None else lost.low),
        }
        name = _label(series, gap.engine, strategy)
        parts = (
            ("right", "right", 0.0, right, formats.percent(right)),
            ("selection", "selection gap", right, covered, formats.points(lost)),
            ("coverage", "coverage gap", covered, 1.0, formats.percent(gap.coverage_gap)),
        )
        for part, what, start, end, text in parts:
            yield {
                "s": f"{gap.engine}/{strategy}", "name": name, "n": gap.n, "order": order, "part": part, "what": what,
                "start": min(start, end), "end": max(start, end), "text": text, "short": f"{100 * (end - start):.0f} %",
            } | (edge if part == "right" else {})  # fmt: skip


def _cost(axis: Axis, point: Point | HeadlinePoint) -> str:
    value = getattr(point, axis.field)
    if axis.field == "usd":
        return formats.usd(value)
    if axis.field == "latency_seconds":
        return formats.seconds(value)
    return formats.si(value) if axis.field == "flops" else formats.number(value)


def _split(axes: Iterable[Axis], rows: Sequence[Row]) -> tuple[list[Axis], list[Axis]]:
    shown = [a for a in axes if any(row[a.field] for row in rows)]
    return shown, [a for a in axes if a not in shown]


def _has(estimate: Estimate | None) -> bool:
    return estimate is not None and bool(estimate.value) and estimate.value is not None and estimate.value > 0


def _label(series: SeriesOf, engine: str, strategy: str) -> str:
    known = series.get((engine, strategy))
    return known.label if known else strategy


def _used(curves: Sequence[Curve] | Sequence[Headline], series: SeriesOf) -> list[Series]:
    return [series[c.engine, c.strategy] for c in curves]


def _pairs(
    curves: Sequence[Curve] | Sequence[Headline], series: SeriesOf
) -> list[tuple[Series, Point | HeadlinePoint]]:
    return [(series[c.engine, c.strategy], p) for c in curves for p in c.points]
