"""`perpend study`: measure strategies on a model and tasks, and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perpend.cli.options import (
    LIMITS,
    OUTPUT,
    SAMPLING,
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
from perpend.cli.output import verb

WHAT = "What to measure"
RESUME = "Nothing that was drawn is lost: run the same command again, and it goes on where it stopped."


@verb(when_stopped=RESUME)
def study(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC.toml]", help="A study file; flags override it.", show_default=False),
    ] = None,
    task: Annotated[
        list[str] | None,
        flag(
            "--task",
            help="A task: gsm8k, jsonl:FILE, arithmetic(difficulty=2). Repeats.",
            panel=WHAT,
            autocompletion=names_of("tasks"),
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        flag(
            "--engine",
            help="ENGINE or NAME=ENGINE. Repeats. [default: embedded]",
            panel=WHAT,
            autocompletion=names_of("engines"),
        ),
    ] = None,
    strategies: Annotated[
        str | None,
        flag(
            "--strategies",
            help="Separated by commas. [default: all that apply]",
            panel=WHAT,
            autocompletion=names_of("strategies"),
        ),
    ] = None,
    verifier: Annotated[
        list[str] | None,
        flag("--verifier", help="Select by this scorer too, FILE.py:FUNCTION or a name. Repeats.", panel=WHAT),
    ] = None,
    checker: Annotated[
        str | None,
        flag("--checker", help="FILE.py:FUNCTION that tells right answers, for jsonl and csv tasks.", panel=WHAT),
    ] = None,
    style: Annotated[
        str | None, flag("--style", help="chat or few-shot. [default: what suits the task]", panel=WHAT)
    ] = None,
    limit: Annotated[int | None, flag("--limit", min=1, help="Problems a task. [default: all]", panel=WHAT)] = None,
    samples: Annotated[
        int | None, flag("--samples", "-n", min=1, help="Samples a problem. [default: 16]", panel=SAMPLING)
    ] = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: MaxTokens = None,
    thinking_tokens: ThinkingTokens = None,
    logprobs: Logprobs = None,
    system: System = None,
    seed: Seed = None,
    reproducible: Annotated[
        bool | None,
        flag("--reproducible/--fast", help="Ask for exact replay. [default: reproducible]", panel=SAMPLING),
    ] = None,
    budget: Annotated[
        str | None, flag("--budget", help="Of the whole job: usd=…,tokens=…,seconds=…,samples=…", panel=LIMITS)
    ] = None,
    per_problem: Annotated[str | None, flag("--per-problem", help="Of each problem, likewise.", panel=LIMITS)] = None,
    max_connections: Annotated[
        int | None, flag("--max-connections", min=1, help="Samples in flight at once. [default: 64]", panel=LIMITS)
    ] = None,
    hourly: Hourly = None,
    price: Prices = None,
    dry_run: Annotated[
        bool, flag("--dry-run", help="Only say what it would cost, each strategy alone and all together.", panel=LIMITS)
    ] = False,
    probe: Annotated[
        int | None,
        flag(
            "--probe",
            min=1,
            help="A dry run that first draws so many problems a task, and goes by those. They are kept.",
            panel=LIMITS,
        ),
    ] = None,
    title: Annotated[str | None, flag("--title", help="Heads the report.", panel=OUTPUT)] = None,
    folder: Annotated[
        Path | None,
        flag("--out", "-o", help="The study's folder; one that exists is extended. [default: runs/NAME]", panel=OUTPUT),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    r"""Measure strategies on a model and tasks, and write a report.

    Without a study file and without --task it runs the quickstart. Draws every sample once, stores it, and evaluates
    every strategy at every N from the same samples. Run again, it goes on where it stopped, and draws nothing twice.

    Your own problems: --task jsonl:FILE (a JSON object a line) or csv:FILE (with a header). The columns are question,
    answer (the right one; may be left out with --checker) and id (optional). Where they are called something else:
    --task 'jsonl(path=FILE, question=COLUMN, answer=COLUMN, id=COLUMN)'.

    An environment variable that holds several tasks or engines separates them by spaces.
    """
    from perpend.cli.job import dry_run_job, run_job
    from perpend.cli.request import wanted

    flags = {
        "task": task, "engine": engine, "strategies": strategies, "verifier": verifier, "checker": checker,
        "style": style, "limit": limit, "samples": samples,
        "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "system": system, "seed": seed,
        "thinking_tokens": thinking_tokens, "logprobs": logprobs,
        "reproducible": reproducible, "budget": budget, "per_problem": per_problem,
        "max_connections": max_connections, "hourly": hourly, "price": price, "title": title,
    }  # fmt: skip
    asked = wanted(spec, flags, folder)
    if dry_run or probe:
        dry_run_job(*asked, probe=probe or 0, yes=yes, as_json=as_json)
    else:
        run_job(*asked, yes=yes, as_json=as_json)
