"""`results.json`: what a study found, for the report and for other people's scripts.

The models below are its schema: `Results.model_json_schema()` is kept in `docs/results.schema.json` by a test. What was
not measured is null. Every mean carries its interval at 95 %; METHODS.md says how each is made.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from perpend.core import DRAWN, PoolField

SCHEMA_VERSION: Final = 1
Unit = Literal["tokens", "samples"]
"""What budgets count: samples, where tokens were not measured."""


class Model(BaseModel):
    """A part of results.json: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Model):
    """A figure with its 95 % interval; an end that is null has no bound."""

    value: float | None
    low: float | None
    high: float | None


class CostPerCorrect(Model):
    """What one correct answer costs: total cost over correct answers."""

    tokens: Estimate | None
    usd: Estimate | None = Field(description="null where no price is known")
    device_seconds: Estimate | None


class Point(Model):
    """A strategy at one N: accuracy, and the mean cost of one question."""

    n: int = Field(description="samples a question that the strategy may draw")
    accuracy: float
    low: float
    high: float
    samples: float = Field(description="samples drawn on average")
    tokens: float | None = Field(description="prompt − cached + completion, the prompt computed once a question")
    flops: float | None
    usd: float | None
    latency_seconds: float | None = Field(description="the critical path at the study's own concurrency")
    device_seconds: float | None = Field(description="share of the engine's time")
    cost_per_correct: CostPerCorrect
    monte_carlo_error: float | None = Field(
        default=None, description="standard error over sampled orders; null: closed form"
    )


class Curve(Model):
    """One strategy on one engine, for every N."""

    strategy: str = Field(description="as written in a strategy string, without n")
    family: str = Field(description="the strategy's name alone")
    engine: str
    verifier: str | None
    oracle: bool = Field(description="needs the key: a ceiling, never something to deploy")
    settings: str | None = Field(default=None, description="how settings were chosen, where they were")
    points: list[Point]


class Gaps(Model):
    """Where accuracy is lost at one N: 1 − pass@N, and pass@N − what the strategy chose."""

    engine: str
    n: int
    coverage: Estimate
    coverage_gap: float
    selection_gap: dict[str, Estimate] = Field(description="by strategy; pass@N minus its accuracy, paired")


class DifficultyBin(Model):
    """Problems of similar difficulty, binned on one half of their samples and evaluated on the other."""

    label: str
    problems: float = Field(description="mean over the two halves")
    accuracy: dict[str, Estimate] = Field(description="by strategy, at the N given")


class Difficulty(Model):
    """Accuracy by difficulty for one engine."""

    engine: str
    n: int
    method: str
    bins: list[DifficultyBin]


class Comparison(Model):
    """A deployable strategy at a budget against the best cheaper one, on the same problems."""

    engine: str
    budget: float = Field(description="of a question, in the task's unit")
    strategy: str
    n: int
    against: str
    against_n: int
    difference: Estimate = Field(
        description="paired and cross-fitted: settings chosen on half of the problems, scored on the rest"
    )
    p: float = Field(description="sign-flip permutation test on per-problem differences")
    p_holm: float = Field(description="Holm-adjusted over the deployable strategies at this budget")


class Recommendation(Model):
    """What to run at a budget: the best deployable setting that costs no more than it on average."""

    budget: float = Field(description="of a question, in the task's unit")
    engine: str
    strategy: str
    n: int
    cost: float = Field(description="of a question on average, in the task's unit")
    accuracy: Estimate = Field(description="cross-fitted: chosen on one half of the problems, scored on the other")
    naive_accuracy: float = Field(description="of the same setting on all problems, flattered by the choice")
    gain_over_greedy: Estimate | None = Field(description="paired; null where greedy was not studied")
    cost_per_correct: Estimate = Field(description="in the task's unit")
    sure: bool = Field(description="whether the whole interval of the gain is above zero")


