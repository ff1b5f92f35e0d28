"""What a server can do, found out by asking: about twenty calls of a few tokens each, once a server and model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from perpend.core import EngineError, Message
from perpend.engines.openai.abilities import Abilities, AbilityCache, Continuation, Plain, Thinking
from perpend.engines.openai.asking import Asker, Rehearsal
from perpend.engines.openai.body import CHAT, RAW, Body, StreamOptions, switch_off_defaults
from perpend.engines.openai.replies import text_of
from perpend.engines.openai.wire import Choice, Reply, ServedModel, known_usage

MOST_LOGPROBS = (20, 5, 1)
HELLO = (Message("user", "Say a random word."),)
LONG = (Message("user", "Tell me a long story."),)
ONCE = "Once upon a time"
BEGUN = (
    ("Count from one to ten in words.", "one, two, three, four, five, six,", "seven"),
    ("Say the alphabet in capital letters.", "A, B, C, D, E, F, G,", "H"),
)
"""Question, an answer that stops in the middle, and how any model goes on there. A new answer would begin otherwise."""
SEEDS = (1, 1, 2, 3, 4)
BUDGETS = {"vllm": Thinking.VLLM, "llamacpp": Thinking.LLAMA, "sglang": Thinking.SGLANG}
"""The field that bounds thinking, by what a server says of itself."""
DEFAULTS = {"vllm": Plain.VLLM, "llamacpp": Plain.LLAMA, "sglang": Plain.VLLM}
DIALECTS = (("max_tokens", True), ("max_completion_tokens", True), ("max_completion_tokens", False))


@dataclass(frozen=True)
class Probed:
    """One server.

    Attributes:
        model: its name.
        abilities: what the server can do for it.
        cache: where that is remembered.
        remembered: whether it was found earlier, and only read there.
    """

    model: str
    abilities: Abilities
    cache: AbilityCache
    remembered: bool


async def probe(asker: Asker, model: str | None) -> Probed:
    """What the server can do for a model (None: the only one served), from the cache if that is known.

    Raises EngineError where the server cannot be used, and ConfigError where the purse cannot pay for all of the probe:
    before anything is asked.
    """
    served = _chosen(await asker.models(), model, asker.url)
    cache = AbilityCache(asker.url, served.id, served.owned_by, served.max_model_len, served.context_length)
    known = cache.read()
    if known is not None:
        return Probed(served.id, known, cache, remembered=True)
    rehearsal = Rehearsal(asker.url, asker.key)
    await Probe(rehearsal, served).abilities()
    asker.purse.afford(rehearsal.most)
    try:
        found = await Probe(asker, served).abilities()
    finally:
        await asker.end()
    if not asker.doubtful:
        cache.write(found)
    return Probed(served.id, found, cache, remembered=False)


def _chosen(models: list[ServedModel] | None, model: str | None, url: str) -> ServedModel:
    """The model in the server's list. A list may be incomplete; a name that is not in it is tried all the same."""
    by_name = {served.id: served for served in models or []}
    one = next(iter(by_name.values()), None)
    if model is not None:
        if one is not None and one.owned_by == "llamacpp":  # it has one model, and takes any name for it
            return replace(one, id=model)
        return by_name.get(model) or ServedModel(model)
    if one is not None and len(by_name) == 1:
        return one
    names = ", ".join(sorted(by_name)[:8]) or "none that it tells"
    raise EngineError(f"Which model of {url}? It serves {names}.", "Write openai:URL#MODEL.")


