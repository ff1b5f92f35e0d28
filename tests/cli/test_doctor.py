"""`perpend doctor`."""

from __future__ import annotations

import json

import pytest

from perpend.cli import machine
from perpend.cli.machine import Check, State
from tests.cli.conftest import Perpend


def test_it_looks_at_everything_and_says_what_to_do(perpend: Perpend) -> None:
    result = perpend("doctor", "--json")
    checks = json.loads(result.stdout)
    assert {"python", "processor", "memory", "embedded model", "engine: embedded", "engine: vllm"} <= {
        c["name"] for c in checks
    }
    assert all(check["remedy"] for check in checks if check["state"] != "good")


def test_it_draws_a_line_a_check(perpend: Perpend) -> None:
    said = perpend("doctor").stdout
    assert "python" in said
    assert "perpend study" in said


def test_what_is_broken_fails_the_command(perpend: Perpend, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Check("python", State.BROKEN, "3.9", "Install Python 3.11 or later.")
    monkeypatch.setattr(machine, "examine", lambda: [broken])
    result = perpend("doctor")
    assert result.exit_code == 1
    assert "Install Python 3.11" in result.stdout


def test_a_library_that_does_not_load_is_broken() -> None:
    check = machine.library("charts", "no_such_module", "no-such-package")
    assert check.state is State.BROKEN
    assert "no-such-package" in check.remedy
