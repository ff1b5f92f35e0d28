"""The charts' Vega-Lite specifications. Data comes later, by name: one specification serves every task.

Colours are CSS variables, so that charts follow light, dark and paper without being drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias, get_args

import altair as alt

from perpend.report.series import Series
from perpend.study.results import Unit

Spec: TypeAlias = dict[str, Any]
Layers: TypeAlias = alt.LayerChart | alt.FacetChart
"""What `alt.layer` is typed to return."""
INK, FAINT, LINE = "var(--ink)", "var(--faint)", "var(--ink-2)"
TRUTH, PROXY = "var(--s1)", "var(--s2)"
SHADES: Final = ["#f3f1e9", "#86b6e4"]
"""From the lowest accuracy to the highest; dark text can be read on all of them."""
BANDS: Final = 0.4
"""The opacity of all bands together: many are drawn fainter."""


@dataclass(frozen=True)
class Axis:
    """A kind of compute that accuracy may be drawn against."""

    field: str
    label: str
    title: str


COMPUTE: Final = (
    Axis("tokens", "Tokens", "tokens a question (log scale)"),
    Axis("flops", "FLOPs", "FLOPs a question (log scale)"),
    Axis("latency_seconds", "Latency", "seconds to the answer, at the study's concurrency (log scale)"),
    Axis("usd", "Dollars", "US dollars a question (log scale)"),
    Axis("samples", "Samples", "samples a question (log scale)"),
)
COST: Final = (
    Axis("tokens", "Tokens", "tokens per correct answer (log scale)"),
    Axis("usd", "Dollars", "US dollars per correct answer (log scale)"),
    Axis("device_seconds", "Engine time", "seconds of engine time per correct answer (log scale)"),
)
SAVED: Final = (
    Axis("samples_saved", "Samples", "samples saved against the vote over all"),
    Axis("tokens_saved", "Tokens", "tokens saved against the vote over all"),
)


@lru_cache
def specifications(series: tuple[Series, ...]) -> dict[str, Spec]:
    """All of them, by name. Altair checks each against Vega-Lite's schema, which takes a second: so they are kept."""
    found = {f"accuracy-{axis.field}": accuracy(axis, series) for axis in COMPUTE}
    found |= {f"cost-{axis.field}": cost(axis, series) for axis in COST}
    found |= {f"frontier-{axis.field}": frontier(axis, series) for axis in COMPUTE if axis.field in get_args(Unit)}
    found |= {f"trade-{axis.field}": trade(axis, series) for axis in SAVED}
    found |= {"gaps": gaps(), "difficulty": difficulty(series), "race": race(), "proxy": proxy(), "depth": depth()}
    return {name: _finish(chart) for name, chart in found.items()}


def accuracy(axis: Axis, series: Sequence[Series]) -> Layers:
    """Accuracy against compute: a line, its points and a band for every series."""
    base = alt.Chart().transform_filter(f"isValid(datum.{axis.field}) && datum.{axis.field} > 0")
    x = _log(axis)
    ends = {"y": _share("low"), "y2": alt.Y2("high"), "x": x}
    line = base.mark_line(strokeWidth=2).encode(x=x, y=_share("accuracy"), color=_colour(series), order="n:Q")
    return alt.layer(
        base.mark_area(opacity=min(0.1, BANDS / max(len(series), 1))).encode(color=_colour(series), **ends),
        base.mark_rule(strokeWidth=1.5).encode(color=_colour(series), opacity=_only("datum.single"), **ends),
        line.encode(strokeDash=alt.condition("datum.oracle", alt.value([6, 4]), alt.value([1, 0]))),
        _points(base, series).encode(x=x, y=_share("accuracy"), tooltip=_tooltip(axis)),
        base.mark_text(align="right", dy=-10, color=LINE, fontSize=11).encode(
            x=x, y=_share("accuracy"), text=alt.datum("oracle"), opacity=_only("datum.oracle && datum.last")
        ),
    )


