"""The forecast of a study beside what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perpend.core import Price
from perpend.store import Store
from perpend.study.forecast import bought_alone
from perpend.study.ledger import paid
from perpend.study.plan import Plan
from perpend.study.record import iso
from perpend.study.results import Forecast, LedgerLine, PlannedAndActual


def planned_and_actual(
    plan: Plan, store: Store, prices: Mapping[str, Price], bought: Sequence[LedgerLine], seconds: float
) -> PlannedAndActual | None:
    """The newest forecast, and beside it what has been bought: in all, and for each strategy. None without one.

    Both are what the study buys, at the prices that the endpoint bills; in all there is also what probing took, and
    what calls cost that were lost.
    """
    kept = store.forecast()
    if kept is None:
        return None
    made, forecast = kept[0], Forecast.model_validate_json(kept[1])
    alone = bought_alone(plan, prices, store)
    strategies = [alone.get((line.engine, line.strategy)) for line in forecast.strategies]
    return PlannedAndActual(made=iso(made), forecast=forecast, actual=paid(bought, seconds), strategies=strategies)
