"""The executive summary: one sentence a finding, each with the figure that it rests on, whatever its sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from perpend.core import Floats
from perpend.stats import Interval, mean_interval, mover, paired_interval
from perpend.study.evaluate import Analysis, Evaluated, estimate, per_correct
from perpend.study.limits import limit, limits, percent
from perpend.study.results import Finding, FindingKind, Results

CHECKER = "best_of_n(verifier=check)"


def find(results: Results, analyses: Sequence[Analysis]) -> list[Finding]:
    """All findings, the three headline lines first. With several engines, the headlines are the first one's."""
    engines = [engine.name for engine in results.engines]
    measured = [analysis for analysis in analyses if any(count.samples for count in analysis.result.counts)]
    if not measured:
        return [
            limit("No problem was completed, so there is nothing to report."),
            *limits(results, analyses),
        ]
    found = _named(_headline(measured, engines[0]), engines[0], engines)
    for analysis in measured:
        for engine in engines:
            found += _named(_of_task(analysis, engine), engine, engines)
        found += _advice(analysis)
    return [*found, *limits(results, analyses)]


def _of_task(analysis: Analysis, engine: str) -> Iterator[Finding]:
    for about in (_votes, _coverage, _checker, _cost):
        yield from about(analysis, engine)


def _named(found: Iterable[Finding], engine: str, engines: Sequence[str]) -> list[Finding]:
    """Each sentence with the engine that it is about, where there are several."""
    if len(engines) == 1:
        return list(found)
    return [finding.model_copy(update={"sentence": f"{engine}: {finding.sentence}"}) for finding in found]


# --- over all tasks -------------------------------------------------------------------------------------------------


def _headline(analyses: Sequence[Analysis], engine: str) -> Iterator[Finding]:
    voted = [analysis for analysis in analyses if _vote_gain(analysis, engine) is not None]
    if voted:
        gains = [paired_interval(gain) for analysis in voted if (gain := _vote_gain(analysis, engine)) is not None]
        whole = _over_tasks(gains)
        sentence = _vote_sentence(voted, engine, f"On average over {_tasks(voted)}")
        yield Finding(kind=FindingKind.VOTES, task=None, sentence=sentence, figure=estimate(whole), headline=True)
    headroom = [d for analysis in analyses if (d := _headroom(analysis, engine)) is not None]
    if headroom:
        whole = _over_tasks([paired_interval(gap) for gap in headroom])
        checked = [c for analysis in analyses for c in _checker(analysis, engine)]
        sentence = (
            f"A perfect verifier could unlock {_points(whole)} over the vote, mean of {_tasks(headroom)}: right "
            f"answers that are among the samples and are not chosen."
        )
        if checked:
            sentence += f" {checked[0].sentence}"
        yield Finding(kind=FindingKind.COVERAGE, task=None, sentence=sentence, figure=estimate(whole), headline=True)
    costs = [tags for analysis in analyses if (tags := _price_tags(analysis, engine))]
    if costs:
        sentence = f"A correct answer costs, in tokens: {'; '.join(costs)}."
        yield Finding(kind=FindingKind.COST, task=None, sentence=sentence, headline=True)


def _price_tags(analysis: Analysis, engine: str) -> str:
    """What a correct answer costs with greedy, the vote and the checker; empty where none was studied or priced."""
    if analysis.result.unit != "tokens":
        return ""
    tags = [
        (name, n, cost)
        for name in ("greedy", "majority", CHECKER)
        if (each := analysis.find(engine, name)) is not None
        for n in [each.costs.correct.shape[1]]
        for cost in [_cost_at(each, n)]
    ]
    parts = [f"{_number(cost.estimate)} with {_name(name, n)}" for name, n, cost in tags]
    return f"on {analysis.name} {', '.join(parts)}" if parts else ""


# --- on one task ----------------------------------------------------------------------------------------------------