def frontier(axis: Axis, series: Sequence[Series]) -> Layers:
    """Every deployable point; those that no other dominates are coloured and joined."""
    base = alt.Chart().transform_filter(f"datum.{axis.field} > 0")
    best = base.transform_filter("datum.frontier")
    x, y = _log(axis), _share("accuracy")
    return alt.layer(
        best.mark_line(interpolate="step-after", strokeWidth=1.5, color=LINE).encode(x=x, y=y),
        best.mark_rule(opacity=0.55).encode(x=x, y=_share("low"), y2=alt.Y2("high"), color=_colour(series)),
        _points(base.transform_filter("!datum.frontier"), series, FAINT).encode(x=x, y=y, tooltip=_tooltip(axis)),
        _points(best, series, size=110).encode(x=x, y=y, tooltip=_tooltip(axis)),
        best.mark_text(align="left", dx=9, dy=11, color=INK, fontSize=11).encode(x=x, y=y, text="label:N"),
    )


def cost(axis: Axis, series: Sequence[Series]) -> Layers:
    """What a correct answer costs, by N; an interval without upper bound ends in an arrow."""
    base = alt.Chart()
    x = alt.X("n:O").title("samples a question, N").axis(labelAngle=0)
    y = alt.Y("cost:Q").scale(type="log", nice=False, padding=10).title(axis.title)
    y = y.axis(format=".3~s", tickCount=5, gridOpacity=alt.condition("datum.label !== ''", alt.value(1), alt.value(0)))
    offset = alt.XOffset("s:N")
    side = base.encode(x=x, xOffset=offset, color=_colour(series))
    return alt.layer(
        side.mark_rule(strokeWidth=1.5).encode(y=y, y2=alt.Y2("low")),
        side.mark_rule(strokeWidth=1.5).encode(y=alt.Y("high:Q"), y2=alt.Y2("cost")),
        side.mark_point(shape="triangle-up", size=45, filled=False).encode(
            y="high:Q", opacity=alt.condition("datum.open", alt.value(1), alt.value(0))
        ),
        _points(base, series).encode(
            x=x, xOffset=offset, y=y, tooltip=[_name(), _n(), alt.Tooltip("text:N", title=axis.title.split(" (")[0])]
        ),
    )


def gaps() -> Layers:
    """A bar a strategy: right, lost in selection, and never drawn."""
    base = alt.Chart()
    y = (
        alt.Y("s:N")
        .sort(field="order", op="min", order="ascending")
        .axis(None)
        .scale(paddingInner=0.55, paddingOuter=0.45)
    )
    x = alt.X("start:Q").scale(domain=[0, 1]).title("share of the problems").axis(format=".0%", grid=False, tickCount=5)
    parts = ["right", "selection", "coverage"]
    fill = alt.Color("part:N").scale(domain=parts, range=[f"var(--{p})" for p in parts]).legend(None)
    tip = [_name(), _n(), alt.Tooltip("what:N", title="part"), alt.Tooltip("text:N", title="share")]
    bars = base.mark_bar(height=20, stroke="var(--surface)").encode(x=x, x2="end:Q", y=y, color=fill, tooltip=tip)
    inside = base.transform_filter("datum.end - datum.start > 0.09").transform_calculate(
        middle="(datum.start + datum.end) / 2"
    )
    first = base.transform_filter("datum.part === 'right'")
    return alt.layer(
        bars,
        first.mark_rule(strokeWidth=2, color=INK, yOffset=13).encode(x="edge_low:Q", x2="edge_high:Q", y=y),
        inside.mark_text(fontSize=11, color="var(--on-part)").encode(x="middle:Q", y=y, text="short:N"),
        first.mark_text(align="left", dy=-19, color=INK, limit=330).encode(x=alt.datum(0), y=y, text="name:N"),
    )


def difficulty(series: Sequence[Series]) -> Layers:
    """Accuracy in bins of similar problems."""
    x = (
        alt.X("bin:N").sort(field="order", op="min", order="ascending").title(None)
        .axis(labelAngle=0, labelExpr="split(datum.label, '|')", labelLimit=130, labelOverlap=False)
    )  # fmt: skip
    offset = alt.XOffset("s:N")
    base = alt.Chart()
    rule = base.mark_rule(strokeWidth=1.5).encode(
        x=x, xOffset=offset, y=_share("low"), y2=alt.Y2("high"), color=_colour(series)
    )
    tip = [_name(), alt.Tooltip("bin_label:N", title="bin"), alt.Tooltip("text:N", title="accuracy")]
    return alt.layer(rule, _points(base, series).encode(x=x, xOffset=offset, y=_share("accuracy"), tooltip=tip))


