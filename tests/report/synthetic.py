"""A study's results, made up: same shape and plausible size as real ones, deterministic, and labelled synthetic."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from perpend.study.results import (
    Comparison,
    Cost,
    CostPerCorrect,
    Curve,
    DepthCell,
    DepthMap,
    Difficulty,
    DifficultyBin,
    EngineInfo,
    Estimate,
    Finding,
    FindingKind,
    Forecast,
    ForecastLine,
    Gaps,
    Headline,
    HeadlinePoint,
    HowItWasRun,
    LedgerLine,
    PlannedAndActual,
    Point,
    ProblemView,
    ProxyCurve,
    ProxyPoint,
    RacingAnswer,
    Ranked,
    Ranking,
    Recommendation,
    Results,
    RuleStop,
    SampleCounts,
    SampleView,
    ShapeInfo,
    StoppedVotes,
    StoppingPoint,
    StoppingRule,
    TaskResult,
    VoteRace,
    WaitingLine,
)

PARAMETERS = 135_000_000
RULES = ("adaptive_consistency", "martingale")


@dataclass(frozen=True)
class Shape:
    """What a synthetic study looks like."""

    tasks: tuple[str, ...] = ("arithmetic", "word_problems", "countdown")
    sizes: tuple[int, ...] = (1, 2, 4, 8, 16)
    problems: int = 40
    engines: tuple[str, ...] = ("embedded",)
    latency: bool = True
    flops: bool = True
    priced: bool = False
    simulated: bool = False
    unbounded: bool = False
    long_names: bool = False
    stopping: bool = True
    probes: bool = False
    hacked: bool = False


def results(shape: Shape = Shape()) -> Results:
    """Results of that shape."""
    tasks = [_task(shape, name) for name in shape.tasks]
    return Results(
        title="Synthetic study (made up for tests)",
        findings=_findings(shape),
        tasks=tasks,
        headlines=_headlines(tasks),
        engines=[_engine(shape, name) for name in shape.engines],
        bought=[_ledger(shape, engine, cause) for engine in shape.engines for cause in ("generator", "verifier")],
        waiting=[_waiting(engine) for engine in shape.engines],
        plan=_plan(shape, tasks),
        how=HowItWasRun(
            command="perpend study --task arithmetic --task word_problems --task countdown --samples 16",
            seed=0,
            samples=max(shape.sizes),
            temperature="0.8",
            started="2026-01-02T03:04:05+00:00",
            seconds=1843.0,
            restarts=1,
            stop_reason="finished",
            versions={"perpend": "0.1.0", "openvino-genai": "2026.4.0", "python": "3.12.3"},
            hardware={"cpu": "2 × x86-64", "memory": "16 GiB"},
        ),
    )


def problems(shape: Shape = Shape(), samples: int | None = None, text: str = "") -> list[ProblemView]:
    """The problems behind them, each with its greedy sample and `samples` more."""
    per_problem = samples or max(shape.sizes)
    return [
        _problem(task, engine, number, per_problem, text)
        for task in shape.tasks
        for engine in shape.engines
        for number in range(shape.problems)
    ]


def strategies(shape: Shape, task: str) -> list[tuple[str, str, str | None, bool]]:
    """(strategy, family, verifier, oracle) of a task."""
    long = "best_of_n(verifier=file:/home/someone/verifiers/a_very_long_path/rerank_with_everything.py:score_it)"
    rows: list[tuple[str, str, str | None, bool]] = [
        ("greedy", "greedy", None, False),
        ("majority", "majority", None, False),
        (long if shape.long_names else "best_of_n(verifier=logprob)", "best_of_n", "logprob", False),
        ("weighted_vote(verifier=logprob)", "weighted_vote", "logprob", False),
    ]
    if shape.stopping:
        rows += [(rule, rule, None, False) for rule in RULES]
    if task == "countdown":
        rows.append(("best_of_n(verifier=check)", "best_of_n", "check", False))
    return [*rows, ("coverage", "coverage", None, True)]


def _rng(*parts: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(parts).encode()))


def _accuracy(shape: Shape, task: str, engine: str, strategy: str, n: int) -> float:
    base = 0.25 + 0.3 * float(_rng(task, engine).random())
    p = np.clip(_rng(task, engine, "p").beta(1.5 * base * 2, 3 * (1 - base), shape.problems), 0.001, 0.999)
    covered = float(np.mean(1 - (1 - p) ** n))
    mean = float(p.mean())
    gain = {
        "greedy": 0.05,
        "majority": 0.45,
        "adaptive_consistency": 0.44,
        "martingale": 0.45,
        "weighted_vote": 0.5,
        "coverage": 1.0,
    }
    if strategy.startswith("best_of_n"):
        share = 0.97 if "check" in strategy else 0.25 - 0.03 * np.log2(n)
    else:
        share = gain[strategy.split("(")[0]]
    return mean + share * (covered - mean) if strategy != "greedy" else mean + 0.04


def _estimate(value: float, problems: int) -> Estimate:
    right = value * problems
    low, high = (float(beta.ppf(q, right + 0.5, problems - right + 0.5)) for q in (0.025, 0.975))
    return Estimate(value=value, low=low, high=high)


def _points(shape: Shape, task: str, engine: str, strategy: str) -> list[Point]:
    sizes = (1,) if strategy == "greedy" else shape.sizes
    return [_point(shape, task, engine, strategy, n) for n in sizes]


def _point(shape: Shape, task: str, engine: str, strategy: str, n: int) -> Point:
    figure = _estimate(_accuracy(shape, task, engine, strategy, n), max(shape.problems, 1))
    value, low, high = float(figure.value or 0), float(figure.low or 0), float(figure.high or 0)
    length = 60 + 90 * float(_rng(task, "length").random())
    tokens = 180 + length * n
    seconds = length / 60 * (1 + 0.25 * np.log2(n))
    tokens_estimate = Estimate(
        value=tokens / value, low=tokens / high, high=None if shape.unbounded and n > 2 else tokens / low
    )
    usd = tokens * 2e-7 if shape.priced else None
    return Point(
        n=n, accuracy=value, low=low, high=high, samples=float(n), tokens=tokens,
        flops=2 * PARAMETERS * tokens if shape.flops else None, usd=usd,
        latency_seconds=float(seconds) if shape.latency else None,
        device_seconds=tokens / 400 if shape.latency else None,
        cost_per_correct=CostPerCorrect(
            tokens=tokens_estimate,
            usd=Estimate(value=usd / value, low=usd / high, high=usd / low) if usd else None,
            device_seconds=Estimate(value=tokens / 400 / value, low=None, high=None) if shape.latency else None,
        ),
    )  # fmt: skip


def _curves(shape: Shape, task: str) -> list[Curve]:
    return [
        Curve(
            strategy=name, family=family, engine=engine, verifier=verifier, oracle=oracle,
            settings="T = 0.05, chosen on half the problems" if family == "weighted_vote" else None,
            points=_points(shape, task, engine, name),
        )
        for engine in shape.engines
        for name, family, verifier, oracle in strategies(shape, task)
    ]  # fmt: skip


def _task(shape: Shape, task: str) -> TaskResult:
    curves = _curves(shape, task) if shape.problems else []
    deployable = [c for c in curves if not c.oracle]
    return TaskResult(
        task=task, style="few-shot", grader="exact", problems=shape.problems, problems_total=shape.problems + 8,
        counts=[_counts(shape, task, e) for e in shape.engines],
        curves=curves,
        gaps=[_gaps(curves, e, n) for e in shape.engines for n in shape.sizes] if curves else [],
        difficulty=[_difficulty(shape, curves, e) for e in shape.engines] if curves else [],
        comparisons=_comparisons(shape, deployable),
        recommendations=_recommendations(shape, deployable),
        rankings=_rankings(shape, deployable),
        proxies=[_proxy(shape, c) for c in deployable if c.verifier and shape.sizes != (1,)],
        stopping=[_stopping(shape, task, e) for e in shape.engines] if curves and shape.stopping else [],
        races=[_race(shape, task, e) for e in shape.engines] if curves else [],
        depths=[_depths(shape, task, e) for e in shape.engines] if curves and shape.probes else [],
        frontier=_frontier(deployable),
    )  # fmt: skip


def _counts(shape: Shape, task: str, engine: str) -> SampleCounts:
    return SampleCounts(
        engine=engine, samples=shape.problems * (max(shape.sizes) + 1), answered=0.93, truncated=0.04, failed=0.0,
        mean_completion_tokens=60 + 90 * float(_rng(task, "length").random()), prompt_tokens=180.0,
    )  # fmt: skip


def _at(curves: Sequence[Curve], engine: str, n: int) -> dict[str, Point]:
    return {c.strategy: p for c in curves if c.engine == engine for p in c.points if p.n == n}


def _gaps(curves: Sequence[Curve], engine: str, n: int) -> Gaps:
    points = _at(curves, engine, n)
    covered = points.pop("coverage")
    return Gaps(
        engine=engine, n=n,
        coverage=Estimate(value=covered.accuracy, low=covered.low, high=covered.high),
        coverage_gap=1 - covered.accuracy,
        selection_gap={
            name: Estimate(
                value=covered.accuracy - p.accuracy,
                low=max(covered.accuracy - p.accuracy - 0.06, 0.0),
                high=covered.accuracy - p.accuracy + 0.07,
            )
            for name, p in points.items()
        },
    )  # fmt: skip


def _difficulty(shape: Shape, curves: Sequence[Curve], engine: str) -> Difficulty:
    n = max(shape.sizes)
    points = _at(curves, engine, n)
    bins = [("p̂ < .1", 0.12), ("p̂ .1–.3", 0.45), ("p̂ .3–.5", 0.9), ("p̂ .5–.8", 1.35), ("p̂ ≥ .8", 1.7)]
    return Difficulty(
        engine=engine, n=n, method="binned on one half of each problem's samples, evaluated on the other, averaged",
        bins=[
            DifficultyBin(
                label=label, problems=shape.problems / len(bins),
                accuracy={s: _estimate(min(p.accuracy * f, 0.99), 8) for s, p in points.items()},
            )
            for label, f in bins
        ],
    )  # fmt: skip


def _comparisons(shape: Shape, deployable: Sequence[Curve]) -> list[Comparison]:
    greedy = {c.engine: c.points[0].accuracy for c in deployable if c.family == "greedy"}
    return [
        Comparison(
            engine=c.engine, budget=p.tokens, strategy=c.strategy, n=p.n, against="greedy", against_n=1,
            difference=Estimate(
                value=p.accuracy - greedy[c.engine], low=p.accuracy - greedy[c.engine] - 0.07,
                high=p.accuracy - greedy[c.engine] + 0.07,
            ),
            p=float(_rng(c.strategy, str(p.n)).random() ** 3), p_holm=min(1.0, 4 * float(_rng(c.strategy).random())),
        )
        for c in deployable
        if c.family != "greedy"
        for p in c.points[-2:]
    ]  # fmt: skip


def _recommendations(shape: Shape, deployable: Sequence[Curve]) -> list[Recommendation]:
    found = []
    for engine in shape.engines if deployable else ():
        mine = [(c, p) for c in deployable if c.engine == engine for p in c.points]
        greedy = next(p for c, p in mine if c.family == "greedy")
        for budget in (greedy.tokens * 1.01, greedy.tokens * 2, greedy.tokens * 6):
            curve, point = max(((c, p) for c, p in mine if p.tokens <= budget), key=lambda pair: pair[1].accuracy)
            gain = point.accuracy - greedy.accuracy
            found.append(
                Recommendation(
                    budget=budget,
                    engine=engine,
                    strategy=curve.strategy,
                    n=point.n,
                    cost=point.tokens,
                    accuracy=Estimate(value=point.accuracy - 0.01, low=point.low - 0.01, high=point.high - 0.01),
                    naive_accuracy=point.accuracy,
                    gain_over_greedy=Estimate(value=gain, low=gain - 0.06, high=gain + 0.06),
                    cost_per_correct=point.cost_per_correct.tokens,
                    sure=gain > 0.06,
                )
            )
    return found


def _rankings(shape: Shape, deployable: Sequence[Curve]) -> list[Ranking]:
    budgets = sorted({p.tokens or 0 for c in deployable if c.family == "majority" for p in c.points})
    return [Ranking(budget=budget, rows=_ranked(deployable, budget)) for budget in budgets]


def _ranked(deployable: Sequence[Curve], budget: float) -> list[Ranked]:
    best = [
        (max(paid, key=lambda p: p.accuracy), c)
        for c in deployable
        if (paid := [p for p in c.points if (p.tokens or 0) <= budget])
    ]
    best.sort(key=lambda pair: -pair[0].accuracy)
    return [
        Ranked(
            engine=c.engine, strategy=c.strategy, n=p.n,
            accuracy=Estimate(value=p.accuracy, low=p.low, high=p.high),
            behind=Estimate(
                value=p.accuracy - best[0][0].accuracy, low=p.accuracy - best[0][0].accuracy - 0.05,
                high=p.accuracy - best[0][0].accuracy + 0.05,
            ) if i else None,
            samples=p.samples, tokens=p.tokens, usd=p.usd,
        )
        for i, (p, c) in enumerate(best)
    ]  # fmt: skip


def _proxy(shape: Shape, curve: Curve) -> ProxyCurve:
    fall = 0.08 if shape.hacked else 0.01
    return ProxyCurve(
        engine=curve.engine, strategy=curve.strategy, verifier=curve.verifier or "", best_n=shape.sizes[1],
        fall=Estimate(value=fall, low=fall - 0.04, high=fall + 0.04),
        points=[
            ProxyPoint(
                n=p.n, proxy=-1 / (1 + p.n), accuracy=Estimate(value=p.accuracy, low=p.low, high=p.high),
                kl_bound=float(np.log(p.n)),
            )
            for p in curve.points
        ],
    )  # fmt: skip


def _stopping(shape: Shape, task: str, engine: str) -> StoppedVotes:
    return StoppedVotes(
        engine=engine, n=max(shape.sizes), accuracy=_estimate(0.5, shape.problems), tokens=1000.0,
        rules=[
            StoppingRule(strategy=rule, points=[_stopping_point(shape, rule, task, i) for i in range(4)])
            for rule in RULES
        ],
    )  # fmt: skip


def _stopping_point(shape: Shape, rule: str, task: str, i: int) -> StoppingPoint:
    n, saved = max(shape.sizes), 0.8 - 0.2 * i
    lost = -0.05 * (3 - i) * float(_rng(task, rule).random())
    delta = (0.2, 0.1, 0.05, 0.01)[i]
    return StoppingPoint(
        strategy=f"{rule}(delta={delta})" if rule == "martingale" else f"{rule}(confidence={0.7 + 0.08 * i:.2f})",
        own=i == 2, difference=Estimate(value=lost, low=lost - 0.05, high=lost + 0.05), samples=n * (1 - saved),
        samples_saved=Estimate(value=saved, low=saved - 0.1, high=saved + 0.1), tokens=1000 * (1 - saved),
        tokens_saved=saved - 0.05, stopped=saved, claimed_error=delta if rule == "martingale" else None,
        error=_estimate(0.02, shape.problems),
    )  # fmt: skip


def _race(shape: Shape, task: str, engine: str) -> VoteRace:
    n = max(shape.sizes)
    keys = _rng(task, engine, "race").integers(0, 4, n)
    return VoteRace(
        engine=engine, problem=f"{task}-0003", samples=n, lead_changes=3, voters=list(range(1, n + 1)),
        answers=[
            RacingAnswer(answer=str(40 + key), right=key == 1, votes=np.cumsum(keys == key).tolist())
            for key in range(4)
        ],
        stops=[RuleStop(strategy="adaptive_consistency", samples=max(n - 2, 1))] if shape.stopping else [],
    )  # fmt: skip


def _depths(shape: Shape, task: str, engine: str) -> DepthMap:
    return DepthMap(
        engine=engine, every=500,
        cells=[
            DepthCell(
                n=n, depth=500 * (d + 1), accuracy=_estimate(min(0.1 + 0.05 * d + 0.02 * n, 0.95), shape.problems),
                tokens=400.0 * (d + 1) * n,
            )
            for d in range(8) for n in shape.sizes
        ],
    )  # fmt: skip


def _frontier(deployable: Sequence[Curve]) -> list[tuple[str, str, int]]:
    best, kept = -1.0, []
    rows = sorted((p.tokens, -p.accuracy, c.engine, c.strategy, p.n) for c in deployable for p in c.points)
    for _, negative, engine, strategy, n in rows:
        if -negative > best:
            best = -negative
            kept.append((engine, strategy, n))
    return kept


def _headlines(tasks: Sequence[TaskResult]) -> list[Headline]:
    keys = {(c.engine, c.strategy): c.oracle for t in tasks for c in t.curves}
    return [_headline(tasks, engine, strategy, oracle) for (engine, strategy), oracle in keys.items()]


def _headline(tasks: Sequence[TaskResult], engine: str, strategy: str, oracle: bool) -> Headline:
    curves = {t.task: c for t in tasks for c in t.curves if (c.engine, c.strategy) == (engine, strategy)}
    points = []
    for columns in zip(*(c.points for c in curves.values()), strict=True):
        mean = {
            field: None if any(getattr(p, field) is None for p in columns)
            else float(np.mean([getattr(p, field) for p in columns]))
            for field in ("accuracy", "low", "high", "samples", "tokens", "flops", "usd", "latency_seconds",
                          "device_seconds")
        }  # fmt: skip
        points.append(HeadlinePoint(n=columns[0].n, **mean))  # type: ignore[arg-type]
    return Headline(strategy=strategy, engine=engine, oracle=oracle, tasks=list(curves), points=points)


def _findings(shape: Shape) -> list[Finding]:
    if not shape.problems:
        return [Finding(kind=FindingKind.LIMIT, task=None, sentence="No problem is complete, so nothing was measured.")]
    n = max(shape.sizes)
    rows = [
        (FindingKind.VOTES, f"Voting over {n} samples is right 7.1 points more often than one greedy answer.", True),
        (
            FindingKind.COVERAGE,
            f"Some sample of {n} is right for 81 % of the problems: a better verifier has room.",
            True,
        ),
        (FindingKind.ADVICE, "At 1,000 tokens a question, run majority with n = 8.", True),
        (
            FindingKind.CHECKER,
            "On countdown the task's own checker turns nearly all of it into accuracy.",
            False,
        ),
        (FindingKind.COST, "Greedy gives the cheapest correct answer, at 540 tokens each.", False),
        (
            FindingKind.LIMIT,
            f"{shape.problems} problems a task cannot tell apart what is within 9 points.",
            False,
        ),
    ]
    return [
        Finding(
            kind=kind, task="countdown" if kind is FindingKind.CHECKER else None, sentence=sentence, headline=headline,
            figure=Estimate(value=0.071, low=0.012, high=0.13) if kind is FindingKind.VOTES else None,
        )
        for kind, sentence, headline in rows
    ]  # fmt: skip


def _engine(shape: Shape, name: str) -> EngineInfo:
    return EngineInfo(
        name=name, spec="simulated" if shape.simulated else "embedded", fingerprint="sha256:" + "5f" * 32,
        version="openvino-genai 2026.4.0, SmolLM2-135M-Instruct Q4_K_M", simulated=shape.simulated,
        exact_replay=False, note="A seed fixes a sample's law but not its text: other batch sizes round apart.",
        shape=ShapeInfo(parameters=PARAMETERS, layers=30, width=576) if shape.flops else None,
        price="$0.20 per million tokens (assumed)" if shape.priced else None,
    )  # fmt: skip


def _ledger(shape: Shape, engine: str, cause: str) -> LedgerLine:
    calls = shape.problems * len(shape.tasks) * (17 if cause == "generator" else 0)
    return LedgerLine(
        engine=engine, cause=cause, calls=calls, prompt_tokens=calls * 180, cached_tokens=calls * 150,
        completion_tokens=calls * 95, usd=calls * 3e-5 if shape.priced else None,
        flops=2.7e8 * calls * 95 if shape.flops else None, device_seconds=calls * 0.24,
    )  # fmt: skip


def _waiting(engine: str) -> WaitingLine:
    return WaitingLine(
        engine=engine, samples=2040, working_seconds=4896.0, queued_seconds=81.5, retries=12, refused={"429": 31}
    )


def _plan(shape: Shape, tasks: Sequence[TaskResult]) -> PlannedAndActual:
    planned = Cost(calls=2040, tokens=1.1e6, usd=0.8 if shape.priced else None, seconds=None)
    actual = Cost(calls=2040, tokens=0.3e6, usd=0.2 if shape.priced else None, seconds=1843.0)
    curves = tasks[0].curves
    lines = [ForecastLine(engine=c.engine, strategy=c.strategy, n=c.points[-1].n, cost=planned) for c in curves]
    forecast = Forecast(
        basis="upper bound: made up", bound=True, prices=dict.fromkeys(shape.engines, "$0.20"), strategies=lines,
        problems=shape.problems * len(tasks), samples=max(shape.sizes), whole=planned, left=planned,
    )  # fmt: skip
    charged = [None if c.oracle else actual for c in curves]
    return PlannedAndActual(made="2026-01-02T03:00:00+00:00", forecast=forecast, actual=actual, strategies=charged)


def _problem(task: str, engine: str, number: int, samples: int, text: str) -> ProblemView:
    rng = _rng(task, engine, str(number))
    a, b = (int(x) for x in rng.integers(10, 99, 2))
    p = float(rng.beta(1.2, 1.6))
    question = f"What is {a} + {b}? ({task}, synthetic)"
    return ProblemView(
        task=task, engine=engine, id=f"{task}-{number:04d}", question=question,
        prompt=f"Question: What is 2 + 3?\nAnswer: 2 + 3 = 5. The answer is 5.\n\nQuestion: {question}\nAnswer:",
        key=str(a + b), difficulty="hard" if p < 0.3 else "easy",
        samples=[_sample(rng, i, a, b, p, text) for i in range(samples + 1)],
    )  # fmt: skip


def _sample(rng: np.random.Generator, index: int, a: int, b: int, p: float, text: str) -> SampleView:
    fate = float(rng.random())
    right = bool(rng.random() < p)
    answer = None if fate < 0.06 else str(a + b + (0 if right else int(rng.integers(1, 9))))
    words = f"We add {a} and {b}.\n{a} + {b} = {answer or '…'}.\n" + text
    return SampleView(
        index=max(index - 1, 0), greedy=index == 0, text=words + (f"The answer is {answer}." if answer else ""),
        answer=answer, correct=right and answer is not None, finish="length" if fate < 0.04 else "stop",
        tokens=int(40 + rng.integers(0, 120)), seconds=float(rng.random() * 3),
        mean_logprob=-float(rng.random()), error=None,
    )  # fmt: skip