class SampleCounts(Model):
    """What became of the samples of one engine on one task."""

    engine: str
    samples: int
    answered: float | None = Field(description="share with an answer that can vote")
    truncated: float | None
    failed: float | None
    mean_completion_tokens: float | None
    prompt_tokens: float | None
    estimated: float | None = Field(
        default=None, description="share whose tokens the server did not count: estimated, and bought at most"
    )


class Failure(Model):
    """Samples of one engine that failed for good, for one reason: they count as wrong, with what they cost."""

    engine: str
    error: str = Field(description="of the first one; that of the others differs in numbers at most")
    samples: int
    problems: list[str] = Field(description="ids in visit order, ten at most")
    problems_total: int = Field(description="how many problems it happened to")


class Ranked(Model):
    """A deployable strategy at its best setting for a budget; everything is cross-fitted but the setting's costs."""

    engine: str
    strategy: str
    n: int
    accuracy: Estimate
    behind: Estimate | None = Field(description="accuracy minus that of the first, paired; null for the first")
    samples: float = Field(description="of a question on average, as all costs here")
    tokens: float | None
    usd: float | None


class Ranking(Model):
    """All that can be deployed at a budget, the most accurate first."""

    budget: float = Field(description="of a question, in the task's unit")
    rows: list[Ranked]


class StoppingPoint(Model):
    """A stopping rule at one setting, against a vote over all samples of the pool."""

    strategy: str
    own: bool = Field(description="as the study asked for it; its settings are cross-fitted where they were left open")
    difference: Estimate = Field(description="its accuracy minus the vote's, paired")
    samples: float = Field(description="that it waits for, on average")
    samples_saved: Estimate = Field(description="share of the vote's samples, mean over problems")
    tokens: float | None
    tokens_saved: float | None = Field(description="share of the vote's tokens")
    stopped: float = Field(description="share of the runs that it ended before the last sample, or at it")
    claimed_error: float | None = Field(
        description="the δ of its certificate, which holds at any time; null: its certificate is heuristic"
    )
    error: Estimate | None = Field(
        description="share of the runs stopped with another answer than the mode, samples drawn from the pool with "
        "replacement; null where it looks at more than votes"
    )


class StoppingRule(Model):
    """A stopping rule of the study over its settings, by rising number of samples."""

    strategy: str
    points: list[StoppingPoint]


class StoppedVotes(Model):
    """What stopping early saves and loses against the vote over all n samples of one engine's pool."""

    engine: str
    n: int
    accuracy: Estimate = Field(description="of that vote")
    tokens: float | None = Field(description="of that vote, a question")
    rules: list[StoppingRule]


class RacingAnswer(Model):
    """One answer to a problem, and its votes after each sample."""

    answer: str
    right: bool
    votes: list[int]


class RuleStop(Model):
    """Where a rule stops."""

    strategy: str
    samples: int


class VoteRace(Model):
    """A vote sample by sample in stored order, on the problem whose lead changes most often."""

    engine: str
    problem: str
    samples: int
    lead_changes: int
    voters: list[int] = Field(description="votes cast after each sample, those for answers not shown included")
    answers: list[RacingAnswer] = Field(description="those with the most votes, the winner first")
    stops: list[RuleStop] = Field(description="of the rules that look at votes alone and stop on the way")


class ProxyPoint(Model):
    """What a verifier thinks of the answers chosen among N samples by its score, and how right they are."""

    n: int
    proxy: float | None = Field(
        description="the verifier's mean value of what was chosen, in its own units, over the problems that it scored"
    )
    accuracy: Estimate
    kl_bound: float = Field(
        description="the most nats by which the choice's law diverges from the model's own: log N − (N − 1)/N for "
        "best-of-N, log N for whatever else returns one of N samples"
    )


class ProxyCurve(Model):
    """Proxy and truth in N of a strategy that chooses by a score; where they part, the verifier is over-optimised."""

    engine: str
    strategy: str
    verifier: str
    best_n: int = Field(description="where the accuracy is highest")
    fall: Estimate = Field(
        description="accuracy at the best N minus that at the largest, paired; the best N is chosen on one half of the "
        "problems and scored on the other"
    )
    points: list[ProxyPoint]