def _votes(analysis: Analysis, engine: str) -> Iterator[Finding]:
    gain = _vote_gain(analysis, engine)
    if gain is not None:
        sentence = _vote_sentence([analysis], engine, f"On {analysis.name}")
        change = paired_interval(gain)
        yield Finding(kind=FindingKind.VOTES, task=analysis.name, sentence=sentence, figure=estimate(change))


def _vote_sentence(analyses: Sequence[Analysis], engine: str, where: str) -> str:
    """A vote over all samples against one of them, and against the greedy answer where every task has it."""
    votes = [each.costs.correct for a in analyses if (each := a.find(engine, "majority")) is not None]
    greedy = [each.costs.correct[:, 0] for a in analyses if (each := a.find(engine, "greedy")) is not None]
    last, first = [vote[:, -1] for vote in votes], [vote[:, 0] for vote in votes]
    n = max(vote.shape[1] for vote in votes)
    sentence = f"{where}, a vote over {n} samples is right on {_mean(last)}, one of them alone on {_mean(first)}: "
    sentence += _change(_over_tasks([paired_interval(a - b) for a, b in zip(last, first, strict=True)]))
    if len(greedy) < len(votes):
        return f"{sentence}."
    against = _over_tasks([paired_interval(a - b) for a, b in zip(last, greedy, strict=True)])
    return f"{sentence}; the greedy answer on {_mean(greedy)}: {_change(against)}."


def _coverage(analysis: Analysis, engine: str) -> Iterator[Finding]:
    coverage = analysis.find(engine, "coverage")
    gap = _headroom(analysis, engine)
    if coverage is None or gap is None:
        return
    whole = mean_interval(coverage.costs.correct[:, -1])
    n = coverage.costs.correct.shape[1]
    sentence = (
        f"On {analysis.name}, {percent(whole.estimate)} {_span(whole)} of the problems have a right answer among {n} "
        f"samples, so a perfect verifier could add {_points(paired_interval(gap))}."
    )
    yield Finding(kind=FindingKind.COVERAGE, task=analysis.name, sentence=sentence, figure=estimate(whole))


def _checker(analysis: Analysis, engine: str) -> Iterator[Finding]:
    checked, single = analysis.find(engine, CHECKER), _single(analysis, engine)
    if checked is None or single is None:
        return
    best = checked.costs.correct[:, -1]
    change = paired_interval(best - single)
    sentence = (
        f"On {analysis.name}, the task's own checker, which needs no key, takes {best_of(checked)} to "
        f"{percent(best.mean())} from one sample's {percent(single.mean())}: {_points(change)}."
    )
    yield Finding(kind=FindingKind.CHECKER, task=analysis.name, sentence=sentence, figure=estimate(change))


def best_of(evaluated: Evaluated) -> str:
    """ "the best of 16" for a strategy that selects."""
    return f"the best of {evaluated.costs.correct.shape[1]}"


def _cost(analysis: Analysis, engine: str) -> Iterator[Finding]:
    settings = [each for each in analysis.evaluated if each.deployable and each.engine == engine]
    if not settings or analysis.result.unit != "tokens":
        return
    priced = [(each, n, _cost_at(each, n)) for each in settings for n in {1, each.costs.correct.shape[1]}]
    known = [(each, n, cost) for each, n, cost in priced if cost.estimate is not None]
    if not known:
        sentence = f"On {analysis.name}, no deployable strategy gave a right answer, so that none has a finite cost."
        yield Finding(kind=FindingKind.COST, task=analysis.name, sentence=sentence)
        return
    each, n, cost = min(known, key=lambda item: item[2].estimate)
    worst, most, dear = max(known, key=lambda item: item[2].estimate)
    sentence = (
        f"On {analysis.name}, a correct answer is cheapest with {_name(each.name, n)}, at {_number(cost.estimate)} "
        f"tokens {_token_span(cost)}, and dearest with {_name(worst.name, most)}, at {_number(dear.estimate)}."
    )
    yield Finding(kind=FindingKind.COST, task=analysis.name, sentence=sentence, figure=estimate(cost))


