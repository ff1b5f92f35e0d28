"""Log-probabilities of given texts, from a second pipeline: one with a prefix cache returns only the uncached tail."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.engines.embedded.native import first_line
from perpend.engines.embedded.pipeline import Pipeline, Tokens
from perpend.engines.embedded.protocol import Load, Score, Scored

ROWS = 64
CACHE_GB = 1


class Scorer:
    """Scores texts; the pipeline is loaded when the first one comes, which takes as long as the engine's start."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._pipeline: Pipeline | None = None

    def score(self, asked: Sequence[Score]) -> list[Scored]:
        """One answer a question."""
        try:
            pipeline = self._open()
            return [
                answer for at in range(0, len(asked), ROWS) for answer in self._some(pipeline, asked[at : at + ROWS])
            ]
        except (RuntimeError, ValueError, OSError) as error:
            return [Scored(ask.id, None, first_line(error)) for ask in asked]

    def _open(self) -> Pipeline:
        if self._pipeline is None:
            load = self._load
            self._pipeline = Pipeline(load.path, load.context, ROWS + 1, CACHE_GB, prefix_caching=False)
        return self._pipeline

    def _some(self, pipeline: Pipeline, asked: Sequence[Score]) -> list[Scored]:
        pairs = [_split(pipeline.tokens, ask) for ask in asked]
        fits = [len(prompt) > 0 and len(prompt) + len(target) <= self._load.context for prompt, target in pairs]
        sums = iter(pipeline.loglik([pair for pair, fit in zip(pairs, fits, strict=True) if fit]))
        unfit = f"The prompt is empty, or with the text longer than the context of {self._load.context} tokens."
        return [
            Scored(ask.id, next(sums)) if fit else Scored(ask.id, None, unfit)
            for ask, fit in zip(asked, fits, strict=True)
        ]


def _split(tokens: Tokens, ask: Score) -> tuple[list[int], list[int]]:
    """Tokens of the prompt and of the text: split where the prompt's own tokens end, as in generation."""
    text = tokens.render(ask.turns) if ask.turns else ask.text
    encode = tokens.encode if ask.turns else tokens.raw
    prompt, whole = encode(text), encode(text + ask.target)
    if whole[: len(prompt)] == prompt:
        return prompt, whole[len(prompt) :]
    return prompt, tokens.encode(ask.target)
