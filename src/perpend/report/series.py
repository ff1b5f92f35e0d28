"""A strategy on an engine keeps one colour and one symbol through the whole report."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from perpend.study.results import Results

COLOURS = 8
SYMBOLS = (
    "M-.9,0a.9,.9 0 1,0 1.8,0a.9,.9 0 1,0 -1.8,0Z",
    "M-.8,-.8H.8V.8H-.8Z",
    "M0,-1L.95,.75H-.95Z",
    "M0,-1.1L1.1,0L0,1.1L-1.1,0Z",
    "M0,1L.95,-.75H-.95Z",
    "M-.35,-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35Z",
    "M-.75,-.95L1,0L-.75,.95Z",
)
"""SVG paths in the square from −1 to 1, as Vega takes them. Seven of them and eight colours: 56 pairs."""


@dataclass(frozen=True)
class Series:
    """One line of the charts.

    Attributes:
        id: what charts refer to it by: never a name that someone else chose.
        label: what people read.
        colour: a CSS colour, by variable, so that it follows the theme.
    """

    id: str
    label: str
    strategy: str
    engine: str
    oracle: bool
    colour: str
    symbol: str

    def as_dict(self) -> dict[str, object]:
        """For the page's script."""
        return asdict(self)


Key = tuple[str, str]
"""(engine, strategy)."""


def all_series(results: Results) -> dict[Key, Series]:
    """Every series of the report by (engine, strategy), in order of first appearance."""
    oracles: dict[Key, bool] = {}
    for task in results.tasks:
        oracles |= {(c.engine, c.strategy): c.oracle for c in task.curves}
    oracles |= {(h.engine, h.strategy): h.oracle for h in results.headlines}
    many = len({engine for engine, _ in oracles}) > 1
    return {key: _series(i, key, oracle, many) for i, (key, oracle) in enumerate(oracles.items())}


def _series(index: int, key: Key, oracle: bool, many_engines: bool) -> Series:
    engine, strategy = key
    return Series(
        id=f"s{index}",
        label=f"{engine}: {strategy}" if many_engines else strategy,
        strategy=strategy,
        engine=engine,
        oracle=oracle,
        colour="var(--oracle)" if oracle else f"var(--s{index % COLOURS})",
        symbol=SYMBOLS[index % len(SYMBOLS)],
    )
