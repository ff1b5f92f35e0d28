"""The figures of the section on stopping: what rules save and lose, and one vote as it ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from perpend.report import formats
from perpend.report.charts import SAVED
from perpend.report.figures import Figure, Row, SeriesOf, Variant, steps
from perpend.study.results import StoppedVotes, StoppingPoint, StoppingRule, TaskResult, VoteRace

SHOWN = 28
"""Characters of an answer beside its line."""
LABEL_HEIGHT = 0.06
"""Of the height of the chart."""


@dataclass(frozen=True)
class Stops:
    """What one task has to say on stopping, engine by engine.

    Attributes:
        rules: what stopping saves, its figure, and each rule as the study asked for it, the thriftiest first.
        races: a vote as it ran, and its figure.
    """

    rules: Sequence[tuple[StoppedVotes, Figure, Sequence[tuple[StoppingRule, StoppingPoint]]]]
    races: Sequence[tuple[VoteRace, Figure]]

    @property
    def figures(self) -> list[Figure]:
        """All of them."""
        return [figure for _, figure, _ in self.rules] + [figure for _, figure in self.races]


def of_task(task: TaskResult, slug: str, series: SeriesOf) -> Stops:
    """Everything on stopping that was measured on a task."""
    return Stops(
        rules=[
            (votes, trade(f"{slug}-trade-{i}", task.task, votes, series), _own_points(votes))
            for i, votes in enumerate(task.stopping)
        ],
        races=[
            (race, votes_over_time(f"{slug}-race-{i}", task.task, race, series)) for i, race in enumerate(task.races)
        ],
    )


def trade(name: str, where: str, votes: StoppedVotes, series: SeriesOf) -> Figure:
    """Accuracy against the full vote, over what is saved: one curve a rule."""
    rows = [row for rule in votes.rules for row in _trade_rows(votes.engine, rule, series)]
    return Figure(
        id=name, kind="trade", title=f"What stopping saves, and what it loses{_on(votes.engine, series)}",
        alt=f"On {where}: accuracy minus that of a vote over {votes.n} samples, against the share of it that is saved, "
        "one line a stopping rule over its settings. A table of it is below.",
        variants=[Variant(axis.label, f"trade-{axis.field}") for axis in SAVED if any(row[axis.field] for row in rows)],
        rows=rows, series=[series[votes.engine, rule.strategy] for rule in votes.rules], note=str(votes.n),
        head=["Rule", "Samples", "Samples saved (95 %)", "Tokens", "Tokens saved", "Accuracy against the vote, points",
              "Ended early", "Certificate", "Stopped off the mode (95 %)"],
        cells=[
            [p.strategy, formats.number(p.samples), formats.percent_estimate(p.samples_saved), formats.number(p.tokens),
             formats.percent(p.tokens_saved), formats.points(p.difference), formats.percent(p.stopped),
             certificate(p), formats.percent_estimate(p.error)]
            for rule in votes.rules for p in rule.points
        ],
    )  # fmt: skip


def certificate(point: StoppingPoint) -> str:
    """What a rule's early stop may claim."""
    return "heuristic" if point.claimed_error is None else f"anytime-valid, δ = {point.claimed_error:g}"


def _own_points(votes: StoppedVotes) -> list[tuple[StoppingRule, StoppingPoint]]:
    own = [(rule, point) for rule in votes.rules for point in rule.points if point.own]
    return sorted(own, key=lambda pair: pair[1].samples)


def votes_over_time(name: str, where: str, race: VoteRace, series: SeriesOf) -> Figure:
    """How the answers to one problem stood after each sample, and where rules would have stopped."""
    return Figure(
        id=name, kind="race", title=f"A vote as it ran{_on(race.engine, series)}",
        alt=f"Each answer's share of the votes on problem {race.problem} of {where} after 1 to {race.samples} samples; "
        f"the lead changes {race.lead_changes} times.",
        variants=[Variant("", "race")], rows=list(_race_rows(race)), series=(), note=_told(race),
        head=["Answer", "Right", *(f"after {n}" for n in steps(race.samples))],
        cells=[
            [_short(answer.answer), "yes" if answer.right else "no",
             *(str(answer.votes[n - 1]) for n in steps(race.samples))]
            for answer in race.answers
        ],
    )  # fmt: skip


def _on(engine: str, series: SeriesOf) -> str:
    """The engine, where there are several."""
    return f", {engine}" if len({engine for engine, _ in series}) > 1 else ""


def _trade_rows(engine: str, rule: StoppingRule, series: SeriesOf) -> Iterator[Row]:
    line = series[engine, rule.strategy]
    for order, p in enumerate(rule.points):
        yield {
            "s": line.id, "name": p.strategy, "own": p.own, "order": order, "samples_saved": p.samples_saved.value,
            "tokens_saved": p.tokens_saved, "difference": _points(p.difference.value), "low": _points(p.difference.low),
            "high": _points(p.difference.high), "text": formats.points(p.difference),
            "saved_text": formats.percent_estimate(p.samples_saved), "tokens_text": formats.percent(p.tokens_saved),
        }  # fmt: skip


def _points(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _race_rows(race: VoteRace) -> Iterator[Row]:
    places = _apart([answer.votes[-1] / max(race.voters[-1], 1) for answer in race.answers])
    for line, (answer, label_at) in enumerate(zip(race.answers, places, strict=True)):
        shown = {
            "kind": "votes", "s": f"a{line}", "rules": "", "colour": "right" if answer.right else str(line),
            "answer": _short(answer.answer) + (" ✓" if answer.right else ""), "label_at": label_at,
        }  # fmt: skip
        for n, (votes, voters) in enumerate(zip(answer.votes, race.voters, strict=True), start=1):
            if votes:
                share = {"n": n, "share": votes / voters, "text": f"{votes} of {voters} votes"}
                yield shown | share | {"last": n == race.samples}
    for at in sorted({stop.samples for stop in race.stops}):
        rules = [stop.strategy for stop in race.stops if stop.samples == at]
        yield {"kind": "stop", "s": "stop", "n": at, "rules": ", ".join(rules)}


def _apart(shares: Sequence[float]) -> list[float]:
    """Where to write beside lines that end at these shares, without one label on another."""
    placed, lowest = [0.0] * len(shares), 0.0
    for line in sorted(range(len(shares)), key=lambda i: (shares[i], -i)):
        placed[line] = max(shares[line], lowest)
        lowest = placed[line] + LABEL_HEIGHT
    return placed


def _told(race: VoteRace) -> str:
    """Where rules stop, in words."""
    stops = sorted(race.stops, key=lambda stop: (stop.samples, stop.strategy))
    return "; ".join(f"{stop.strategy} after {stop.samples}" for stop in stops)


def _short(answer: str) -> str:
    line = " ".join(answer.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
