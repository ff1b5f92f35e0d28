"""Prompts written so that what the cache happens to hold cannot change a sample's numbers.

The pipeline looks a prompt up in its cache block by block, and then by parts of a block. Two kinds of hit compute a
sample on another path than a miss does, with other rounding and so, after some tokens, another text:
- all but the last token is found (a prompt of 32·k or 32·k + 1 tokens, or one that another sample ended right after):
  one token is computed by the kernel for decoding, not by the one for prompts;
- what is found was generated, not read as a prompt (a continuation of a completion): decoding computed it.
Neither can be switched off, but a token id below zero counts from the vocabulary's end, so that `id - vocabulary` is
the same token under another name, which the cache takes for another one. With some tokens of its tail renamed, a
prompt shares the whole blocks before its tail, and nothing else: at least two tokens are always computed as a prompt,
and nobody's generated tokens are ever found. Measured to the bit by the probe before it is relied upon.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Collection

from perpend.engines.embedded.admission import BLOCK_TOKENS

LEAST_TAIL = 2
MOST_BITS = 30
REMEMBERED = 4096

Prompt = tuple[int, ...]


def shareable_blocks(tokens: int) -> int:
    """Whole blocks of a prompt that may come from the cache: at least two tokens stay for the prompt kernel."""
    return max(tokens - LEAST_TAIL, 0) // BLOCK_TOKENS


class Marks:
    """Chooses which tokens of a prompt's tail go under their other name.

    Args:
        vocabulary: rows of the model's embedding.
    """

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        self._fresh = itertools.count(1)
        self._spent: OrderedDict[Prompt, set[int]] = OrderedDict()

    def choose(self, prompt: Prompt, busy: Collection[int]) -> int:
        """A mark for a sample: a bit for each token of the tail, never 0.

        Args:
            prompt: its tokens.
            busy: marks of samples of the same prompt that have computed it and not gone on: their last block is it.
        """
        tail = len(prompt) - shareable_blocks(len(prompt)) * BLOCK_TOKENS
        if tail < BLOCK_TOKENS:
            taken = self._spent.get(prompt, set()).union(busy)
            free = next((mark for mark in range(1, 1 << tail) if mark not in taken), None)
            if free is not None:
                return free
        return self._unique()  # a tail that holds a whole block is found by every later sample with its mark

    def spend(self, prompt: Prompt, mark: int) -> None:
        """A sample with this mark ended right after its prompt: it stays in the cache, to be found in one piece."""
        self._spent.setdefault(prompt, set()).add(mark)
        self._spent.move_to_end(prompt)
        if len(self._spent) > REMEMBERED:
            self._spent.popitem(last=False)

    def apply(self, prompt: Prompt, mark: int) -> list[int]:
        """The prompt with the marked tokens under their other names."""
        start = shareable_blocks(len(prompt)) * BLOCK_TOKENS
        if mark >> (len(prompt) - start):  # unique, and the tail is short: it takes one block more
            start = max(start - BLOCK_TOKENS, 0)
        return [
            token - self._vocabulary if i >= start and mark >> (i - start) & 1 else token
            for i, token in enumerate(prompt)
        ]

    def _unique(self) -> int:
        return 1 << MOST_BITS | next(self._fresh) % (1 << MOST_BITS)