class DepthCell(Model):
    """A vote among n traces, each capped at `depth` tokens."""

    n: int
    depth: int
    accuracy: Estimate
    tokens: float = Field(description="of a question on average, those that make late traces answer included")


class DepthMap(Model):
    """Width against depth, where answers were forced along the traces of one engine."""

    engine: str
    every: int = Field(description="tokens between two forced answers")
    cells: list[DepthCell] = Field(description="by rising depth, then width")


class TaskResult(Model):
    """All that was measured on one task."""

    task: str
    style: str
    grader: str
    unit: Unit = Field(default="tokens", description="what budgets and their costs count")
    problems: int = Field(description="in the figures: the longest complete prefix of the visit order")
    problems_total: int
    counts: list[SampleCounts]
    failures: list[Failure] = Field(default_factory=list, description="why samples failed, the most frequent first")
    curves: list[Curve]
    gaps: list[Gaps]
    difficulty: list[Difficulty]
    comparisons: list[Comparison]
    recommendations: list[Recommendation]
    rankings: list[Ranking] = Field(default_factory=list, description="by rising budget")
    stopping: list[StoppedVotes] = Field(default_factory=list, description="by engine")
    depths: list[DepthMap] = Field(default_factory=list, description="by engine")
    races: list[VoteRace] = Field(default_factory=list, description="by engine")
    proxies: list[ProxyCurve] = Field(default_factory=list, description="of strategies that choose by a score")
    frontier: list[tuple[str, str, int]] = Field(
        description="(engine, strategy, n) not dominated in (cost, accuracy), deployable, by rising cost"
    )


class HeadlinePoint(Model):
    """The plain mean over tasks, with the MOVER interval; costs are means too."""

    n: int
    accuracy: float
    low: float
    high: float
    samples: float
    tokens: float | None
    flops: float | None
    usd: float | None
    latency_seconds: float | None
    device_seconds: float | None


class Headline(Model):
    """One strategy over all tasks that have it."""

    strategy: str
    engine: str
    oracle: bool
    tasks: list[str]
    points: list[HeadlinePoint]


class FindingKind(StrEnum):
    """What a finding is about."""

    VOTES = "votes"
    """What voting gains or loses against one sample."""
    COVERAGE = "coverage"
    """What a perfect verifier could unlock."""
    CHECKER = "checker"
    """What the task's own checker unlocks."""
    COST = "cost"
    """What each correct answer costs."""
    ADVICE = "advice"
    """What to do at which budget."""
    LIMIT = "limit"
    """What these figures cannot say."""


class Finding(Model):
    """One sentence of the executive summary, and the figure that it rests on."""

    kind: FindingKind
    task: str | None
    sentence: str
    figure: Estimate | None = None
    headline: bool = Field(default=False, description="one of the three lines that the command prints")


class ShapeInfo(Model):
    """Sizes that FLOPs are computed from."""

    parameters: int
    layers: int
    width: int


class Rates(Model):
    """A price, in dollars."""

    input: float = Field(description="a million prompt tokens that were not cached")
    cached: float = Field(description="a million cached prompt tokens")
    output: float = Field(description="a million completion tokens")
    hour: float = Field(default=0.0, description="an hour of the engine's time")


class ProbeCost(Model):
    """What it took to find out what an endpoint can do, once a run at most."""

    prompt_tokens: int
    completion_tokens: int
    usd: float | None


