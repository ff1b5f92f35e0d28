"""From a reply to completions: held to be sound, told apart from thinking, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perpend.core import Completion, Finish, Likely, Token, Usage
from perpend.engines.openai.failures import Loss, Lost
from perpend.engines.openai.secret import Secret
from perpend.engines.openai.wire import Choice, Logprobs, Reply, TokenLogprob, TokenUsage, known_usage

FINISHES = {"length": Finish.LENGTH, "max_tokens": Finish.LENGTH, "content_filter": Finish.FILTERED}
ABORTED = ("abort", "aborted", "error", "cancelled")
BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Working:
    """When a call was at work, in Unix seconds: queueing and retries are left out."""

    started: float
    ended: float


def sound_choices(reply: Reply, n: int) -> list[Choice]:
    """The choices that are answers, each index once, at most n. Raises Lost where there is none."""
    found: dict[int, Choice] = {}
    flaw = Loss.EMPTY if reply.choices is not None or reply.usage is not None else Loss.MALFORMED
    for choice in reply.choices or []:
        wrong = Loss.NULL if choice is None else _flaw(choice, reply.usage)
        if choice is not None and wrong is None:
            found.setdefault(choice.index, choice)
        flaw = wrong or flaw
    if not found:
        raise Lost(flaw, usage=known_usage(reply.usage))
    return list(found.values())[:n]


def cut_prefix(choices: Sequence[Choice], prefix: str, reply: Reply) -> None:
    """Take away the prefix that a server repeats before its continuation. Raises Lost where it does not."""
    for choice in choices:
        if choice.message is None or not (choice.message.content or "").startswith(prefix):
            raise Lost(Loss.MALFORMED, "it did not go on from the prefix", usage=known_usage(reply.usage))
        choice.message.content = (choice.message.content or "").removeprefix(prefix)


def keep_scored(choices: Sequence[Choice], begins: int, ends: int, reply: Reply) -> None:
    """Leave only the log-probabilities of tokens that begin between two offsets. Raises Lost where there are none."""
    for choice in choices:
        scores = choice.logprobs or Logprobs()
        if not scores.text_offset or not scores.token_logprobs:
            raise Lost(Loss.MALFORMED, "it did not score the text", usage=known_usage(reply.usage))
        pairs = zip(scores.text_offset, scores.token_logprobs, strict=False)
        choice.logprobs = Logprobs(token_logprobs=[value for offset, value in pairs if begins <= offset < ends])


def _flaw(choice: Choice, usage: TokenUsage | None) -> Loss | None:
    """What is wrong with a choice: one that only looks like an answer is never taken for a sample."""
    if choice.finish_reason is None:
        return Loss.CUT
    if choice.finish_reason in ABORTED:
        return Loss.ABORTED
    said = choice.text if choice.message is None else choice.message.said
    thought = choice.message is not None and choice.message.thought
    if said or thought or choice.finish_reason in FINISHES:
        return None
    if said is None:
        return Loss.NULL
    return None if usage is not None and usage.completion_tokens is not None else Loss.EMPTY


def to_completions(choices: Sequence[Choice], reply: Reply, when: Working, key: Secret) -> list[Completion]:
    """Completions 0, 1, …: the prompt is counted with the first, and the tokens are divided among them."""
    whole = known_usage(reply.usage)
    if whole is not None and len(choices) == 1:
        text = text_of(choices[0])
        thought = whole.reasoning or _reasoning(text, whole.completion)
        usage = whole if thought == whole.reasoning else replace(whole, reasoning=thought)
        return [_completion(0, choices[0], text, usage, when, key)]
    weights = [_weight(choice) for choice in choices]
    shares = weights if whole is None else split(whole.completion, weights)
    completions = []
    for number, (choice, tokens) in enumerate(zip(choices, shares, strict=True)):
        prompt, cached = (whole.prompt, whole.cached) if whole is not None and number == 0 else (0, 0)
        text = text_of(choice)
        usage = Usage(prompt, cached, tokens, _reasoning(text, tokens))
        completions.append(_completion(number, choice, text, usage, when, key, estimated=whole is None))
    return completions


def _completion(
    number: int, choice: Choice, text: str, usage: Usage, when: Working, key: Secret, estimated: bool = False
) -> Completion:
    tokens = tuple(Token(t.id, t.logprob, _top(t)) for t in choice.tokens if t.logprob is not None) or None
    return Completion(
        choice=number,
        text=key.scrub(text),
        finish=FINISHES.get(choice.finish_reason or "", Finish.STOP),
        usage=usage,
        logprob=None if tokens is None else sum(token.logprob for token in tokens),
        tokens=tokens,
        started=when.started,
        ended=when.ended,
        estimated=estimated,
    )


def _top(token: TokenLogprob) -> tuple[Likely, ...]:
    return tuple(Likely(each.token, each.logprob) for each in token.top_logprobs or () if each.logprob is not None)


def text_of(choice: Choice) -> str:
    """What the model wrote. Thinking that the server told apart is put back between `<think>` and `</think>`.

    So a text reads the same whether or not a server parses its model's thinking, and `core` looks for the answer
    after it. Thinking that was cut off stays open.
    """
    if choice.message is None:
        return choice.text or ""
    said, thought = choice.message.said or "", choice.message.thought
    if not thought:
        return said
    return f"<think>{thought}" if not said and choice.finish_reason != "stop" else f"<think>{thought}</think>{said}"


def split(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number divided in proportion, so that the parts add up to it."""
    whole = sum(weights)
    ends = [round(total * sum(weights[: i + 1]) / whole) if whole else total for i in range(len(weights))]
    return [end - before for end, before in zip(ends, [0, *ends], strict=False)]


def _weight(choice: Choice) -> int:
    """Its tokens: counted where it lists them or came in pieces, else guessed from its length."""
    listed = len(choice.tokens)
    return listed or choice.pieces or -(-len(text_of(choice).encode()) // BYTES_A_TOKEN)


def _reasoning(text: str, tokens: int) -> int:
    """Tokens of thinking where the server does not count them: its share of the characters."""
    if not text.lstrip().startswith("<think>"):
        return 0
    thought, closed, _ = text.rpartition("</think>")
    return round(tokens * len(thought if closed else text) / len(text))
