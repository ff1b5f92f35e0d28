"""Prompts are text files in `prompts/`, one a task and style; `{question}` stands where the problem goes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from perpend.core import ConfigError, Message, Prompt

PLACE = "{question}"
CHAT_TOKENS = 512
"""Enough for a short chain of thought in a chat."""


@cache
def load(name: str) -> str:
    """A file of this package as text, without the final line break."""
    return files("perpend.tasks").joinpath(name).read_text(encoding="utf-8").removesuffix("\n")


def few_shot(name: str, question: str, max_tokens: int, stop: tuple[str, ...] = ("\n",)) -> Prompt:
    """The task's examples and the question, to be continued; on one line, unless it has other stop strings."""
    return Prompt(text=_filled(f"prompts/{name}.txt", question), stop=stop, max_tokens=max_tokens)


def chat(name: str, question: str, max_tokens: int = CHAT_TOKENS) -> Prompt:
    """The question with the task's instructions, as one turn of a chat."""
    content = _filled(f"prompts/{name}.chat.txt", question)
    return Prompt(messages=(Message("user", content),), max_tokens=max_tokens)


def check_style(style: str, styles: tuple[str, ...]) -> None:
    """Raises ConfigError for a style that the task has not got."""
    if style not in styles:
        raise ConfigError(f"There is no prompt style {style!r} here.", f"Known: {', '.join(styles)}.")


def shown_questions(name: str) -> frozenset[str]:
    """The questions of the few-shot examples, which may not be among the problems."""
    lines = load(f"prompts/{name}.txt").splitlines()
    return frozenset(line.removeprefix("Q: ") for line in lines if line.startswith("Q: ") and PLACE not in line)


def _filled(name: str, question: str) -> str:
    return load(name).replace(PLACE, question)
