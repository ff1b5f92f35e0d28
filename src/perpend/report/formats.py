"""How figures are written, in the page and in a terminal. What was not measured is an en dash."""

from __future__ import annotations

from perpend.study.results import Estimate

NOTHING = "–"
_NARROW = "\u202f"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as 53.1 %."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}{_NARROW}%"


def percent_range(low: float | None, high: float | None) -> str:
    """The ends of a share's interval: 45.0 to 61.2; an end without bound is ∞."""
    return f"{_end(low, 100, '−∞')} to {_end(high, 100, '∞')}"


def percent_estimate(estimate: Estimate | None) -> str:
    """A share with its interval: 53.1 % (45.0 to 61.2)."""
    if estimate is None or estimate.value is None:
        return NOTHING
    return f"{percent(estimate.value)} ({percent_range(estimate.low, estimate.high)})"


def points(estimate: Estimate | None) -> str:
    """A difference of shares in points: +7.1 (+1.2 to +13.0)."""
    if estimate is None or estimate.value is None:
        return NOTHING
    ends = (_end(estimate.low, 100, "−∞", "+"), _end(estimate.high, 100, "∞", "+"))
    return f"{_end(estimate.value, 100, NOTHING, '+')} ({ends[0]} to {ends[1]})"


def difference(value: float) -> str:
    """A difference of shares in points: +7.1."""
    return _end(value, 100, NOTHING, "+")


def number(value: float | None) -> str:
    """A count or a cost: 12,345 · 12.3 · 0.0123."""
    if value is None:
        return NOTHING
    if abs(value) >= 1e6:
        return si(value)
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def number_estimate(estimate: Estimate | None) -> str:
    """A cost with its interval: 540 (480 to 650); an end without bound is ∞."""
    if estimate is None or estimate.value is None:
        return NOTHING
    low = "−∞" if estimate.low is None else number(estimate.low)
    return f"{number(estimate.value)} ({low} to {'∞' if estimate.high is None else number(estimate.high)})"


def si(value: float | None, unit: str = "") -> str:
    """A large number with its prefix: 1.2 GFLOP."""
    if value is None:
        return NOTHING
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}{_NARROW}{prefix}{unit}"
    return f"{value:.3g}{_NARROW}{unit}".rstrip(_NARROW)


def usd(value: float | None) -> str:
    """Dollars with three digits: $0.00123."""
    return NOTHING if value is None else f"${value:,.2f}" if value >= 1 else f"${value:.3g}"


def dollars(known: float | None, unpriced_tokens: float) -> str:
    """Dollars with the tokens that they leave out: $0.12 and 4,000 tokens without a price."""
    if known is None or not unpriced_tokens:
        return usd(known)
    return f"{usd(known)} and {number(round(unpriced_tokens))} tokens without a price"


def seconds(value: float | None) -> str:
    """A duration: 0.52 s · 12 min 3 s · 2 h 5 min."""
    if value is None:
        return NOTHING
    if value < 60:
        return f"{value:.3g}{_NARROW}s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def p_value(value: float) -> str:
    """A p value: 0.012, or < 0.001."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _end(value: float | None, scale: float, unbounded: str, sign: str = "") -> str:
    if value is None:
        return unbounded
    shown = round(scale * value, 1) + 0.0
    return f"{shown:{sign}.1f}".replace("-", "−")
