"""From a study file and flags to a spec and a folder: what no flag says is the file's or the quickstart's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perpend.cli.names import check_name

if TYPE_CHECKING:
    from perpend.study.spec import StudySpec

RUNS = Path("runs")
QUICKSTART = "quickstart"
FILE_TASKS = ("jsonl", "csv")


def wanted(file: Path | None, flags: Mapping[str, Any], folder: Path | None) -> tuple[StudySpec, Path]:
    """The study that is asked for, and where it goes. Raises ConfigError."""
    from perpend.api import make_spec
    from perpend.study.replayed import played_folder

    given = {name: value for name, value in flags.items() if value is not None and value != []}
    verifiers, checker = given.pop("verifier", []), given.pop("checker", None)
    spec = make_spec(file, given, folder)
    spec = with_checker(with_verifiers(spec, verifiers), checker)
    check_names(spec)
    played = None if file or "task" in given else played_folder([engine.use for engine in spec.engine])
    name = f"{Path(played).name}-replay" if played else _folder_name(file, spec, quick="task" not in given)
    return spec, folder or RUNS / name.replace(":", "-")


def with_verifiers(spec: StudySpec, verifiers: Sequence[str]) -> StudySpec:
    """The strategies that select by a score, with each of the verifiers too."""
    if not verifiers:
        return spec
    more = [f"{family}(verifier={verifier})" for verifier in verifiers for family in ("weighted_vote", "best_of_n")]
    return spec.model_copy(update={"strategies": tuple(dict.fromkeys((*spec.strategies, *more)))})


def with_checker(spec: StudySpec, checker: str | None) -> StudySpec:
    """The user's own checker for the user's own problems. Raises ConfigError where there are none."""
    from perpend.core import ConfigError, parse_call

    if checker is None:
        return spec
    if not any(parse_call(task.use).name in FILE_TASKS for task in spec.task):
        raise ConfigError("--checker is for tasks jsonl and csv, and there is none.", "Add --task jsonl:FILE.")
    tasks = [task.model_copy(update={"use": _checked(task.use, checker)}) for task in spec.task]
    return spec.model_copy(update={"task": tuple(tasks)})


def _checked(use: str, checker: str) -> str:
    from perpend.core import parse_call

    call = parse_call(use)
    if call.name not in FILE_TASKS:
        return use
    options = {**({"path": call.target} if call.target else {}), **call.options, "checker": checker}
    return f"{call.name}({', '.join(f'{name}={value}' for name, value in options.items())})"


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
