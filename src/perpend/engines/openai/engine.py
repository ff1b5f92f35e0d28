"""The engine for servers that speak the OpenAI protocol."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import reduce
from operator import and_

from perpend.core import (
    Caps,
    Charge,
    Completion,
    ConfigError,
    Delta,
    EngineError,
    Finish,
    Generation,
    ModelShape,
    Prompt,
    Purse,
    Request,
    RequestFailed,
    Usage,
    derive_seed,
    digest,
)
from perpend.engines.openai.abilities import Abilities
from perpend.engines.openai.asking import Asker, Bottomless
from perpend.engines.openai.body import Call, compose, scoring
from perpend.engines.openai.calls import Caller, Counts, Persistence
from perpend.engines.openai.failures import Rejected
from perpend.engines.openai.leash import Leash
from perpend.engines.openai.probe import Probed, probe
from perpend.engines.openai.replicas import Replicas
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.target import Target
from perpend.engines.openai.transport import Timeouts, Transport

STREAM_FROM_TOKENS = 1024
"""Replies that may be longer are streamed: a stall shows early, no proxy takes the connection for idle, and what
arrived is kept. Shorter ones come whole, which costs a fraction of the CPU."""


class OpenAIEngine:
    """Completions from vLLM, SGLang, llama-server, or a hosted API.

    A user's API key comes from `PERPEND_API_KEY` or `OPENAI_API_KEY` and from nowhere else.

    Args:
        target: `URL#MODEL`; replicas of one model as `URL,URL#MODEL`; `URL` where one model is served; `MODEL` at
            `OPENAI_BASE_URL`.
        name: its name in the study.
        max_connections: the most calls in flight at each replica.
        stream: whether replies are streamed; None: those that may have over 1,024 tokens.
        connect_seconds, first_token_seconds, gap_seconds, whole_seconds: time-outs, see `Timeouts`.
        attempts: at a call that may have cost something.
        patience_seconds: without any answer, until the server is given up.
        key: of a server that perpend itself has started; None: the user's.
    """

    fingerprint: str
    version: str
    caps: Caps

    def __init__(
        self,
        target: str,
        *,
        name: str = "openai",
        max_connections: int = 256,
        stream: bool | None = None,
        connect_seconds: float = 10.0,
        first_token_seconds: float = 300.0,
        gap_seconds: float = 60.0,
        whole_seconds: float = 1800.0,
        attempts: int = 8,
        patience_seconds: float = 300.0,
        key: Secret | None = None,
    ) -> None:
        if min(max_connections, attempts) < 1:
            raise ConfigError("An engine needs a connection and an attempt.", "Set max_connections and attempts to 1.")
        self.name = name
        self.shape: ModelShape | None = None
        self.counts = Counts()
        """Calls sent, answered, refused and lost so far, and the seconds that went into waiting."""
        self._target = Target.parse(target)
        self._stream = stream
        self._most = max_connections
        self._timeouts = Timeouts(connect_seconds, first_token_seconds, gap_seconds, whole_seconds)
        self._persistence = Persistence(attempts, patience_seconds)
        self._own_key, self._key = key, Secret()
        self._purse: Purse = Bottomless()
        self._transport: Transport | None = None
        self._caller: Caller | None = None
        self._model = ""
        self._abilities = Abilities()
        self._probed: list[Probed] = []
        self._renewed = False
        self._renewing = asyncio.Lock()

    async def start(self, purse: Purse | None = None) -> None:
        """Connect, and probe what has not been probed before.

        Raises EngineError, and ConfigError where the purse cannot pay for the probe.
        """
        if self._caller is not None:
            return
        self._key, self._purse = self._own_key or Secret.from_environment(), purse or Bottomless()
        self._transport = Transport(self._key, self._timeouts)
        try:
            await self._probe(self._transport)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close all connections."""
        transport, self._transport, self._caller = self._transport, None, None
        if transport is not None:
            await transport.close()

    def forget(self) -> None:
        """Remove what is remembered of the servers: the next start probes them anew."""
        for each in self._probed:
            each.cache.forget()

    @property
    def overhead(self) -> Charge:
        """Nothing: the purse pays for probing."""
        return Charge()

    def generate(self, request: Request) -> Generation:
        """Ask for completions.

        A server may give fewer choices than it was asked for: the caller asks for the rest, under a new reservation.
        Iterating raises CallLost for a call that broke and may have cost something: the caller reserves anew and asks
        again, with `attempt` one higher. What had been yielded until then stands.
        """
        leash = Leash()
        return Generation(self._answer(request, leash), leash.cancel)

    async def loglik(self, prompt: Prompt, text: str, attempt: int = 0) -> float:
        """The log-probability of a text after a raw prompt.

        Raises EngineError where the server cannot score, CallLost and RequestFailed as the calls of `generate` do.
        """
        caller = self._started()
        if prompt.text is None or not self._abilities.echo:
            raise EngineError(
                f"The server of {self._model} cannot score a given text.", "Use one whose /completions has echo."
            )
        place, seed = digest(prompt.text), derive_seed(text)
        request = Request("", place, 0, prompt, seed, prefix=text, attempt=attempt)
        call = scoring(request, self._model)
        (scored,) = [item async for item in caller.call(call, Leash()) if isinstance(item, Completion)]
        if scored.finish in (Finish.FAILED, Finish.FILTERED):
            raise RequestFailed(
                f"The server of {self._model} did not score a text ({scored.error or 'it filters it'}).",
                "Change what it objects to, or leave this text out.",
                usage=scored.usage,
            )
        return scored.logprob or 0.0  # a text within one token with the prompt has none of its own

    async def _probe(self, transport: Transport) -> None:
        """Probe all replicas side by side; those that are away are left to be tried again, if one at least is there."""
        urls = self._target.urls
        askers = [Asker(transport, url, self._key, self._purse) for url in urls]
        outcomes = await asyncio.gather(*(probe(a, self._target.model) for a in askers), return_exceptions=True)
        found = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and (not found or not isinstance(outcome, EngineError)):
                raise outcome
        if len({each.model for each in found}) > 1:
            raise EngineError(
                f"The replicas serve different models: {', '.join(each.model for each in found)}.",
                "Name one: openai:URL,URL#MODEL.",
            )
        self._probed, self._model = found, found[0].model
        self._abilities = reduce(and_, (each.abilities for each in found))
        software = f" ({self._abilities.software})" if self._abilities.software else ""
        self.fingerprint = hashlib.sha256(self._model.encode()).hexdigest()  # a server does not show its weights
        self.version = f"{self._model}{software} at {', '.join(urls)}"
        self.caps = self._abilities.caps()
        replicas = Replicas(urls, self._most)
        self._caller = Caller(transport, replicas, self._model, self._key, self._persistence, self.counts)

    async def _renew(self, believed: Abilities, rejection: Rejected) -> None:
        """Probe once more where the server may have lost what is remembered of it; else raise the rejection."""
        async with self._renewing:
            if self._abilities is not believed:  # another request has had it done
                return
            if self._renewed:
                files = ", ".join(str(each.cache.path) for each in self._probed)
                remedy = (
                    f"{rejection.remedy} What the server can do is remembered in {files}: if that is wrong, delete it."
                )
                raise EngineError(rejection.message, remedy, usage=rejection.usage)
            if self._transport is None or not any(each.remembered for each in self._probed):
                raise rejection
            self._renewed = True
            self.forget()
            await self._probe(self._transport)

    async def _answer(self, request: Request, leash: Leash) -> AsyncIterator[Delta | Completion]:
        """The choices; asked for once more where the server proves to be another one than is remembered.

        Several that the server does not give in one call fail together: whoever pays asks for them one by one, each
        under its own reservation, since each has a prompt of its own.
        """
        while True:
            caller, believed = self._started(), self._abilities
            if request.n > 1 and not believed.n:
                yield _failed(f"The server of {self._model} gives one choice a call.")
                return
            try:
                async for item in caller.call(self._composed(request), leash):
                    yield item
                return
            except Rejected as rejection:
                try:
                    await self._renew(believed, rejection)
                except EngineError:
                    if request.n == 1:
                        raise
                if request.n > 1:
                    yield _failed(rejection.message)
                    return
            if request.logprobs == 1:  # the chosen token's are wanted where they can be had, and nowhere needed
                request = replace(request, logprobs=min(1, self.caps.logprobs))

    def _composed(self, request: Request) -> Call:
        long = request.prompt.max_tokens > STREAM_FROM_TOKENS and self._abilities.stream
        return compose(request, self._model, self._abilities, long if self._stream is None else self._stream)

    def _started(self) -> Caller:
        if self._caller is None:
            raise EngineError(f"Engine {self.name} was not started.", "Call start() first.")
        return self._caller


def _failed(error: str) -> Completion:
    return Completion(0, "", Finish.FAILED, Usage(), error=error)