def trade(axis: Axis, series: Sequence[Series]) -> Layers:
    """Accuracy lost against what is saved: a line a stopping rule over its settings, its own setting with interval."""
    base = alt.Chart()
    x = alt.X(f"{axis.field}:Q").scale(zero=False, nice=True).title(axis.title).axis(format=".0%", tickCount=6)
    y = alt.Y("difference:Q").scale(zero=True, nice=True).title("accuracy minus the vote's, points").axis(tickCount=6)
    size = alt.condition("datum.own", alt.value(150), alt.value(45))
    tip = [
        alt.Tooltip("name:N", title="setting"),
        alt.Tooltip("text:N", title="accuracy, points"),
        alt.Tooltip("saved_text:N", title="samples saved"),
        alt.Tooltip("tokens_text:N", title="tokens saved"),
    ]
    return alt.layer(
        base.mark_rule(color=LINE, strokeDash=[2, 3]).encode(y=alt.datum(0)),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=_colour(series), order="order:Q"),
        base.mark_rule(strokeWidth=1.5).encode(
            x=x, y=alt.Y("low:Q"), y2=alt.Y2("high"), color=_colour(series), opacity=_only("datum.own", 0.6)
        ),
        _points(base, series).encode(x=x, y=y, size=size, tooltip=tip),
    )


def race() -> Layers:
    """Shares of the votes after each sample, a line an answer; a vertical line where a rule stops."""
    base = alt.Chart()
    votes = base.transform_filter("datum.kind === 'votes'")
    stop = _only("datum.kind === 'stop'")
    ranks = [str(i) for i in range(6)]
    shades = [f"var(--s{i})" for i in (1, 2, 4, 6, 7, 0)]
    colour = alt.Color("colour:N").scale(domain=["right", *ranks], range=["var(--good)", *shades]).legend(None)
    x = (
        alt.X("n:Q")
        .scale(domainMin=1, nice=False)
        .title("samples drawn, in the order stored")
        .axis(tickMinStep=1, format="d")
    )
    y = alt.Y("share:Q").scale(domain=[0, 1]).title("share of the votes").axis(format=".0%", tickCount=6)
    line = votes.mark_line().encode(x=x, y=y, color=colour, detail="s:N")
    tip = [alt.Tooltip("answer:N"), alt.Tooltip("n:Q", title="samples"), alt.Tooltip("text:N", title="votes")]
    return alt.layer(
        base.mark_rule(color=LINE, strokeDash=[4, 3]).encode(x=x, opacity=stop),
        base.mark_text(angle=270, align="right", dy=-6, color=LINE, fontSize=11, limit=240).encode(
            x=x, y=alt.datum(1), text="rules:N", opacity=stop
        ),
        line.encode(strokeWidth=alt.condition("datum.colour === 'right'", alt.value(3), alt.value(1.5))),
        votes.mark_circle(size=60, opacity=0).encode(x=x, y=y, tooltip=tip),
        votes.transform_filter("datum.last")
        .mark_text(align="left", dx=6, fontSize=11.5)
        .encode(x=x, y="label_at:Q", text="answer:N", color=colour),
    )


