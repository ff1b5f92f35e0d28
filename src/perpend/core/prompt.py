"""What is asked of an engine: the prompt with its sampling parameters, and one request for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Prompt:
    """A rendered problem: raw text (few-shot) or chat messages, never both, and how to sample from it.

    Attributes:
        text: a raw prompt that the model continues.
        messages: chat turns, to which the engine applies the model's template.
        stop: strings that end a completion; they are not part of its text.
        max_tokens: the most tokens of a completion.
        temperature: 0 is greedy decoding.
        top_p: nucleus sampling; 1 leaves it out.
        thinking_tokens: the most tokens of thinking, of chat with an engine that can bound it; None: the model's own.
        logprobs: of how many of the most likely tokens log-probabilities are kept, beside each token's own.
    """

    text: str | None = None
    messages: tuple[Message, ...] | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 1.0
    thinking_tokens: int | None = None
    logprobs: int = 0

    def __post_init__(self) -> None:
        if (self.text is None) == (self.messages is None):
            raise ValueError("A prompt is either raw text or chat messages.")

    def upper_bound_tokens(self) -> int:
        """More tokens than the prompt can have: its UTF-8 bytes, and a margin for the chat template."""
        if self.text is not None:
            return len(self.text.encode()) + 1
        assert self.messages is not None
        return 64 + sum(len(m.content.encode()) + 16 for m in self.messages)

    def law(self) -> dict[str, Any]:
        """Everything that the completion's law depends on; `logprobs` is only looked at.

        What was added after pools had been stored is left out where it is not set, so that their keys stay theirs.
        """
        values = asdict(self)
        del values["logprobs"]
        if self.thinking_tokens is None:
            del values["thinking_tokens"]
        return values


@dataclass(frozen=True)
class Request:
    """One call to an engine.

    Attributes:
        task: the task's name; with `problem_id` and `index` it names the sample.
        problem_id: for routing to a warm cache; replay and simulated engines look the sample up by it.
        index: which of the problem's samples this is.
        prompt: what to complete.
        seed: of this sample alone; with n > 1, of the first.
        n: completions wanted.
        prefix: text that the completion starts with, already generated; it is not part of the completion's text.
        logprobs: how many log-probabilities a token are wanted: 0 none, 1 its own, 1 + k the k most likely ones' too.
        extra: fields for one kind of engine, passed through.
        attempt: how often it was sent before and lost.
    """

    task: str
    problem_id: str
    index: int
    prompt: Prompt
    seed: int
    n: int = 1
    prefix: str = ""
    logprobs: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0


def digest(value: object) -> str:
    """The first 128 bits of the SHA-256 of a JSON value, as hex."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def derive_seed(*parts: object) -> int:
    """A seed in [0, 2^31) that depends on all parts and nothing else."""
    return int(digest([str(part) for part in parts]), 16) % 2**31
