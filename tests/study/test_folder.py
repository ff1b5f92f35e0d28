"""What is left of a folder by a study that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from perpend.core import ConfigError, StoreError
from perpend.study import run_study
from perpend.study.dry_run import forecast_study
from perpend.study.folder import hold
from tests.study.studies import rows, spec

ENDPOINT = "openai:http://127.0.0.1:1/v1#m"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_dollar_cap_without_a_price_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="price"):
        await run_study(spec(engine=ENDPOINT, budget="usd=1"), tmp_path / "runs" / "mine")
    assert names(tmp_path) == []
    with pytest.raises(ConfigError, match="price"):
        await run_study(spec(engine=ENDPOINT, budget="usd=1"), tmp_path)
    assert names(tmp_path) == []


async def test_a_look_at_the_cost_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    await forecast_study(spec(), tmp_path / "mine", keep=False)
    assert names(tmp_path) == []
    await forecast_study(spec(), tmp_path / "mine")
    await forecast_study(spec(), tmp_path / "mine", keep=False)
    assert rows(tmp_path / "mine", "SELECT COUNT(*) FROM forecasts") == [(1,)]


async def test_what_was_bought_is_never_removed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    await run_study(spec(), folder)
    (bought,) = rows(folder, "SELECT COUNT(*) FROM reservations")
    with pytest.raises(ConfigError, match="price"):
        await run_study(spec(engine=ENDPOINT, budget="usd=1"), folder)
    assert rows(folder, "SELECT COUNT(*) FROM reservations") == [bought]


def test_what_somebody_else_keeps_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    with hold(folder):
        (folder / "notes").write_text("mine")
    assert names(folder) == ["notes"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Choose another --out"), hold(tmp_path / "file" / "mine"):
        pass
