"""perpend: test-time compute scaling of LLM reasoning, by measurement."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perpend.api import Answer, Study, solve, solve_async, study, study_async

__version__ = "0.1.0"
__all__ = ["Answer", "Study", "__version__", "solve", "solve_async", "study", "study_async"]


def __getattr__(name: str) -> Any:
    """The API is imported when it is first asked for, so that `perpend --help` is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'perpend' has no attribute {name!r}")
    api = import_module("perpend.api")
    return sys.modules["perpend.study"] if name == "study" else getattr(api, name)


class _StudyModule(ModuleType):
    """`perpend.study` is a package, and it is also the call `perpend.study(…)`."""

    def __call__(self, *args: Any, **settings: Any) -> Study:
        made: Study = import_module("perpend.api").study(*args, **settings)
        return made


class _Package(ModuleType):
    """Makes the package `perpend.study` callable when the import system hands it over."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "study" and isinstance(value, ModuleType):
            value.__class__ = _StudyModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
