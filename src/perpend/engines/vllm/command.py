"""The `vllm` command: where it is, and whether this machine has what it computes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from perpend.core import EngineError

DEVICES = Path("/dev")
GPUS = ("nvidia[0-9]*", "kfd", "dxg")
"""What drivers put there: NVIDIA's, AMD's, and either one's under WSL. A container sees those that it was given."""
WITHOUT_GPU = ("cpu", "tpu", "xpu", "gaudi", "neuron")
"""What the versions of vLLM's builds for other processors have in their names; vLLM knows its CPU build by that too."""
VERSION_SECONDS = 120.0
ELSEWHERE = "name a server that runs (openai:URL#MODEL), or use the embedded engine (embedded:MODEL)"


def usable_command() -> str:
    """The `vllm` command, on the PATH or beside this Python.

    A machine can run it where a GPU's driver has put its device into /dev, or where the build that is installed is one
    for another processor. Raises EngineError where it cannot.
    """
    command = shutil.which("vllm") or shutil.which("vllm", path=str(Path(sys.executable).parent))
    if command is None:
        raise EngineError(
            "There is no `vllm` command on this machine.",
            f"Install it with `pip install 'perpend[vllm]'`, {ELSEWHERE}.",
        )
    if not _has_gpu() and not any(name in _version(command) for name in WITHOUT_GPU):
        raise EngineError(
            "This machine has no GPU that vLLM could use, and its CPU build is not what is installed.",
            f"Run it where there is one, install vLLM's CPU build, {ELSEWHERE}.",
        )
    return command


def _has_gpu() -> bool:
    return any(True for pattern in GPUS for _ in DEVICES.glob(pattern))


def _version(command: str) -> str:
    """As the command tells it, which takes it some seconds; what cannot tell is taken for the usual build."""
    try:
        told = subprocess.run(
            [command, "--version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip().rpartition("\n")[2]
