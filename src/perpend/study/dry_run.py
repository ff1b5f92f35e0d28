"""What a study will cost, said before it is drawn; with a probe, from a few problems that are drawn for it and kept."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from perpend.store import Store
from perpend.study.draw import StudyListener
from perpend.study.folder import hold
from perpend.study.forecast import forecast
from perpend.study.pricing import bill, quotes
from perpend.study.results import Forecast
from perpend.study.spec import StudySpec
from perpend.study.study import Quiet, draw_pool, known_prices, plan_of


async def forecast_study(
    spec: StudySpec,
    folder: Path,
    listener: StudyListener | None = None,
    *,
    probe: int = 0,
    keep: bool = True,
    command: str = "perpend study --dry-run",
) -> Forecast:
    """What a study would cost; kept in its folder, so that the report can set it beside what came of it.

    Args:
        spec: the study.
        folder: where it would go; it may be drawn there with another spec afterwards.
        listener: told about the probe's progress.
        probe: problems a task that are drawn first, under the study's budget. They are the study's first ones, so
            that nothing of them is bought again.
        keep: keep the forecast, where it is of anything that is not drawn yet.
        command: what the user typed, for the record.

    Raises:
        ConfigError, StoreError, EngineError: as `run_study`.
    """
    with ExitStack() as stack:
        stack.enter_context(hold(folder))
        plan = plan_of(spec, folder)
        known = known_prices(plan)
        store = Store(folder)
        stack.callback(store.close)
        if probe:
            await draw_pool(plan.first(probe), known, store, listener or Quiet(), command, keep=None)
        made = forecast(plan, known, store)
        if keep and made.left.calls:
            store.keep_forecast(made.model_dump_json())
        return made


def billed(spec: StudySpec, folder: Path) -> dict[str, str]:
    """The engines whose tokens cost someone money, with their prices as known. Raises ConfigError, TaskError."""
    plan = plan_of(spec, folder)
    known = quotes(plan)
    bills = {name: bill(use, known.get(name)) for name, use in plan.engines.items()}
    return {name: why for name, why in bills.items() if why is not None}
