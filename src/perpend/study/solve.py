"""One question, answered live: the same strategies and budgets as in a study, and nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perpend.core import (
    Budget,
    Cause,
    Charge,
    Charges,
    ConfigError,
    Engine,
    Listener,
    MemoryRecorder,
    Price,
    Problem,
    Prompt,
    Result,
    Run,
    Scope,
    Silent,
    Strategy,
    Task,
    World,
    digest,
    perform,
)
from perpend.economics import PriceBook, Quote
from perpend.engines import ENGINES
from perpend.strategies import STRATEGIES
from perpend.study.located import located_call
from perpend.study.overhead import JobPurse
from perpend.study.plan import with_system
from perpend.study.pricing import quote_of, refuse_unpriced_caps
from perpend.study.spec import Sampling
from perpend.tasks import TASKS
from perpend.verifiers import resolve_verifier

DEFAULT_STRATEGY = "majority(n=16)"


async def solve(
    question: str,
    *,
    strategy: str = DEFAULT_STRATEGY,
    engine: str | Engine = "embedded",
    task: str | Task = "question",
    style: str | None = None,
    budget: Budget | str | None = None,
    sampling: Sampling | None = None,
    seed: int = 0,
    hourly: float | None = None,
    price: Sequence[str] = (),
    listener: Listener | None = None,
) -> Result:
    """Answer a question.

    Args:
        question: as the task would put it, or the id of one of the task's problems.
        strategy: a strategy string.
        engine: an engine string, or an engine that stays open for the next question.
        task: how the question is rendered and its answer read, as a task string.
        style: "chat" or "few-shot"; None for the task's own.
        budget: the caps, as a value or as "tokens=…,seconds=…"; probing an endpoint, where that is needed, is paid for
            out of it and is in the result's charge as overhead.
        sampling: what overrides the task's sampling parameters.
        seed: of every sample.
        hourly: dollars an hour that a local machine is taken to cost; None for the documented assumption.
        price: dollars per million tokens, as a study's.
        listener: told of every token and sample.

    Raises:
        ConfigError: for a name or setting that cannot be used, a strategy that needs the key among them, and for a
            budget that does not cover probing the endpoint.
        EngineError: where the engine cannot start, or is lost.
    """
    if not question.strip():
        raise ConfigError("The question is empty.", "Write it in quotes: perpend solve 'What is 17 * 23?'.")
    asked = TASKS.build(located_call(task)) if isinstance(task, str) else task
    chosen = deployable(strategy)
    problem = problem_of(asked, question)
    prompt = prompt_of(asked, problem, style or asked.style, sampling or Sampling())
    verifiers = {} if chosen.verifier is None else {chosen.verifier: resolve_verifier(chosen.verifier, asked)}
    refuse_oracles(strategy, [name for name, verifier in verifiers.items() if verifier.oracle])
    caps = Budget.parse(budget) if isinstance(budget, str) else budget
    generator = ENGINES.build(located_call(engine), reproducible=False) if isinstance(engine, str) else engine
    known = PriceBook.of(price).quote(generator.name, engine if isinstance(engine, str) else generator.name)
    try:
        scope, recorder = Scope(caps), MemoryRecorder()
        purse = JobPurse(generator.name, scope, recorder, None if known is None else known.price)
        await generator.start(purse)
        engines, prices = {generator.name: generator}, _prices(generator, known, hourly)
        refuse_unpriced_caps([caps], [name for name in engines if name not in prices])
        world = World(engines, verifiers, recorder, seed, prices, listener or Silent(), reproducible=False)
        result = await perform(chosen, Run(world, asked, problem, prompt, scope))
        return _with_probe(result, purse.paid)
    finally:
        for verifier in verifiers.values():
            await verifier.close()
        if isinstance(engine, str):
            await generator.close()


def most_tokens(
    question: str, *, strategy: str, task: str | Task, style: str | None = None, sampling: Sampling | None = None
) -> int:
    """More tokens than a question can take: every sample with its whole prompt. Raises ConfigError."""
    asked = TASKS.build(located_call(task)) if isinstance(task, str) else task
    prompt = prompt_of(asked, problem_of(asked, question), style or asked.style, sampling or Sampling())
    return deployable(strategy).n * (prompt.upper_bound_tokens() + prompt.max_tokens)


def deployable(text: str) -> Strategy:
    """The strategy of a string. Raises ConfigError for one that needs the key."""
    strategy = STRATEGIES.build(text)
    refuse_oracles(text, [strategy.name] if strategy.oracle else [])
    return strategy


def refuse_oracles(strategy: str, oracles: list[str]) -> None:
    """Raise ConfigError where something needs the right answer, which nobody has here."""
    if oracles:
        raise ConfigError(
            f"Strategy {strategy!r} needs the right answer ({oracles[0]} is an oracle), and a question comes without.",
            "Use majority, weighted_vote or best_of_n with a verifier that is no oracle.",
        )


def problem_of(task: Task, question: str) -> Problem:
    """One of the task's own problems, where the question is its wording or its id; else a new one."""
    for problem in task.problems():
        if question in (problem.id, problem.data.get("question")):
            return problem.without_key()
    return Problem(f"asked-{digest(question)[:12]}", task.name, {"question": question})


def prompt_of(task: Task, problem: Problem, style: str, sampling: Sampling) -> Prompt:
    """The problem, rendered, with the sampling parameters that were asked for."""
    if style not in task.styles:
        raise ConfigError(
            f"Task {task.name} cannot be asked in style {style!r}.", f"It knows {', '.join(task.styles)}."
        )
    prompt = task.render(problem, style)
    if sampling.system is not None:
        prompt = with_system(prompt, sampling.system, task.name)
    return replace(prompt, **sampling.of_prompt())


def _with_probe(result: Result, paid: Charge) -> Result:
    """The result, with what finding out about the engine was paid for; calls that were lost at their reservation."""
    if not paid.usage.tokens:
        return result
    charges = Charges.of(result.charge)
    charges.add(Cause.OVERHEAD, paid)
    return replace(result, charge=charges)


def _prices(engine: Engine, known: Quote | None, hourly: float | None) -> dict[str, Price]:
    """Its own price, or the machine's time; nothing where neither is known."""
    quote = quote_of(known, local=engine.caps.local, simulated=engine.caps.simulated, hourly=hourly)
    return {} if quote is None else {engine.name: quote.price}
