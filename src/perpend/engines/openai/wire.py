"""The protocol's replies, as far as they are read, and how they are decoded."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import msgspec

from perpend.core import Usage
from perpend.engines.openai.failures import Loss, Lost, of_error


class TopLogprob(msgspec.Struct, gc=False):
    """One of the most likely tokens in a place."""

    token: str = ""
    logprob: float | None = None


class TokenLogprob(msgspec.Struct, gc=False):
    """One token of a chat completion. Only llama-server tells the token's id."""

    logprob: float | None = None
    id: int = -1
    top_logprobs: list[TopLogprob] | None = None


class Logprobs(msgspec.Struct, gc=False):
    """Log-probabilities: of chat (`content`), or of raw completions (the others)."""

    content: list[TokenLogprob] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None
    text_offset: list[int] | None = None

    @property
    def tokens(self) -> list[TokenLogprob]:
        """One for each token, whichever form they came in."""
        if self.content is not None:
            return self.content
        values = self.token_logprobs or []
        tops = [[TopLogprob(*each) for each in (top or {}).items()] for top in self.top_logprobs or []]
        return [TokenLogprob(value, top_logprobs=top) for value, top in zip_longest(values, tops[: len(values)])]


class Message(msgspec.Struct, gc=False):
    """What the model said; servers call its thinking by one of two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None

    @property
    def thought(self) -> str:
        """Its thinking, where the server tells it apart."""
        return self.reasoning_content or self.reasoning or ""

    @property
    def said(self) -> str | None:
        """Its answer, None where there is none."""
        return self.content if self.content is not None else self.refusal


class Choice(msgspec.Struct, gc=False):
    """One of n completions, or a piece of one. `pieces` is ours: in how many pieces it was streamed."""

    index: int = 0
    finish_reason: str | None = None
    message: Message | None = None
    delta: Message | None = None
    text: str | None = None
    logprobs: Logprobs | None = None
    pieces: int = 0

    @property
    def tokens(self) -> list[TokenLogprob]:
        """Its tokens, where the server lists them."""
        return [] if self.logprobs is None else self.logprobs.tokens


class PromptDetails(msgspec.Struct, gc=False):
    """How the prompt's tokens divide."""

    cached_tokens: int | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """How the completion's tokens divide."""

    reasoning_tokens: int | None = None


class TokenUsage(msgspec.Struct, gc=False):
    """Tokens, as the server counts them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Reply(msgspec.Struct, gc=False):
    """A whole reply, or one event of a stream."""

    choices: list[Choice | None] | None = None
    usage: TokenUsage | None = None
    error: Any = None
    system_fingerprint: str | None = None


class ServedModel(msgspec.Struct, gc=False):
    """A model in the server's list; its context goes by several names."""

    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    context_length: int | None = None
    meta: dict[str, Any] | None = None


class ServedModels(msgspec.Struct, gc=False):
    """The server's list."""

    data: list[ServedModel]


_REPLY = msgspec.json.Decoder(Reply)
_MODELS = msgspec.json.Decoder(ServedModels)


def read_reply(data: bytes) -> Reply:
    """Decode a reply. Raises Lost where it is none, and what an error in it stands for."""
    if not data.strip():
        raise Lost(Loss.EMPTY)
    if data.strip() == b"null":
        raise Lost(Loss.NULL)
    try:
        reply = _REPLY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Lost(Loss.MALFORMED, str(error)) from None
    if reply.error:
        raise of_error(reply.error)
    return reply


def read_models(data: bytes) -> list[ServedModel]:
    """Decode the list of models. Raises Lost where it is none."""
    try:
        return _MODELS.decode(data).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Lost(Loss.MALFORMED, str(error)) from None


def known_usage(usage: TokenUsage | None) -> Usage | None:
    """The server's count, normalised; None where it tells none.

    Some count reasoning apart from the completion; then the total gives it away.
    """
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if usage.total_tokens is not None:
        completion = max(completion, usage.total_tokens - prompt)
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    reasoning = (usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens) or 0
    return Usage(prompt, min(cached, prompt), completion, min(reasoning, completion))
