"""What an engine string says: which model vLLM is to serve, and how."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perpend.core import ConfigError, digest
from perpend.engines.embedded.weights import fingerprint

OURS = ("--host", "--port", "--uds", "--served-model-name", "--api-key")
"""Flags that say how the server is reached, which is ours to say."""
ROOM = (
    "--max-model-len",
    "--gpu-memory-utilization",
    "--tensor-parallel-size",
    "-tp",
    "--pipeline-parallel-size",
    "-pp",
    "--data-parallel-size",
    "-dp",
    "--max-num-seqs",
    "--max-num-batched-tokens",
    "--swap-space",
    "--cpu-offload-gb",
    "--download-dir",
)
"""Flags that say how much of the machine to take. No other model comes of them, so that a study may be extended with
other ones; of any flag that is not here it may."""
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
DESCRIPTIONS = ("*.json", "*.jinja", "*.model")


@dataclass(frozen=True)
class Target:
    """A model, as it is to be served.

    Attributes:
        model: what vLLM loads.
        served: what it calls that.
        flags: of `vllm serve`, with their values.
        fingerprint: of the model's files, or of its name on the Hub, and of the flags that the law of a text may
            depend on (`--revision`, `--quantization` …).
    """

    model: str
    served: str
    flags: tuple[str, ...]
    fingerprint: str


def read_flags(args: str) -> tuple[str, ...]:
    """Flags as one types them, apart. Raises ConfigError."""
    try:
        flags = tuple(shlex.split(args))
    except ValueError as error:
        raise ConfigError(f"The args {args!r} of vLLM cannot be read: {error}.", "Close the quotation mark.") from None
    taken = next((name for name in map(_named, flags) if name in OURS), None)
    if taken is not None:
        raise ConfigError(
            f"Engine vllm sets {taken} itself.", "Leave it out, or name your own server: openai:URL#MODEL."
        )
    return flags


def find_target(model: str, flags: tuple[str, ...]) -> Target:
    """Resolve a model: a folder, a GGUF file, or owner/name on the Hub, which only vLLM can look up.

    Raises ConfigError where there is no such folder or file, or no weights are in it.
    """
    path = Path(model).expanduser()
    if not path.exists():
        if model.startswith(("/", ".", "~")):
            raise ConfigError(f"There is no model at {model}.", "Name a folder, a GGUF file, or owner/name on the Hub.")
        return Target(model, model, flags, digest([model, *_deciding(flags)]))
    path = path.resolve()
    files = _files(path) if path.is_dir() else [path]
    return Target(str(path), path.name, flags, digest([fingerprint(files), *_deciding(flags)]))


def _files(folder: Path) -> list[Path]:
    """The weights in a folder, and what says how they are used."""
    weights = [file for pattern in WEIGHTS for file in sorted(folder.glob(pattern))]
    if not weights:
        raise ConfigError(f"The folder {folder} holds no weights.", f"Name one that has {', '.join(WEIGHTS)}.")
    return [*weights, *(file for pattern in DESCRIPTIONS for file in sorted(folder.glob(pattern)))]


def _deciding(flags: Sequence[str]) -> list[str]:
    """Those flags, with their values, that say more than how much of the machine to take."""
    kept, keep = [], True
    for word in flags:
        if word.startswith("-"):
            keep = _named(word) not in ROOM
        if keep:
            kept.append(word)
    return kept


def _named(word: str) -> str:
    """The flag in a word as vLLM's manual writes it; it takes underscores for hyphens, and `--flag=value`."""
    return word.partition("=")[0].replace("_", "-")
