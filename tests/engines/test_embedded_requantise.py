"""Weights that the native reader cannot take as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize

from perpend.core import EngineError, Prompt
from perpend.engines.embedded import EmbeddedEngine
from perpend.engines.embedded.requantise import as_q8_0
from perpend.engines.embedded.weights import find_weights


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(path: Path, kind: Kind) -> np.ndarray:
    """A file with one matrix in a tensor type, one left in F32, and a vocabulary; returns the matrix as stored."""
    values = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_block_count(1)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_token_list(["a", "b", "ü"])
    packed = quantize(values, kind)
    writer.add_tensor("token_embd.weight", packed, raw_dtype=kind)
    writer.add_tensor("norm.weight", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return dequantize(packed, kind)


@pytest.mark.parametrize("kind", [Kind.Q4_1, Kind.Q5_0, Kind.Q5_1])
def test_other_types_are_rewritten_within_half_a_step_and_all_else_is_kept(
    tmp_path: Path, cache: Path, kind: Kind
) -> None:
    source = tmp_path / "model.gguf"
    values = made(source, kind)
    found = find_weights(str(source))
    assert found.path.parent == cache / "models"
    assert found.fingerprint == hashlib.sha256(source.read_bytes()).hexdigest() + "-q8_0"
    assert found.context == 128
    copy = GGUFReader(found.path)
    first, second = copy.tensors
    assert (first.name, first.tensor_type, second.tensor_type) == ("token_embd.weight", Kind.Q8_0, Kind.F32)
    step = np.abs(values.reshape(-1, 32)).max(axis=1).repeat(32).reshape(values.shape) / 127
    assert (np.abs(dequantize(first.data, first.tensor_type) - values) <= step * 0.6).all(), "scales are kept in F16"
    assert copy.fields["tokenizer.ggml.tokens"].contents() == ["a", "b", "ü"]
    assert copy.fields["llama.block_count"].contents() == 1


@pytest.mark.parametrize("kind", [Kind.F16, Kind.F32, Kind.Q4_0, Kind.Q8_0])
def test_types_that_are_read_as_they_are_stay(tmp_path: Path, cache: Path, kind: Kind) -> None:
    source = tmp_path / "model.gguf"
    made(source, kind)
    assert find_weights(str(source)).path == source
    assert not (cache / "models").exists()


def test_it_is_done_once(tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "model.gguf"
    made(source, Kind.Q4_1)
    copy = find_weights(str(source)).path
    written = copy.stat().st_mtime_ns
    assert find_weights(str(source)).path.stat().st_mtime_ns == written
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]


def test_a_file_that_ends_too_soon_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    made(source, Kind.Q4_1)
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(EngineError, match="rewritten as Q8_0"):
        as_q8_0(source, "f" * 64, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.slow
async def test_the_default_model_computes_what_its_file_says() -> None:
    """llama.cpp, on the same file, gives the digit −.003; OpenVINO's own reading of it gave −.37."""
    engine = EmbeddedEngine(reproducible=False)
    shots = "Q: 3 + 4\nA: 3 + 4 = 7\n\nQ: 12 - 5\nA: 12 - 5 = 7\n\nQ: 6 * 7\nA: 6 * 7 = 42\n\nQ: 9 + 7\nA: 9 + 7 = 1"
    try:
        await engine.start()
        assert await engine.loglik(Prompt(text=shots), "6") > -0.02
    finally:
        await engine.close()
