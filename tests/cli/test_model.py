"""The embedded model: offered where it is missing, never fetched without being asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpend.cli import model
from tests.cli.conftest import Perpend


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The model is missing; notes when it is fetched."""
    calls: list[str] = []

    def fetch() -> Path:
        calls.append("fetched")
        return Path("model.gguf")

    monkeypatch.setattr(model, "find_model", lambda: None)
    monkeypatch.setattr(model, "fetch_model", fetch)
    return calls


def test_without_a_terminal_and_yes_it_says_what_to_run(perpend: Perpend, fetched: list[str]) -> None:
    result = perpend("study", "--limit", "1")
    assert result.exit_code == 2
    assert "perpend fetch" in result.stderr
    assert fetched == []


def test_yes_fetches(fetched: list[str]) -> None:
    model.ensure_model(["embedded"], yes=True)
    assert fetched == ["fetched"]


def test_at_a_terminal_it_asks(fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_agrees", lambda: True)
    model.ensure_model(["simulated", "embedded(name=x)"], yes=False)
    assert fetched == ["fetched"]


def test_other_models_and_engines_need_none(fetched: list[str]) -> None:
    model.ensure_model(["simulated", "embedded:other.gguf", "embedded(model=other.gguf)"], yes=False)
    assert fetched == []


def test_fetch_says_where_it_is(perpend: Perpend, fetched: list[str]) -> None:
    assert json.loads(perpend("fetch", "--json").stdout) == {"model": "model.gguf", "fetched": True}
