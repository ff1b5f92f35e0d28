"""The name under which a probe's finding is kept: of all that it may depend on, so that a change has it found anew."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from perpend.engines.embedded.weights import Weights

PROBES = "probes.json"
PROBE_VERSION = 2
"""Of what probe.py, fillers.py and marks.py do."""


def probe_key(weights: Weights, max_seqs: int) -> str:
    """Of machine, software, model and the most rows in a step: the choice of kernels may depend on them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        kept = ("vendor_id", "cpu family", "model", "flags")
        cpu = [line for line in lines if line.startswith(kept)] + [str(_cpus())]
    except OSError:
        cpu = [platform.processor(), platform.machine(), str(_cpus())]
    asked = [str(PROBE_VERSION), weights.fingerprint, str(max_seqs)]
    parts = [*asked, installed("openvino-genai"), installed("openvino"), *cpu]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(package: str) -> str:
    """A package's version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
