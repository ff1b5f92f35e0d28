"""A study in which every text that anyone else chose tries to break out of the page."""

from __future__ import annotations

import json
from typing import Any

from perpend.study.results import ProblemView, Results
from tests.report.synthetic import Shape, problems, results

PAYLOAD = (
    '</script></style></textarea><!--<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
    "<svg onload='window.hacked=1'>{{7*7}}{% raw %}`${window.hacked=1}`\u2028&lt;'\"[red]"
)
NAMED = {"versions", "hardware", "selection_gap", "accuracy", "refused", "prices"}
"""Tables whose keys are names."""
KEPT = {"fingerprint", "started", "kind", "finish", "unit", "holds"}
"""Texts that perpend itself writes, and enums."""


def hostile() -> tuple[Results, list[ProblemView]]:
    """The synthetic study, with the payload at the end of every text."""
    shape = Shape(problems=3, engines=("small", "large"), probes=True)
    poisoned = Results.model_validate(_poison(json.loads(results(shape).model_dump_json())))
    views = [ProblemView.model_validate(_poison(json.loads(p.model_dump_json()))) for p in problems(shape)]
    return poisoned, views


def _poison(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            (key + PAYLOAD if name in NAMED and _free(value) else key):
            _poison(part, key)
            for key, part in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_poison(part, name) for part in value]
    if name in {"error", "difficulty"} and value is None:
        return PAYLOAD
    return value + PAYLOAD if isinstance(value, str) and name not in KEPT else value


def _free(value: dict[str, Any]) -> bool:
    """Whether a mapping's keys are someone's names rather than a model's fields."""
    return not value.keys() & {"value", "low", "high"}
