"""An engine without a model: it draws from the laws of `core.simulation`, at once or at a pace.

It exists so that a whole study, a strategy or a budget can be tried against a known truth in a second, and it says of
itself that it is simulated wherever its figures appear.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from perpend.core import (
    Caps,
    Charge,
    Completion,
    ConfigError,
    Delta,
    EngineError,
    Finish,
    Generation,
    Likely,
    ModelShape,
    Prompt,
    Purse,
    Request,
    Token,
    Usage,
    derive_seed,
    digest,
)
from perpend.core.simulation import Drawn, Law, law_of

DELTA_TOKENS = 16
"""Tokens that arrive together."""
FILLER = "so"
LIKELIEST = 20
"""Tokens whose log-probabilities it gives in each place."""
MOST_ATTEMPTS = 1000
"""To draw a sample that is longer than a text; one that grew beyond all laws ends at once."""
CONCLUSION = "The answer is {answer}."


class SimulatedEngine:
    """Draws completions of simulated problems.

    Args:
        tokens_per_second: of one completion, on its own clock; it ends when the last token has really been said.
        failures: the share of requests that end as FAILED, chosen by their seeds.
        pace: real seconds that a simulated one takes; 0 waits for nothing.
        name: its name in the study.
    """

    def __init__(
        self, tokens_per_second: float = 50.0, failures: float = 0.0, pace: float = 0.0, name: str = "simulated"
    ) -> None:
        if not (tokens_per_second > 0 and 0 <= failures <= 1 and pace >= 0):
            raise ConfigError(
                "The simulated engine cannot work like that.",
                "tokens_per_second must be positive, failures between 0 and 1, and pace not negative.",
            )
        self.name = name
        self.fingerprint = digest(["simulated", tokens_per_second, failures])
        self.caps = Caps(
            seeds=True,
            exact_replay=True,
            logprobs=1 + LIKELIEST,
            continuation=True,
            local=True,
            simulated=True,
            note="drawn from known laws, no model",
        )
        self.shape: ModelShape | None = ModelShape(parameters=135_000_000, layers=30, width=576)
        self.version = "simulated 1"
        self._tokens_per_second = tokens_per_second
        self._failures = failures
        self._pace = pace

    @property
    def overhead(self) -> Charge:
        """Nothing."""
        return Charge()

    async def start(self, purse: Purse | None = None) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    def generate(self, request: Request) -> Generation:
        """Draw as the request's seed decides; at temperature 0, the law's most probable answer."""
        cancelled = asyncio.Event()
        return Generation(self._stream(request, cancelled), cancelled.set)

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:  # noqa: ARG002 (the protocol's)
        """Refused: a law gives no likelihood to a text."""
        raise EngineError("The simulated engine cannot score a given text.", "Use the embedded engine.")

    async def _stream(self, request: Request, cancelled: asyncio.Event) -> AsyncIterator[Delta | Completion]:
        for choice in range(request.n):
            async for item in self._choice(request, choice, cancelled):
                yield item

    async def _choice(
        self, request: Request, choice: int, cancelled: asyncio.Event
    ) -> AsyncIterator[Delta | Completion]:
        seed = request.seed + choice
        prompt_tokens = 0 if choice else _prompt_tokens(request.prompt)
        if random.Random(f"fail-{seed}").random() < self._failures:
            yield Completion(choice, "", Finish.FAILED, Usage(prompt_tokens), error="simulated failure")
            return
        law = law_of(request.problem_id)
        drawn = law.greedy() if request.prompt.temperature == 0 else law.draw(seed)
        if request.prefix:
            drawn = _rest(request.prefix, drawn, law, seed)
            prompt_tokens += len(request.prefix.split())
        words = _words(drawn, after=request.prefix)[: request.prompt.max_tokens]
        said = 0
        while said < len(words) and not cancelled.is_set():
            piece = words[said : said + DELTA_TOKENS]
            await self._wait(len(piece), cancelled)
            if not cancelled.is_set():
                said += len(piece)
                yield Delta(choice, "".join(piece), len(piece))
        yield self._completion(request, choice, drawn, words[:said], prompt_tokens)

    def _completion(
        self, request: Request, choice: int, drawn: Drawn, said: list[str], prompt_tokens: int
    ) -> Completion:
        whole = len(said) == drawn.tokens
        cut = Finish.LENGTH if len(said) == request.prompt.max_tokens else Finish.CANCELLED
        each = Token(0, drawn.logprob / drawn.tokens)
        if request.logprobs > 1:
            each = each._replace(top=_likeliest(each.logprob, request.logprobs - 1))
        seconds = len(said) / self._tokens_per_second
        started = float(int(time.time() - seconds))  # whole, so that the difference is the same whenever it runs
        return Completion(
            choice=choice,
            text="".join(said),
            finish=Finish.STOP if whole else cut,
            usage=Usage(prompt=prompt_tokens, completion=len(said)),
            logprob=each.logprob * len(said) if request.logprobs else None,
            tokens=(each,) * len(said) if request.logprobs else None,
            started=started,
            ended=started + seconds,
            device_seconds=seconds,
        )

    async def _wait(self, tokens: int, cancelled: asyncio.Event) -> None:
        if self._pace == 0:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(cancelled.wait(), self._pace * tokens / self._tokens_per_second)


def _words(drawn: Drawn, after: str) -> list[str]:
    """The completion, a word a token; its answer comes last."""
    conclusion = CONCLUSION.format(answer=drawn.answer).split()[-drawn.tokens :]
    words = [FILLER] * (drawn.tokens - len(conclusion)) + conclusion
    return [f" {words[0]}" if after else words[0], *(f" {word}" for word in words[1:])]


def _rest(prefix: str, drawn: Drawn, law: Law, seed: int) -> Drawn:
    """What follows a text: after words that all samples begin with, what is left of a longer one; else an answer, now.

    So one that grows piece by piece has the law of one drawn at once, but for a token if it breaks in the conclusion.
    """
    said = prefix.split()
    if set(said) != {FILLER}:
        return drawn._replace(tokens=1)
    for attempt in range(MOST_ATTEMPTS):
        if drawn.tokens > len(said):
            break
        drawn = law.draw(derive_seed("longer", seed, attempt))
    return drawn._replace(tokens=max(1, drawn.tokens - len(said)))


def _likeliest(logprob: float, how_many: int) -> tuple[Likely, ...]:
    """The token itself, and others that share alike in what it leaves."""
    other = math.log(-math.expm1(logprob) / LIKELIEST)
    return (Likely(FILLER, logprob), *(Likely(f"{FILLER}{i}", other) for i in range(1, how_many)))


def _prompt_tokens(prompt: Prompt) -> int:
    """A word a token."""
    texts = [prompt.text or ""] if prompt.messages is None else [m.content for m in prompt.messages]
    return max(1, sum(len(text.split()) for text in texts))