@dataclass
class Probe:
    """Asks one server about one model."""

    asker: Asker | Rehearsal
    served: ServedModel
    limit_field: str = "max_tokens"
    top_p: bool = True

    async def abilities(self) -> Abilities:
        """What the server can do. Raises EngineError where it can do nothing."""
        raw_hello = self._body(prompt=ONCE, max_tokens=2)
        chat, raw = await asyncio.gather(self._chat(), self.asker.ask(RAW, raw_hello))
        first = chat or raw
        if first is None:
            said = "; ".join(f"{path}: {text}" for path, text in sorted(self.asker.objections.items()))
            raise EngineError(
                f"{self.asker.url} completes nothing with the model {self.served.id} ({said}).",
                "Correct the model's name, the address, or what it objects to.",
            )
        kinds = ([CHAT] if chat else []) + ([RAW] if raw else [])
        plain = await self._plain(kinds[0])
        seeds, replays = await self._seeds(kinds[0])
        n, stream, logprobs, raw_logprobs = await asyncio.gather(
            self._choices(kinds[0]),
            self._streams(kinds[0]),
            self._logprobs(CHAT in kinds),
            self._raw_logprobs(RAW in kinds),
        )
        (continuation, repeats), echo, thinking, context = await asyncio.gather(
            self._continuation(CHAT in kinds),
            self._echo(RAW in kinds),
            self._thinking(CHAT in kinds),
            self._context(),
        )
        return Abilities(
            chat=CHAT in kinds,
            raw=RAW in kinds,
            limit_field=self.limit_field,
            top_p=self.top_p,
            plain=plain,
            n=n,
            seeds=seeds,
            replays=replays,
            stream=stream,
            usage=known_usage(first.usage) is not None,
            logprobs=logprobs,
            raw_logprobs=raw_logprobs,
            continuation=continuation,
            repeats_prefix=repeats,
            echo=echo,
            thinking=thinking,
            context=context,
            software=self.asker.key.scrub(" ".join(filter(None, (self.served.owned_by, first.system_fingerprint)))),
        )

    async def _chat(self) -> Reply | None:
        """A first answer. Newer hosted models want the limit by another name, and no top_p."""
        for self.limit_field, self.top_p in DIALECTS:
            reply = await self.asker.ask(CHAT, self._hello(CHAT, 2))
            if reply is not None:
                return reply
        self.limit_field, self.top_p = DIALECTS[0]
        return None

    async def _plain(self, path: str) -> Plain:
        """How this kind of server's sampling defaults are switched off, if it takes that."""
        way, body = DEFAULTS.get(self.served.owned_by or "", Plain.UNKNOWN), self._hello(path, 1)
        switch_off_defaults(body, way)
        return way if await self.asker.ask(path, body) is not None else Plain.UNKNOWN

    async def _seeds(self, path: str) -> tuple[bool, bool]:
        """Whether equal seeds give equal texts and others other texts; and whether they do so side by side.

        Batching changes a server's rounding, so the second is much to ask; the first is asked alone.
        """

        async def text(seed: int) -> str | None:
            return _text(await self.asker.ask(path, self._hello(path, 8, seed=seed)))

        first, again = await text(1), await text(1)
        together = await asyncio.gather(*(text(seed) for seed in SEEDS))
        seeds = first is not None and first == again and len(set(together)) > 1
        return seeds, seeds and set(together[:2]) == {first}

    async def _choices(self, path: str) -> bool:
        """Whether it gives two choices when asked for two, and counts the tokens of both (llama-server does not)."""
        body = self._hello(path, 4, n=2)
        body.messages = body.messages and LONG
        reply = await self.asker.ask(path, body)
        if reply is None or len({c.index for c in reply.choices or [] if c is not None}) < 2:
            return False
        usage = known_usage(reply.usage)
        return usage is None or usage.completion > 4

    async def _streams(self, path: str) -> bool:
        """Whether it streams, and says at the end what that cost."""
        body = self._hello(path, 2, stream=True, stream_options=StreamOptions())
        reply = await self.asker.stream(path, body)
        choice = _choice(reply)
        return reply is not None and known_usage(reply.usage) is not None and bool(choice and choice.pieces)

    async def _logprobs(self, chat: bool) -> int:
        """The most log-probabilities a token in chat."""
        for most in MOST_LOGPROBS if chat else ():
            body = self._hello(CHAT, 2, logprobs=True, top_logprobs=most if most > 1 else None)
            if _has_logprobs(await self.asker.ask(CHAT, body)):
                return most
        return 0

    async def _raw_logprobs(self, raw: bool) -> int:
        """The most log-probabilities a token in raw completions."""
        for most in MOST_LOGPROBS if raw else ():
            if _has_logprobs(await self.asker.ask(RAW, self._hello(RAW, 2, logprobs=most))):
                return most
        return 0

    async def _continuation(self, chat: bool) -> tuple[Continuation, bool]:
        """Whether answers that stop in the middle go on there, and come back together with their beginning."""
        for way in (Continuation.FLAG, Continuation.PREFILL) if chat else ():
            repeats = set(await asyncio.gather(*(self._continues(way, *example) for example in BEGUN)))
            if len(repeats) == 1 and None not in repeats:
                return way, True in repeats
        return Continuation.NONE, False

    async def _continues(self, way: Continuation, question: str, begun: str, rest: str) -> bool | None:
        """None: it does not; else whether it repeats what it continues."""
        flag = way is Continuation.FLAG
        body = self._hello(CHAT, 4, continue_final_message=flag, add_generation_prompt=not flag)
        body.messages, body.temperature = (Message("user", question), Message("assistant", begun)), 0.0
        text = _text(await self.asker.ask(CHAT, body)) or ""
        return text.startswith(begun) if text.removeprefix(begun).lstrip().startswith(rest) else None

    async def _echo(self, raw: bool) -> bool:
        """Whether it scores a given text: it says it again, with log-probabilities and where each token begins."""
        if not raw:
            return False
        reply = await self.asker.ask(RAW, self._body(prompt=ONCE, max_tokens=1, logprobs=1, echo=True))
        choice = _choice(reply)
        scores = choice.logprobs if choice is not None else None
        scored = scores is not None and len(scores.token_logprobs or []) == len(scores.text_offset or []) > 1
        return scored and (_text(reply) or "").startswith(ONCE)

    async def _thinking(self, chat: bool) -> Thinking:
        """The field of this kind of server, if it takes it."""
        way = BUDGETS.get(self.served.owned_by or "", Thinking.NONE)
        if way is Thinking.NONE or not chat:
            return Thinking.NONE
        body = self._hello(CHAT, 1)
        setattr(body, way.value, 16)
        return way if await self.asker.ask(CHAT, body) is not None else Thinking.NONE

    async def _context(self) -> int | None:
        """Tokens of prompt and completion together: listed with the model, or (llama-server) among its properties."""
        listed = self.served.max_model_len or self.served.context_length
        if listed is not None or self.served.owned_by != "llamacpp":
            return listed
        found = (await self.asker.properties()).get("default_generation_settings")
        size = found.get("n_ctx") if isinstance(found, dict) else None
        return size if isinstance(size, int) else None

    def _hello(self, path: str, tokens: int, **fields: Any) -> Body:
        if path == RAW:
            return self._body(prompt=ONCE, max_tokens=tokens, **fields)
        body = self._body(messages=HELLO, **fields)
        setattr(body, self.limit_field, tokens if self.limit_field == "max_tokens" else 16)
        return body

    def _body(self, **fields: Any) -> Body:
        return Body(model=self.served.id, temperature=1.0, top_p=1.0 if self.top_p else None, **fields)


def _choice(reply: Reply | None) -> Choice | None:
    return next((choice for choice in (reply.choices if reply else None) or [] if choice is not None), None)


def _text(reply: Reply | None) -> str | None:
    choice = _choice(reply)
    return None if choice is None else text_of(choice)


def _has_logprobs(reply: Reply | None) -> bool:
    choice = _choice(reply)
    return choice is not None and any(token.logprob is not None for token in choice.tokens)
