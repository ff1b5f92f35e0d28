"""Weights that the native reader cannot take as they are, written once more as Q8_0 into the cache folder.

OpenVINO GenAI 2026.4 refuses some GGUF tensor types (Q5_0 among them) and seems to misread others, those whose blocks
have a minimum beside their scale. Measured on SmolLM2-135M in Q4_1, after few-shot sums: the last digit of
"9 + 7 = 16" had a log-probability of −.37, and −.001 once the same values were in F16 or Q8_0; llama.cpp, on the Q4_1
file itself, says −.003. Precision hints changed nothing. Q8_0 keeps the file's values to within half a step in 127.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf.quants import dequantize, quantize

from perpend.core import EngineError
from perpend.engines.embedded.gguf import FAITHFUL

VERSION = 1
"""Of what this file writes: part of the copy's name."""
SET_BY_THE_WRITER = ("GGUF.", "general.architecture")
BLOCK = 32
"""Values that share a scale in Q8_0."""


def as_q8_0(source: Path, fingerprint: str, folder: Path) -> Path:
    """The same weights in Q8_0, made once and kept under the source's fingerprint. Raises EngineError."""
    copy = folder / f"{fingerprint[:32]}-q8_0-v{VERSION}.gguf"
    if copy.is_file():
        return copy
    partial = copy.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(GGUFReader(source), partial)
        partial.replace(copy)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise EngineError(
            f"{source} holds tensor types that have to be rewritten as Q8_0, and that failed: {error}.",
            f"Free some space at {folder}, or name a file in F16, Q8_0 or Q4_0.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return copy


def _write(source: GGUFReader, path: Path) -> None:
    writer = GGUFWriter(path, str(source.fields["general.architecture"].contents()))
    for name, field in source.fields.items():
        if name.startswith(SET_BY_THE_WRITER):
            continue
        value, kind = field.contents(), field.types[0]
        if name == "general.file_type":
            value = int(LlamaFileType.MOSTLY_Q8_0)
        writer.add_key_value(name, value, kind, field.types[-1] if kind is GGUFValueType.ARRAY else None)
    for tensor in source.tensors:
        if tensor.tensor_type in FAITHFUL:
            writer.add_tensor(tensor.name, np.asarray(tensor.data), raw_dtype=tensor.tensor_type)
            continue
        values = dequantize(tensor.data, tensor.tensor_type)
        target = Kind.F16 if values.shape[-1] % BLOCK else Kind.Q8_0
        writer.add_tensor(tensor.name, quantize(values, target), raw_dtype=target)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
