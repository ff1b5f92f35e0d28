"""A stored study as the start of another: its tasks, strategies and samples, for an engine that plays it again."""

from __future__ import annotations

from collections.abc import Sequence

from perpend.core import parse_call
from perpend.study.located import located
from perpend.study.spec import SPEC, EngineSpec, StudySpec, TaskSpec


def played_folder(engines: Sequence[str]) -> str | None:
    """The one folder that all of these engines play again, as it was written; None where there is no such folder."""
    calls = [parse_call(use) for use in engines]
    if not calls:
        return None
    places = {(call.target or call.options.get("folder", "")).partition("#")[0] for call in calls}
    return places.pop() or None if len(places) == 1 and all(call.name == "replay" for call in calls) else None


def played_spec(place: str) -> StudySpec:
    """What a folder studied, for other engines: what it cost is no matter here. Raises ConfigError."""
    spec = StudySpec.load(located(place) / SPEC)
    return StudySpec(
        **spec.model_dump(exclude={"engine", "task", "budget", "per_problem", "price", "hourly"}, exclude_unset=True),
        task=tuple(_from(task, place) for task in spec.task),
        engine=(EngineSpec(use=f"replay:{place}"),),
    )


def _from(task: TaskSpec, place: str) -> TaskSpec:
    """A task that is the folder's own, by the folder."""
    own = task.use.removeprefix("imported:#")
    return task if own == task.use else task.model_copy(update={"use": f"imported:{place}#{own}"})
