"""The native library, behind the few calls that we need. Only the worker's process imports this."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import openvino as ov  # type: ignore[import-untyped]
import openvino_genai as genai
from openvino_genai.py_openvino_genai import GenerationFinishReason, GenerationHandle

from perpend.engines.embedded.admission import BLOCK_TOKENS

MOST_BATCHED_TOKENS = 16_384
"""Longer prompts are computed in chunks, whose bounds depend on the batch."""


class Tokens:
    """The model's tokenizer and chat template."""

    def __init__(self, tokenizer: genai.Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._anchor = self.encode("a")[-1:]
        self.encode_cached = lru_cache(maxsize=512)(lambda text: tuple(self.encode(text)))
        self.raw_cached = lru_cache(maxsize=512)(lambda text: tuple(self.raw(text)))
        self.stop_ids = lru_cache(maxsize=256)(self._stop_ids)
        self._batched = self._decodes_in_batches()

    @property
    def has_template(self) -> bool:
        """Whether it can take chat messages."""
        return bool(self._tokenizer.chat_template)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text as it stands. Nothing is added (no BOS); names of special tokens are read as those."""
        ids = self._tokenizer.encode([text], add_special_tokens=False).input_ids.data[0]
        return [int(i) for i in ids]

    def raw(self, text: str) -> list[int]:
        """Token ids of a raw prompt: with the BOS token where the model was trained with one, as llama.cpp does."""
        ids = self._tokenizer.encode([text], add_special_tokens=True).input_ids.data[0]
        return [int(i) for i in ids]

    def longest(self, context: int) -> int:
        """The context, or the length to which the tokenizer silently cuts a text, where that is less."""
        return min(len(self.encode(" a" * context)), context)

    def render(self, turns: Sequence[tuple[str, str]]) -> str:
        """The chat template, opened for the assistant's turn."""
        history = [{"role": role, "content": content} for role, content in turns]
        return str(self._tokenizer.apply_chat_template(history, True))

    def decode(self, sequences: Sequence[Sequence[int]]) -> list[str]:
        """Texts of sequences that continue other text.

        Each is decoded behind an "a" that is cut off again: some tokenizers drop the space that a text begins with.
        """
        anchored = [[*self._anchor, *ids] for ids in sequences]
        if not anchored:
            return []
        texts = self._tokenizer.decode(anchored) if self._batched else [self._tokenizer.decode(i) for i in anchored]
        return [text[1:] for text in texts]

    def _decodes_in_batches(self) -> bool:
        """Whether padding leaves no trace in the shorter texts of a batch."""
        short, long = self._anchor, self._anchor * 4
        return bool(self._tokenizer.decode([short, long])[0] == self._tokenizer.decode(short))

    def _stop_ids(self, stop: tuple[str, ...]) -> frozenset[int]:
        """Tokens that contain a whole stop string: the pipeline ends on them at once, without another row."""
        wanted = [s.encode() for s in stop]
        vocabulary = self._tokenizer.get_vocab()
        return frozenset(int(i) for token, i in vocabulary.items() if any(s in token for s in wanted))


class Pipeline:
    """A model with its key-value cache.

    Args:
        path: GGUF file or OpenVINO folder.
        context: the longest sequence, in tokens.
        max_seqs: rows in a step.
        cache_gb: whole GB of key-value cache; taken from the system as it fills.
        prefix_caching: keep blocks for reuse.
    """

    def __init__(self, path: str, context: int, max_seqs: int, cache_gb: int, prefix_caching: bool = True) -> None:
        config = genai.SchedulerConfig()
        config.cache_size = cache_gb
        config.max_num_batched_tokens = min(context, MOST_BATCHED_TOKENS) + max_seqs
        config.max_num_seqs = max_seqs
        config.enable_prefix_caching = prefix_caching
        config.dynamic_split_fuse = True
        self._native = genai.ContinuousBatchingPipeline(path, config, "CPU", {})
        self.tokens = Tokens(self._native.get_tokenizer())
        defaults = self._native.get_config()
        self._ends = {*defaults.stop_token_ids, *({defaults.eos_token_id} if defaults.eos_token_id >= 0 else ())}
        self._ids = 0

    def add(self, ids: Sequence[int], config: genai.GenerationConfig) -> GenerationHandle:
        """Put a sequence into the batch. Raises RuntimeError where the pipeline refuses it."""
        self._ids += 1
        return self._native.add_request(self._ids, ov.Tensor(np.array([ids], dtype=np.int64)), config)

    def sample(
        self, ids: Sequence[int], max_tokens: int, temperature: float, top_p: float, seed: int, stop: tuple[str, ...]
    ) -> GenerationHandle:
        """Put one sample into the batch."""
        config = genai.GenerationConfig()
        config.max_new_tokens = max_tokens
        config.logprobs = 1
        config.stop_token_ids = self._ends | self.tokens.stop_ids(stop)
        if temperature > 0:
            config.do_sample = True
            config.temperature, config.top_p, config.rng_seed = temperature, top_p, seed
        return self.add(ids, config)

    def filler(self, tokens: int) -> GenerationHandle:
        """Put a row into the batch whose only purpose is to be there."""
        config = genai.GenerationConfig()
        config.max_new_tokens = tokens
        config.ignore_eos = True
        return self.add(self.tokens.encode_cached("a")[-1:], config)

    def step(self) -> float:
        """Run the batch once; its seconds."""
        began = time.perf_counter()
        self._native.step()
        return time.perf_counter() - began

    def drain(self) -> None:
        """Run until nothing is left."""
        while self._native.has_non_finished_requests():
            self._native.step()

    def cache_use(self) -> float:
        """The share of cache blocks in use."""
        return float(self._native.get_metrics().cache_usage) / 100

    def cache_bytes(self) -> int:
        """The most memory that the key-value cache may take."""
        return int(self._native.get_metrics().kv_cache_size_in_bytes)

    def count_blocks(self) -> int:
        """How many blocks the cache holds: found from the share that one takes up."""
        self.filler(2)
        self._native.step()
        use = self.cache_use()
        self.drain()
        return round(1 / use) if use > 0 else self.cache_bytes() // (1 << 20)

    def loglik(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
        """Log-probabilities of targets after prompts, all in one go. Needs a pipeline without prefix caching."""
        config = genai.GenerationConfig()
        config.max_new_tokens, config.echo, config.logprobs = 0, True, 1
        handles = [self.add([*prompt, *target], config) for prompt, target in pairs]
        self.add(self.tokens.encode_cached(" a b" * BLOCK_TOKENS), config)  # for the kernels' row thresholds
        read: list[list[float]] = [[] for _ in handles]
        while self._native.has_non_finished_requests():
            self._native.step()
            for handle, logprobs in zip(handles, read, strict=True):
                logprobs += [logprob for _, logprob in read_tokens(handle)[0]]
        return [sum(x[len(x) - len(target) :]) for x, (_, target) in zip(read, pairs, strict=True)]


def read_tokens(handle: GenerationHandle) -> tuple[list[tuple[int, float]], str | None]:
    """New tokens with their log-probabilities, and "stop" or "length" where they are the last."""
    tokens: list[tuple[int, float]] = []
    finish = None
    while handle.can_read():
        for output in handle.read().values():
            tokens += zip(output.generated_ids, output.generated_log_probs, strict=True)
            if output.finish_reason != GenerationFinishReason.NONE:
                finish = "length" if output.finish_reason == GenerationFinishReason.LENGTH else "stop"
    return tokens, finish
