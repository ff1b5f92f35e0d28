"""`perpend list`."""

from __future__ import annotations

import json

import pytest

from perpend.cli.listing import Kind, registry_of
from tests.cli.conftest import Perpend


@pytest.mark.parametrize("kind", list(Kind))
def test_every_name_is_listed_with_a_description(perpend: Perpend, kind: Kind) -> None:
    result = perpend("list", kind.value, "--json")
    assert result.exit_code == 0
    entries = json.loads(result.stdout)
    assert [entry["name"] for entry in entries] == registry_of(kind).names()
    assert all(entry["description"].endswith((".", ":")) or "not usable" in entry["description"] for entry in entries)


def test_options_are_listed_with_their_defaults(perpend: Perpend) -> None:
    assert "n=16, verifier=logprob" in perpend("list", "strategies").stdout


@pytest.mark.parametrize(("kind", "oracles"), [("strategies", {"coverage"}), ("verifiers", {"exact", "math"})])
def test_oracles_are_marked(perpend: Perpend, kind: str, oracles: set[str]) -> None:
    entries = json.loads(perpend("list", kind, "--json").stdout)
    assert {entry["name"] for entry in entries if entry["oracle"]} == oracles
    assert perpend("list", kind).stdout.count("oracle: needs the right answer") == len(oracles)


def test_what_the_study_fills_in_is_not_an_option(perpend: Perpend) -> None:
    (check,) = [e for e in json.loads(perpend("list", "verifiers", "--json").stdout) if e["name"] == "check"]
    assert check["options"] == {}


def test_an_unknown_kind_is_bad_usage(perpend: Perpend) -> None:
    result = perpend("list", "planets")
    assert result.exit_code == 2
    assert "strategies" in result.stderr
