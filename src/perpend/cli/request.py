"""From a study file and flags to a spec and a folder: what no flag says is the file's or the quickstart's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perpend.cli.names import check_name

if TYPE_CHECKING:
    from perpend.study.spec import StudySpec

RUNS = Path("runs")
QUICKSTART = "quickstart"


def wanted(file: Path | None, flags: Mapping[str, Any], folder: Path | None) -> tuple[StudySpec, Path]:
    """The study that is asked for, and where it goes. Raises ConfigError."""
    from perpend.api import make_spec

    given = {name: value for name, value in flags.items() if value is not None and value != []}
    spec = make_spec(file, given)
    check_names(spec)
    return spec, folder or RUNS / _folder_name(file, spec, quick="task" not in given)


def check_names(spec: StudySpec) -> None:
    """Raise ConfigError, with the closest name suggested, where the spec names what there is not."""
    from perpend.engines import ENGINES
    from perpend.strategies import STRATEGIES
    from perpend.tasks import TASKS

    for task in spec.task:
        check_name(TASKS, task.use)
    for engine in spec.engine:
        check_name(ENGINES, engine.use)
    for strategy in spec.strategies:
        check_name(STRATEGIES, strategy)


def _folder_name(file: Path | None, spec: StudySpec, *, quick: bool) -> str:
    """The file's name, or the tasks': "gsm8k", "arithmetic-countdown", "mine" for jsonl:mine.jsonl."""
    from perpend.core import parse_call

    if file is not None:
        return file.stem
    if quick:
        return QUICKSTART
    calls = [parse_call(task.use) for task in spec.task]
    return "-".join(Path(call.target).stem if call.target else call.name for call in calls)
