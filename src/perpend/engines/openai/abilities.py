"""What a server can do, as probed, and the file that remembers it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from perpend.core import DRAWN, Caps, PoolField

VERSION = 4
"""Of the probes: when they change, what an older version found is not believed."""


class Continuation(StrEnum):
    """How a chat server continues an answer that has begun."""

    NONE = "none"
    """It cannot."""
    FLAG = "continue_final_message"
    """By that field (vLLM, SGLang)."""
    PREFILL = "prefill"
    """By a last message of the assistant's (llama-server, and some hosted APIs)."""


class Thinking(StrEnum):
    """The field that bounds thinking."""

    NONE = "none"
    """There is none."""
    VLLM = "thinking_token_budget"
    """Of vLLM."""
    LLAMA = "thinking_budget_tokens"
    """Of llama-server."""
    SGLANG = "thinking_budget"
    """Of SGLang."""


class Plain(StrEnum):
    """How a server's own sampling defaults are switched off: left on, they would change what is measured.

    llama-server cuts the distribution by top_k 40, top_p 0.95 and min_p 0.05, vLLM and SGLang by whatever the model's
    `generation_config.json` says.
    """

    UNKNOWN = "unknown"
    """Nobody knows; its defaults, if it has any, hold."""
    LLAMA = "llamacpp"
    """`top_k` 0, `min_p` 0."""
    VLLM = "vllm"
    """`top_k` -1, `min_p` 0, `repetition_penalty` 1 (vLLM, SGLang)."""


class Abilities(msgspec.Struct, frozen=True):
    """What one server can do for one model.

    Attributes:
        chat, raw: it has `/chat/completions`, `/completions`.
        limit_field: the name of the most tokens of a completion.
        top_p: it takes a top_p of 1.
        plain: how its own sampling defaults are switched off.
        n: it gives several choices a request.
        seeds: equal seeds gave equal texts, and different ones different texts.
        replays: they did so side by side, too.
        stream: it streams, and ends the stream with the usage.
        usage: it tells the usage.
        logprobs, raw_logprobs: of how many of the most likely tokens it gives log-probabilities, in chat, in raw
            completions; 1 is taken for the chosen token's alone, 0 is none.
        continuation: in chat; raw completions continue any text.
        repeats_prefix: what it continues in chat comes back with the continuation (llama-server).
        echo: it scores a given text.
        thinking: how it bounds thinking.
        context: tokens of prompt and completion together.
        software: what it says that it is.
    """

    chat: bool = True
    raw: bool = True
    limit_field: str = "max_tokens"
    top_p: bool = True
    plain: Plain = Plain.UNKNOWN
    n: bool = False
    seeds: bool = False
    replays: bool = False
    stream: bool = False
    usage: bool = True
    logprobs: int = 0
    raw_logprobs: int = 0
    continuation: Continuation = Continuation.NONE
    repeats_prefix: bool = False
    echo: bool = False
    thinking: Thinking = Thinking.NONE
    context: int | None = None
    software: str = ""

    def __and__(self, other: Abilities) -> Abilities:
        """What two replicas can both do."""
        same_way = (self.continuation, self.repeats_prefix) == (other.continuation, other.repeats_prefix)
        contexts = [a.context for a in (self, other) if a.context is not None]
        return Abilities(
            chat=self.chat and other.chat,
            raw=self.raw and other.raw,
            limit_field=self.limit_field,
            top_p=self.top_p and other.top_p,
            plain=self.plain if self.plain is other.plain else Plain.UNKNOWN,
            n=self.n and other.n,
            seeds=self.seeds and other.seeds,
            replays=self.replays and other.replays,
            stream=self.stream and other.stream,
            usage=self.usage and other.usage,
            logprobs=min(self.logprobs, other.logprobs),
            raw_logprobs=min(self.raw_logprobs, other.raw_logprobs),
            continuation=self.continuation if same_way else Continuation.NONE,
            repeats_prefix=self.repeats_prefix,
            echo=self.echo and other.echo,
            thinking=self.thinking if self.thinking is other.thinking else Thinking.NONE,
            context=min(contexts, default=None),
            software=self.software,
        )

    def most_logprobs(self, *, raw: bool) -> int:
        """The most log-probabilities a token: its own, and those of the most likely tokens."""
        top = self.raw_logprobs if raw else self.logprobs
        return top + 1 if top > 1 else top

    def caps(self) -> Caps:
        """The same in the words that every engine uses."""
        kinds = [self.most_logprobs(raw=False)] * self.chat + [self.most_logprobs(raw=True)] * self.raw
        return Caps(
            context=self.context,
            seeds=self.seeds,
            exact_replay=None if self.replays else False,
            logprobs=min(kinds, default=0),
            thinking=self.thinking is not Thinking.NONE,
            continuation=self.raw or self.continuation is not Continuation.NONE,
            loglik=self.echo,
            choices=self.n,
            holds=DRAWN if self.usage else DRAWN - {PoolField.PROMPT_TOKENS},
            note=self._note(),
        )

    def _note(self) -> str:
        does = {
            "chat": self.chat,
            "raw completions": self.raw,
            "n choices": self.n,
            "seeds": self.seeds,
            "streaming": self.stream,
            "log-probabilities": self.logprobs > 0 or self.raw_logprobs > 0,
            "continuation of chat": self.continuation is not Continuation.NONE,
            "a thinking budget": self.thinking is not Thinking.NONE,
        }
        has = ", ".join(name for name, yes in does.items() if yes) or "nothing"
        lacks = ", ".join(name for name, yes in does.items() if not yes) or "nothing"
        usage = "" if self.usage else "; it tells no usage, so tokens are estimated and charged at their reservation"
        own = "; sampling defaults of its own, if it has any, hold" if self.plain is Plain.UNKNOWN else ""
        return f"probed: it has {has}, and lacks {lacks}{usage}{own}"


def cache_folder() -> Path:
    """`PERPEND_CACHE`, else perpend's folder in the user's cache."""
    if os.environ.get("PERPEND_CACHE"):
        return Path(os.environ["PERPEND_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perpend"


class AbilityCache:
    """One file for each server and model, by a hash of their names.

    Args:
        identity: what distinguishes the server: its URL, model, and what it says of that model.
    """

    def __init__(self, *identity: object) -> None:
        name = hashlib.sha256(repr((VERSION, *identity)).encode()).hexdigest()[:32]
        self.path = cache_folder() / "openai" / f"{name}.json"

    def read(self) -> Abilities | None:
        """What was found earlier; None where nothing was, or it cannot be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Abilities)
        except (OSError, msgspec.DecodeError):
            return None

    def forget(self) -> None:
        """Remove what was found, if it can be removed: the next find is written over it anyway."""
        with suppress(OSError):
            self.path.unlink()

    def write(self, abilities: Abilities) -> None:
        """Remember, if the folder can be written; another process never sees half a file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.path.parent, delete=False) as file:
                file.write(msgspec.json.encode(abilities))
            os.replace(file.name, self.path)
        except OSError:  # a cache that cannot be kept costs the next start a few calls, and nothing else
            return