class EngineInfo(Model):
    """An engine as it was when the study ran."""

    name: str
    spec: str
    fingerprint: str
    version: str
    simulated: bool
    local: bool = Field(default=False, description="runs on this machine, and is priced by time")
    exact_replay: bool | None
    holds: list[PoolField] = Field(
        default_factory=lambda: sorted(DRAWN), description="what is known of its samples; figures of the rest are null"
    )
    note: str
    shape: ShapeInfo | None
    price: str | None = Field(description="the price, and where it comes from; null: not priced")
    rates: Rates | None = None
    probe: ProbeCost | None = Field(default=None, description="of this run; in the ledger under cause overhead")
    cache_bytes: int | None = Field(default=None, description="the most memory that keys and values may take")
    cache_tokens: int | None = Field(default=None, description="tokens that fit in there")
    peak_cache_bytes: int | None = Field(
        default=None, description="the most that they took, prompts kept for reuse included (killed runs left out)"
    )


class LedgerLine(Model):
    """What the study paid, by cause; each token once. Cause overhead is no sample's: probing, filler rows."""

    engine: str
    cause: str
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    usd: float | None = Field(description="null where no price is known")
    unpriced_tokens: int = Field(default=0, description="those of calls whose price is not known; usd is of the others")
    flops: float | None
    device_seconds: float | None


class WaitingLine(Model):
    """What went into one engine's samples besides their working time, over all runs."""

    engine: str
    samples: int
    working_seconds: float = Field(description="over all samples, side by side or not")
    queued_seconds: float = Field(description="waiting for room in the budget, for a turn, and for lost calls")
    retries: int = Field(description="calls that were lost and made again")
    refused: dict[str, int] = Field(description="calls that cost nothing and were made again, by status")


class Cost(Model):
    """What something takes, or took; null is unknown."""

    calls: int
    tokens: float
    usd: float | None
    unpriced_tokens: float = Field(default=0, description="those whose price is not known; usd is of the others")
    seconds: float | None


class ForecastLine(Model):
    """What the study would buy for one strategy alone, on all problems of all its tasks."""

    engine: str
    strategy: str
    n: int
    cost: Cost


class Forecast(Model):
    """What a study was expected to cost before it was drawn."""

    basis: str = Field(description="what the figures rest on")
    prices: dict[str, str | None] = Field(description="by engine: its price and where it comes from; null: unknown")
    bound: bool = Field(description="figures are upper bounds, not expectations")
    problems: int
    samples: int
    strategies: list[ForecastLine] = Field(description="each alone")
    whole: Cost = Field(description="all that the study buys; strategies share it")
    left: Cost = Field(description="of that, what was not stored yet")


class PlannedAndActual(Model):
    """A forecast, and what came of it."""

    made: str
    forecast: Forecast
    actual: Cost = Field(description="of the whole study so far; seconds are those of all runs")
    strategies: list[Cost | None] = Field(
        description="bought for each strategy of the forecast, in its order; samples that several share count for each"
    )


class HowItWasRun(Model):
    """Enough to run it again."""

    command: str
    seed: int
    samples: int
    temperature: str
    started: str
    seconds: float
    restarts: int = Field(description="runs that were interrupted or killed, and gone on from")
    budget: str | None = Field(default=None, description="of the whole job")
    stop_reason: str
    versions: dict[str, str]
    hardware: dict[str, str]


class Results(Model):
    """The whole of results.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    title: str
    findings: list[Finding]
    tasks: list[TaskResult]
    headlines: list[Headline]
    engines: list[EngineInfo]
    bought: list[LedgerLine]
    waiting: list[WaitingLine] = Field(default_factory=list)
    plan: PlannedAndActual | None = Field(default=None, description="the forecast beside what came of it")
    how: HowItWasRun


class SampleView(Model):
    """A sample for the report's browser."""

    index: int
    greedy: bool
    text: str
    answer: str | None
    correct: bool
    finish: str
    tokens: int | None
    seconds: float | None
    mean_logprob: float | None
    error: str | None = None


class ProblemView(Model):
    """A problem with its samples, for the report's browser."""

    task: str
    engine: str
    id: str
    prompt: str
    question: str
    key: str | None
    difficulty: str | None
    samples: list[SampleView]