def proxy() -> Layers:
    """Accuracy with its band on the left axis, the verifier's mean value on the right one, against N."""
    base = alt.Chart()
    x = alt.X("n:Q").scale(type="log", base=2, nice=False).title("samples a question, N (log scale)")
    x = x.axis(format="d", tickCount=6)
    right = alt.Axis(orient="right", titleAlign="right", grid=False, tickCount=6, titleColor=PROXY, labelColor=PROXY)
    value = alt.Y("proxy:Q").scale(zero=False, nice=True).title("verifier (dashed)").axis(right)
    tip = [
        _n(),
        alt.Tooltip("text:N", title="accuracy"),
        alt.Tooltip("proxy:Q", title="verifier's mean value", format=".4~g"),
        alt.Tooltip("kl:N", title="divergence"),
    ]
    peak = _only("datum.peak")
    truth = alt.layer(
        base.mark_area(opacity=0.12, color=TRUTH).encode(x=x, y=_share("low"), y2=alt.Y2("high")),
        base.mark_line(color=TRUTH, strokeWidth=2).encode(x=x, y=_share("accuracy")),
        base.mark_circle(color=TRUTH, size=55).encode(
            x=x, y=_share("accuracy"), tooltip=tip, opacity=_only("datum.step")
        ),
        base.mark_rule(color=LINE, strokeDash=[4, 3]).encode(x=x, opacity=peak),
        base.mark_text(align="left", dx=5, dy=-8, color=INK, fontSize=11).encode(
            x=x, y=_share("high"), text="peak_label:N", opacity=peak
        ),
    )
    thought = base.transform_filter("isValid(datum.proxy)").mark_line(color=PROXY, strokeDash=[6, 4], strokeWidth=2)
    both: alt.LayerChart = alt.layer(truth, thought.encode(x=x, y=value)).resolve_scale(y="independent")
    return both


def depth() -> Layers:
    """Accuracy in a grid of traces and tokens."""
    base = alt.Chart()
    x = alt.X("n:O").title("traces, N").axis(labelAngle=0)
    y = alt.Y("depth:O").sort("descending").title("tokens at which a trace is capped").axis(format=",d", domain=False)
    shade = alt.Color("accuracy:Q").scale(range=SHADES, nice=False).legend(None)
    tip = [
        alt.Tooltip("n:O", title="traces"),
        alt.Tooltip("depth:Q", title="cap, tokens", format=",d"),
        alt.Tooltip("text:N", title="accuracy"),
        alt.Tooltip("tokens:Q", title="tokens a question", format=",.0f"),
    ]
    return alt.layer(
        base.mark_rect(stroke="var(--surface)").encode(x=x, y=y, color=shade, tooltip=tip),
        base.mark_text(fontSize=11, color="var(--on-part)").encode(x=x, y=y, text="short:N"),
    )


def _points(base: alt.Chart, series: Sequence[Series], colour: str | None = None, size: int = 70) -> alt.Chart:
    symbols = alt.Shape("s:N").scale(domain=[s.id for s in series], range=[s.symbol for s in series]).legend(None)
    made: alt.Chart = base.mark_point(filled=True, size=size, opacity=1).encode(
        shape=symbols, color=alt.value(colour) if colour else _colour(series)
    )
    return made


def _only(where: str, opacity: float = 1.0) -> Any:
    """Seen where that holds. A filter that leaves nothing would have Vega warn of scales without data."""
    return alt.condition(where, alt.value(opacity), alt.value(0))


def _colour(series: Sequence[Series]) -> alt.Color:
    return alt.Color("s:N").scale(domain=[s.id for s in series], range=[s.colour for s in series]).legend(None)


def _share(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q").scale(zero=False, nice=True).title("accuracy").axis(format=".0%", tickCount=6)


def _log(axis: Axis) -> alt.X:
    x = alt.X(f"{axis.field}:Q").scale(type="log", nice=False, padding=18).title(axis.title)
    return x.axis(format=".3~s", tickCount=6, labelOverlap="greedy", labelSeparation=8)


def _name() -> alt.Tooltip:
    return alt.Tooltip("name:N", title="strategy")


def _n() -> alt.Tooltip:
    return alt.Tooltip("n:O", title="N")


def _tooltip(axis: Axis) -> list[alt.Tooltip]:
    compute = alt.Tooltip(f"{axis.field}:Q", title=axis.label, format=",.4~s")
    return [_name(), _n(), alt.Tooltip("text:N", title="accuracy"), compute]


def _finish(chart: Layers) -> Spec:
    spec: Spec = chart.properties(data=alt.NamedData("rows"), width="container").to_dict()
    for key in ("config", "$schema"):
        spec.pop(key, None)
    return spec
