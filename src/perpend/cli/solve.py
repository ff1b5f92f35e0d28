"""`perpend solve`: one question, answered live."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perpend.cli.options import (
    LIMITS,
    OUTPUT,
    Debug,
    Hourly,
    Json,
    Logprobs,
    MaxTokens,
    Prices,
    Seed,
    System,
    Temperature,
    ThinkingTokens,
    TopP,
    Yes,
    flag,
    names_of,
)
from perpend.cli.output import emit, out, verb

if TYPE_CHECKING:
    from perpend.core import Charge, Result, Sample
    from perpend.study.spec import Sampling

HOW = "How to answer"


@verb(when_stopped="No answer: the question was given up.")
def solve(
    question: Annotated[str, typer.Argument(help="The question, or - to read it from stdin.", show_default=False)],
    strategy: Annotated[
        str,
        flag(
            "--strategy",
            "-s",
            help="How to spend samples: see `perpend list strategies`.",
            panel=HOW,
            autocompletion=names_of("strategies"),
        ),
    ] = "majority(n=16)",
    engine: Annotated[str, flag("--engine", "-e", help="Where tokens come from.", panel=HOW)] = "embedded",
    task: Annotated[
        str, flag("--task", "-t", help="Put the question as this task does: its prompt, its answers.", panel=HOW)
    ] = "question",
    style: Annotated[
        str | None, flag("--style", help="chat or few-shot. [default: what suits the task]", panel=HOW)
    ] = None,
    budget: Annotated[
        str | None, flag("--budget", help="Of this question: usd=…,tokens=…,seconds=…,samples=…", panel=LIMITS)
    ] = None,
    hourly: Hourly = None,
    price: Prices = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    thinking_tokens: ThinkingTokens = None,
    logprobs: Logprobs = None,
    system: System = None,
    seed: Seed = None,
    trace: Annotated[bool, flag("--trace", help="Show every sample.", panel=OUTPUT)] = False,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer one question, and say what it cost."""
    from perpend.study.spec import Sampling

    asked = _read_stdin() if question == "-" else question
    _check(strategy, engine, task)
    sampling = _sampling(
        Sampling,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        thinking_tokens=thinking_tokens,
        logprobs=logprobs,
        system=system,
    )
    result = _answer(
        asked,
        yes=yes,
        strategy=strategy,
        engine=engine,
        task=task,
        style=style,
        budget=budget,
        sampling=sampling,
        seed=seed or 0,
        hourly=hourly,
        price=price or (),
    )
    if as_json:
        emit(as_values(asked, strategy, result, trace=trace))
    else:
        _draw(result, trace=trace)


def _read_stdin() -> str:
    from perpend.core import ConfigError

    try:
        return sys.stdin.buffer.read().decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError("The question on stdin is not UTF-8.", "Convert it first, with iconv for example.") from None


def _check(strategy: str, engine: str, task: str) -> None:
    from perpend.cli.names import check_name
    from perpend.engines import ENGINES
    from perpend.strategies import STRATEGIES
    from perpend.tasks import TASKS

    check_name(STRATEGIES, strategy)
    check_name(ENGINES, engine)
    check_name(TASKS, task)


def _sampling(kind: type[Sampling], **values: Any) -> Sampling:
    from pydantic import ValidationError

    from perpend.core import ConfigError

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"Setting {first['loc'][0]}: {first['msg']}.", "See `perpend solve --help`.") from None


def _answer(question: str, *, yes: bool, engine: str, **how: Any) -> Result:
    """As `perpend.study.solve.solve`, with the votes shown as they come in."""
    import asyncio

    from perpend.cli.model import ensure_model
    from perpend.cli.money import ensure_consent_to_solve
    from perpend.cli.votes import live_votes
    from perpend.study.solve import most_tokens, solve

    ensure_model([engine], yes=yes)
    most = most_tokens(question, **{name: how[name] for name in ("strategy", "task", "style", "sampling")})
    ensure_consent_to_solve(engine, how["price"], most, budget=how["budget"], yes=yes)
    with live_votes() as votes:
        return asyncio.run(solve(question, engine=engine, listener=votes, **how))


