"""What identifies a model that vLLM serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.core import ConfigError
from perpend.engines.vllm.target import find_target, read_flags


def fingerprint(model: str | Path, args: str = "") -> str:
    return find_target(str(model), read_flags(args)).fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "tiny"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model-00001-of-00002.safetensors").write_bytes(b"one")
    (model / "model-00002-of-00002.safetensors").write_bytes(b"two")
    (model / "README.md").write_text("A model.")
    return model


def test_a_folder_is_its_weights_and_what_describes_them(folder: Path) -> None:
    first = fingerprint(folder)
    (folder / "README.md").write_text("The same model.")
    assert fingerprint(folder) == first
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"tuned")
    tuned = fingerprint(folder)
    (folder / "config.json").write_text('{"rope_theta": 1}')
    assert len({first, tuned, fingerprint(folder)}) == 3


def test_a_folder_is_served_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    target = find_target(".", ())
    assert (target.model, target.served) == (str(folder), "tiny")
    assert target.fingerprint == fingerprint(folder)


def test_a_model_of_the_hub_is_its_name_and_revision() -> None:
    plain = fingerprint("owner/name")
    assert find_target("owner/name", ()).model == "owner/name"
    assert plain != fingerprint("owner/other")
    assert plain != fingerprint("owner/name", "--revision v2") != fingerprint("owner/name", "--revision v3")


def test_taking_more_of_the_machine_is_no_other_model() -> None:
    more = "--max-model-len 8192 -tp 2 --gpu_memory_utilization=0.8"
    assert fingerprint("owner/name", more) == fingerprint("owner/name")
    assert fingerprint("owner/name", f"{more} --quantization fp8") == fingerprint("owner/name", "--quantization fp8")
    assert fingerprint("owner/name", "--quantization fp8") != fingerprint("owner/name")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model at"):
        find_target(str(tmp_path / "missing"), ())
    with pytest.raises(ConfigError, match="holds no weights"):
        find_target(str(tmp_path), ())
    with pytest.raises(ConfigError, match="cannot be read"):
        read_flags("--hf-overrides '{")
