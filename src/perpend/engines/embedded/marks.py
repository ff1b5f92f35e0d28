"""Prompts written so that what the cache happens to hold cannot change a sample's numbers.

The pipeline looks a prompt up in its cache block by block, and then for a part of a block. Two kinds of hit compute a
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

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from perpend.engines.embedded.admission import BLOCK_TOKENS

LEAST_TAIL = 2
TRIES = 256

Ids = tuple[int, ...]
Left = tuple[bytes, Ids]
"""The key of the blocks before, and the tokens that follow them in the cache, 32 at the most."""


def shareable_blocks(tokens: int) -> int:
    """Whole blocks of a prompt that may come from the cache: at least two tokens stay for the prompt kernel."""
    return max(tokens - LEAST_TAIL, 0) // BLOCK_TOKENS


@dataclass(frozen=True)
class Written:
    """A prompt as the pipeline sees it.

    Attributes:
        ids: some of them below zero.
        tail: where its tail begins; the blocks before it are as in the prompt.
        before: the key of those blocks.
    """

    ids: Ids
    tail: int
    before: bytes

    def left(self, generated: Sequence[int]) -> Left:
        """What the cache holds of it behind the shared blocks, by now, in the first block there.

        The last token that was generated has not been computed, and so is not there.
        """
        computed = (*self.ids[self.tail :], *generated[:BLOCK_TOKENS])[:-1]
        return self.before, computed[:BLOCK_TOKENS]


@dataclass
class Marks:
    """Chooses which tokens of a prompt's tail go under their other names.

    A prompt of t tokens has 2^t - 1 names, and each of its samples that ends on its first token uses one up until
    the cache forgets it; so with prompts of under six tokens or so there may be none left, and replay is not certain.

    Args:
        vocabulary: rows of the model's embedding.
        remembered: how many ended samples' tails may still be in the cache.
    """

    vocabulary: int
    remembered: int = 20_000
    _ended: OrderedDict[Left, None] = field(default_factory=OrderedDict)
    _turn: int = 0

    def write(self, prompt: Ids, blocks: Sequence[bytes], busy: Collection[Left] = ()) -> Written:
        """The prompt with a tail that nothing in the cache begins with.

        Args:
            prompt: its tokens.
            blocks: keys of its shareable blocks.
            busy: what samples in the batch have in the cache now, as `Written.left` tells.
        """
        for shared in range(shareable_blocks(len(prompt)), -1, -1):
            # Where so short a tail has no free name left, a block more of the prompt is written anew.
            before, tail = (blocks[shared - 1] if shared else b""), shared * BLOCK_TOKENS
            renamed = self._rename(before, prompt[tail : tail + BLOCK_TOKENS], busy)
            if renamed is not None:
                return Written((*prompt[:tail], *renamed, *prompt[tail + BLOCK_TOKENS :]), tail, before)
        return Written(prompt, 0, b"")

    def end(self, left: Left) -> None:
        """A sample has ended and left this behind."""
        self._ended[left] = None
        self._ended.move_to_end(left)
        if len(self._ended) > self.remembered:
            self._ended.popitem(last=False)

    def _rename(self, before: bytes, block: Ids, busy: Collection[Left]) -> Ids | None:
        """The first tokens of a tail, at least one under its other name, such that no beginning of it is known."""
        names = (1 << len(block)) - 1
        for _ in range(min(names, TRIES)):
            self._turn += 1
            mark = self._turn % names + 1
            renamed = tuple(t - self.vocabulary if mark >> i & 1 else t for i, t in enumerate(block))
            begun = ((before, renamed[:n]) for n in range(1, len(block) + 1))
            if not any(left in busy or left in self._ended for left in begun):
                return renamed
        return None