def as_values(question: str, strategy: str, result: Result, *, trace: bool) -> dict[str, Any]:
    """The result as JSON values; with `trace`, every sample too."""
    from perpend.cli.votes import Votes

    cost = result.charge.total
    votes = Votes.of(result.candidates)
    values: dict[str, Any] = {
        "question": question,
        "strategy": strategy,
        "answer": result.answer,
        "text": result.text,
        "votes": dict(votes.ranked),
        "no_answer": votes.silent,
        "failed": failures(result.candidates),
        "samples": len(result.candidates),
        "estimated": sum(sample.estimated for sample in result.candidates),
        "tokens": cost.usage.tokens,
        "usd": cost.usd,
        "flops": cost.flops,
        "latency_seconds": round(cost.latency_seconds, 3),
        "stop_reason": result.stop_reason.value,
    }
    if trace:
        values["trace"] = [_sample_values(sample) for sample in result.candidates]
    return values


def failures(samples: Sequence[Sample]) -> dict[str, int]:
    """What went wrong with samples that the engine will not give, and with how many, the most frequent first."""
    from perpend.core import Finish

    errors = Counter(sample.error or "no reason given" for sample in samples if sample.finish is Finish.FAILED)
    return dict(errors.most_common())


def _sample_values(sample: Sample) -> dict[str, Any]:
    values: dict[str, Any] = {
        "index": sample.index,
        "answer": sample.answer,
        "text": sample.text,
        "finish": sample.finish.value,
        "tokens": sample.usage.completion,
        "estimated": sample.estimated,
        "logprob": sample.logprob,
    }
    if any(token.top for token in sample.tokens or ()):
        values["top_logprobs"] = [[list(each) for each in token.top] for token in sample.tokens or ()]
    return values


def _draw(result: Result, *, trace: bool) -> None:
    from rich.text import Text

    from perpend.cli.votes import Votes, table
    from perpend.core import Cause

    console = out()
    if trace:
        for sample in result.candidates:
            answer = "no answer" if sample.answer is None else sample.answer
            tokens = f"{'about ' if sample.estimated else ''}{sample.usage.completion} tokens"
            heading = f"sample {sample.index} · {tokens} · {sample.finish} · {answer}"
            console.rule(Text(heading), align="left", style="dim")
            console.print(Text(sample.text.strip()))
        console.rule(style="dim")
    console.print(table(Votes.of(result.candidates)))
    console.print()
    console.print(Text("No sample held an answer." if result.answer is None else f"Answer: {result.answer}", "bold"))
    for error, count in failures(result.candidates).items():
        console.print(Text(f"{count} of {len(result.candidates)} samples failed: {error}"), soft_wrap=True)
    console.print(Text(cost_line(result), style="dim"))
    if estimated := sum(sample.estimated for sample in result.candidates):
        console.print(Text(estimated_line(estimated, len(result.candidates)), style="dim"))
    if Cause.UNCERTAIN in result.charge:
        console.print(Text(lost_line(result.charge[Cause.UNCERTAIN]), style="dim"))
    if Cause.OVERHEAD in result.charge:
        console.print(Text(probe_line(result.charge[Cause.OVERHEAD]), style="dim"))


def cost_line(result: Result) -> str:
    """What it cost, and why it stopped."""
    cost = result.charge.total
    dollars = "" if not cost.usd else f", ${cost.usd:.4g}"
    n = len(result.candidates)
    spent = f"{n} sample{'s' * (n != 1)}, {cost.usage.tokens:,} tokens, {cost.latency_seconds:.1f} s{dollars}"
    return f"{spent}; stopped: {result.stop_reason}"


def estimated_line(estimated: int, samples: int) -> str:
    """How many samples are charged at their reservation, and why."""
    return (
        f"the server did not count the tokens of {estimated} of {samples} samples: they are charged the most possible"
    )


def lost_line(paid: Charge) -> str:
    """What calls took of that whose cost nobody knows."""
    dollars = "" if not paid.usd else f", ${paid.usd:.4g}"
    calls = f"{paid.calls:,} call{'s' * (paid.calls != 1)}"
    return f"of that, at most, for {calls} that broke or were not counted: {paid.usage.tokens:,} tokens{dollars}"


def probe_line(paid: Charge) -> str:
    """What finding out about an endpoint took of that."""
    dollars = "" if not paid.usd else f", ${paid.usd:.4g}"
    return f"of that, once, for finding out what the server can do: {paid.usage.tokens:,} tokens{dollars}"