def _advice(analysis: Analysis) -> Iterator[Finding]:
    """At the smallest budget and at the largest, once where they agree."""
    advice = analysis.result.recommendations
    same = len({(each.engine, each.strategy, each.n) for each in advice}) == 1
    for each in advice[:1] if same else (advice[0], advice[-1]) if advice else ():
        most = f"{_number(each.budget)} {analysis.result.unit}"
        at = "at every budget measured" if same else f"with up to {most} a question"
        accuracy = Interval(each.accuracy.value, each.accuracy.low, each.accuracy.high, analysis.result.problems)
        sentence = (
            f"On {analysis.name}, {at} use {_name(each.strategy, each.n)}: right on {percent(accuracy.estimate)} "
            f"{_span(accuracy)}{'' if each.strategy == 'greedy' else _certainty(each.sure)}."
        )
        yield Finding(kind=FindingKind.ADVICE, task=analysis.name, sentence=sentence, figure=each.accuracy)


def _certainty(sure: bool) -> str:
    return (
        "; its gain over greedy is beyond chance" if sure else "; it cannot be told apart from greedy on these problems"
    )


# --- figures --------------------------------------------------------------------------------------------------------


def _single(analysis: Analysis, engine: str) -> Floats | None:
    """The accuracy of one sample on each problem, at the study's temperature."""
    for name in ("majority", "coverage"):
        each = analysis.find(engine, name)
        if each is not None:
            return np.asarray(each.costs.correct[:, 0])
    return None


def _vote_gain(analysis: Analysis, engine: str) -> Floats | None:
    """Of all samples over one, by problem; None where there is no vote, or of one sample."""
    majority = analysis.find(engine, "majority")
    if majority is None or majority.costs.correct.shape[1] < 2:
        return None
    return np.asarray(majority.costs.correct[:, -1] - majority.costs.correct[:, 0])


def _headroom(analysis: Analysis, engine: str) -> Floats | None:
    majority, coverage = analysis.find(engine, "majority"), analysis.find(engine, "coverage")
    if majority is None or coverage is None:
        return None
    n = min(majority.costs.correct.shape[1], coverage.costs.correct.shape[1])
    return np.asarray(coverage.costs.correct[:, n - 1] - majority.costs.correct[:, n - 1]) if n > 1 else None


def _cost_at(each: Evaluated, n: int) -> Interval:
    known = per_correct(each.costs.correct[:, n - 1], each.costs.counted_in("tokens")[:, n - 1])
    return Interval(None, None, None, len(each.costs.correct)) if known is None else known


def _over_tasks(intervals: Sequence[Interval]) -> Interval:
    return mover([x.estimate for x in intervals], [x.low for x in intervals], [x.high for x in intervals])


# --- words ----------------------------------------------------------------------------------------------------------


def _change(change: Interval) -> str:
    """A difference, whatever its sign: "+9.1 points [+2.0, +15.3]", and a word where it may be chance."""
    shown = change.low > 0 or change.high < 0
    return f"{_points(change)}{'' if shown else ', no difference shown'}"


def _mean(values: Sequence[Floats]) -> str:
    return percent(float(np.mean([value.mean() for value in values])))


def _points(change: Interval) -> str:
    return f"{100 * change.estimate:+.1f} points [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _span(interval: Interval) -> str:
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:,.0f}"


def _token_span(interval: Interval) -> str:
    return f"[{_number(interval.low)}, {_number(interval.high)}]"


def _name(strategy: str, n: int) -> str:
    """A strategy at N as one would write it."""
    if strategy == "greedy":
        return "greedy"
    if n == 1:
        return "one sample"
    return f"{strategy[:-1]}, n={n})" if strategy.endswith(")") else f"{strategy}(n={n})"


def _tasks(items: Sequence[object]) -> str:
    return "one task" if len(items) == 1 else f"{len(items)} tasks"
