"""The user's own Python functions, named as `file.py:function`."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from perpend.core.errors import ConfigError


@dataclass(frozen=True)
class UserFunction:
    """A function of the user's, loaded from a file.

    Attributes:
        path: the file.
        name: the function's.
        call: the function itself.
        digest: of the file's text, which changes when the function may have.
    """

    path: Path
    name: str
    call: Callable[..., Any]
    digest: str

    def where(self, error: BaseException) -> str:
        """`file.py:LINE, in function`: the last line of the file that an exception passed through."""
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.path):
                line = trace.tb_lineno
            trace = trace.tb_next
        return f"{self.path}{f':{line}' if line else ''}, in {self.name}"


def is_function(text: str) -> bool:
    """Whether a string names a function in a file."""
    return re.fullmatch(r".*\.py:[A-Za-z_]\w*", text) is not None


def load_function(text: str) -> UserFunction:
    """Run the file and take the function from it. Raises ConfigError."""
    file, _, name = text.rpartition(":")
    path = Path(file).expanduser()
    if not is_function(text):
        raise ConfigError(f"{text!r} does not name a function in a file.", "Write file.py:function.")
    if not path.is_file():
        raise ConfigError(f"There is no file {file}.", "Write file.py:function, with the path from where you are.")
    path = path.resolve()
    text_digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    function = getattr(_module(path, text_digest), name, None)
    if not callable(function):
        raise ConfigError(f"{path} defines no function {name!r}.", f"Define it: def {name}(...).")
    return UserFunction(path, name, function, text_digest)


def _module(path: Path, version: str) -> Any:
    """The file as a module of its own; not loaded twice as long as it stays the same."""
    known = f"perpend_user_{path.stem}_{version[:8]}"
    if known in sys.modules and getattr(sys.modules[known], "__file__", None) == str(path):
        return sys.modules[known]
    spec = spec_from_file_location(known, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[known] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises is the user's to see
        del sys.modules[known]
        raise ConfigError(
            f"{path} cannot be run: {type(error).__name__}: {error}.", "Run it with python to see why."
        ) from error
    return module
