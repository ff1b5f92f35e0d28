"""From a request to the JSON that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from perpend.core import EngineError, Message, Request, Usage
from perpend.engines.openai.abilities import Abilities, Continuation, Plain, Thinking

CHAT, RAW = "chat/completions", "completions"


class StreamOptions(msgspec.Struct):
    """Asks for the usage at the end of a stream."""

    include_usage: bool = True


class Body(msgspec.Struct, omit_defaults=True):
    """A request, as the protocol spells it. What is left at its default is not sent."""

    model: str
    temperature: float
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    n: int = 1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    stream_options: StreamOptions | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    echo: bool = False
    continue_final_message: bool = False
    add_generation_prompt: bool = True
    thinking_token_budget: int | None = None
    thinking_budget_tokens: int | None = None
    thinking_budget: int | None = None


@dataclass(frozen=True)
class Call:
    """A body, encoded, and where it goes.

    Attributes:
        repeated: a prefix that the reply will begin with.
        scored: between which offsets of a text that the reply repeats log-probabilities are wanted; None: all of them.
    """

    path: str
    data: bytes
    streamed: bool
    request: Request
    repeated: str = ""
    scored: tuple[int, int] | None = None


_ENCODER = msgspec.json.Encoder()


def encode(body: Body, extra: Mapping[str, Any] | None = None) -> bytes:
    """As JSON, with further fields that override its own."""
    if not extra:
        return _ENCODER.encode(body)
    return _ENCODER.encode({**msgspec.to_builtins(body), **extra})


def compose(request: Request, model: str, abilities: Abilities, streamed: bool) -> Call:
    """The call that a request becomes. Raises EngineError, by name, for what the server cannot do."""
    prompt = request.prompt
    _refuse_impossible(request, model, abilities)
    repeated = request.prefix if abilities.repeats_prefix and prompt.text is None else ""
    streamed = streamed and not repeated
    body = Body(
        model=model,
        temperature=prompt.temperature,
        top_p=prompt.top_p if abilities.top_p or prompt.top_p < 1 else None,
        n=request.n,
        seed=request.seed if abilities.seeds else None,
        stop=prompt.stop,
        stream=streamed,
        stream_options=StreamOptions() if streamed and abilities.stream else None,
    )
    switch_off_defaults(body, abilities.plain)
    setattr(body, abilities.limit_field if prompt.text is None else "max_tokens", prompt.max_tokens)
    if prompt.text is not None:
        body.prompt = prompt.text + request.prefix
        body.logprobs = max(request.logprobs - 1, 1) if request.logprobs else None
    else:
        _chat(body, request, abilities)
    if prompt.thinking_tokens is not None:
        setattr(body, abilities.thinking.value, prompt.thinking_tokens)
    path = RAW if prompt.text is not None else CHAT
    return Call(path, encode(body, request.extra), streamed, request, repeated)


def switch_off_defaults(body: Body, plain: Plain) -> None:
    """Sample from the model's own distribution: temperature and top_p alone shape it, on every engine alike."""
    if plain is not Plain.UNKNOWN:
        body.top_k, body.min_p = (0 if plain is Plain.LLAMA else -1), 0.0
    if plain is Plain.VLLM:
        body.repetition_penalty = 1.0


def _chat(body: Body, request: Request, abilities: Abilities) -> None:
    body.messages = request.prompt.messages
    if request.prefix:
        body.messages = (*(body.messages or ()), Message("assistant", request.prefix))
        body.continue_final_message = abilities.continuation is Continuation.FLAG
        body.add_generation_prompt = not body.continue_final_message
    if request.logprobs:
        body.logprobs = True
        body.top_logprobs = request.logprobs - 1 or None


def _refuse_impossible(request: Request, model: str, abilities: Abilities) -> None:
    raw = request.prompt.text is not None
    most = abilities.most_logprobs(raw=raw)
    lacking = {
        "raw completions": raw and not abilities.raw,
        "chat": not raw and not abilities.chat,
        "continue a chat answer": bool(request.prefix) and not raw and abilities.continuation is Continuation.NONE,
        f"give {request.logprobs} log-probabilities a token": request.logprobs > most,
        "bound thinking": request.prompt.thinking_tokens is not None and (raw or abilities.thinking is Thinking.NONE),
    }
    for what, lacks in lacking.items():
        if lacks:
            raise EngineError(
                f"The server of {model} cannot do this: {what}.",
                "Use another server, or do without it.",
                usage=Usage(),
            )
    if abilities.context is not None and request.prompt.max_tokens >= abilities.context:
        raise EngineError(
            f"{request.prompt.max_tokens} tokens of completion leave no room for a prompt in the {abilities.context} "
            f"tokens of {model}'s context.",
            "Lower --max-tokens.",
            usage=Usage(),
        )


def scoring(request: Request, model: str) -> Call:
    """The call that has a server score a prefix after a raw prompt: it repeats both, with their log-probabilities."""
    prompt = request.prompt.text or ""
    whole = prompt + request.prefix
    body = Body(model, 0.0, prompt=whole, max_tokens=1, logprobs=1, echo=True)
    return Call(RAW, encode(body), streamed=False, request=request, scored=(len(prompt), len(whole)))
