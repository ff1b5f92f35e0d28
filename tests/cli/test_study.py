"""`perpend study` and `perpend report`, end to end on the simulated engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Perpend
from tests.signals import hear_ctrl_c


def test_it_writes_everything_and_says_where(perpend: Perpend) -> None:
    result = perpend("study", *SMALL, "--out", "s")
    assert result.exit_code == 0, result.output
    assert {"study.toml", "traces.db", "samples.parquet", "results.json", "report.html"} <= set(os.listdir("s"))
    assert "majority" in result.stdout
    assert str(Path("s/report.html").resolve()) in result.stdout
    assert sum(line.startswith("• ") for line in result.stdout.splitlines()) == 3


def test_json_is_alone_on_stdout(perpend: Perpend) -> None:
    result = perpend("study", *SMALL, "--out", "s", "--json")
    value = json.loads(result.stdout)
    assert value["folder"] == "s"
    assert value["results"]["tasks"][0]["problems"] == 8
    assert "drawing" in result.stderr


def test_flags_come_from_the_environment_too(perpend: Perpend) -> None:
    env = {
        "PERPEND_TASK": "simulated(problems=5)",
        "PERPEND_ENGINE": "simulated",
        "PERPEND_STRATEGIES": "greedy,majority",
        "PERPEND_SAMPLES": "3",
        "PERPEND_OUT": "from-env",
        "PERPEND_JSON": "1",
    }
    results = json.loads(perpend("study", env=env).stdout)["results"]
    assert results["how"]["samples"] == 3
    assert [curve["strategy"] for curve in results["tasks"][0]["curves"]] == ["greedy", "majority"]
    assert Path("from-env").is_dir()


def test_run_again_it_draws_nothing_and_finds_the_same(perpend: Perpend) -> None:
    first = json.loads(perpend("study", *SMALL, "--out", "s", "--json").stdout)["results"]
    second = json.loads(perpend("study", *SMALL, "--out", "s", "--json").stdout)["results"]
    assert second["bought"] == first["bought"]
    assert second["tasks"] == first["tasks"]


def test_a_study_is_extended(perpend: Perpend) -> None:
    perpend("study", *SMALL, "--strategies", "greedy", "--out", "s")
    more = json.loads(perpend("study", *SMALL, "--strategies", "majority", "-n", "6", "--out", "s", "--json").stdout)
    assert {curve["strategy"] for curve in more["results"]["tasks"][0]["curves"]} == {"greedy", "majority"}


def test_a_study_file_is_overridden_by_flags(perpend: Perpend) -> None:
    text = 'title = "Mine"\nsamples = 2\n[[task]]\nuse = "simulated(problems=4)"\n[[engine]]\nuse = "simulated"\n'
    Path("mine.toml").write_text(text, encoding="utf-8")
    value = json.loads(perpend("study", "mine.toml", "--samples", "3", "--json").stdout)
    assert value["folder"] == "runs/mine"
    assert (value["results"]["title"], value["results"]["how"]["samples"]) == ("Mine", 3)


def test_engines_may_be_named(perpend: Perpend) -> None:
    args = ("--engine", "fast=simulated(tokens_per_second=100)", "--engine", "slow=simulated(tokens_per_second=10)")
    value = json.loads(perpend("study", "--task", "simulated(problems=4)", *args, "-n", "2", "--json").stdout)
    assert [engine["name"] for engine in value["results"]["engines"]] == ["fast", "slow"]


def test_the_report_is_rebuilt_from_the_store(perpend: Perpend) -> None:
    before = json.loads(perpend("study", *SMALL, "--out", "s", "--json").stdout)
    Path("s/report.html").unlink()
    Path("s/results.json").unlink()
    after = json.loads(perpend("report", "s", "--json").stdout)
    assert after["results"]["tasks"] == before["results"]["tasks"]
    assert Path("s/report.html").exists()


def test_a_budget_ends_a_study_early_and_good(perpend: Perpend) -> None:
    value = json.loads(perpend("study", *SMALL, "--budget", "samples=20", "--json").stdout)
    (task,) = value["results"]["tasks"]
    assert 0 < task["problems"] < 8


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_the_next_start_goes_on(tmp_path: Path) -> None:
    args = ["study", "--task", "simulated(problems=12)", "-n", "4", "--strategies", "majority", "--out", "s"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERPEND_")}
    command = [sys.executable, "-m", "perpend", *args, "--max-connections", "4", "--json"]
    slow = subprocess.Popen(
        [*command, "--engine", "simulated(pace=0.1)"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    _wait_for_samples(tmp_path / "s")
    slow.send_signal(signal.SIGINT)
    out, said = slow.communicate(timeout=20)
    assert slow.returncode == 130, said
    assert json.loads(out)["error"] == "Stopped."
    assert "run the same command again" in json.loads(out)["remedy"]
    assert "Traceback" not in said
    again = [*command, "--engine", "simulated(pace=0)"]
    done = subprocess.run(again, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60)
    results = json.loads(done.stdout)["results"]
    assert results["how"]["restarts"] == 1
    (generated,) = [line for line in results["bought"] if line["cause"] == "generator"]
    assert generated["calls"] == 12 * 4


def _wait_for_samples(folder: Path) -> None:
    import sqlite3

    for _ in range(200):
        time.sleep(0.05)
        if (folder / "traces.db").exists():
            try:
                with sqlite3.connect(f"file:{folder / 'traces.db'}?mode=ro", uri=True) as db:
                    (count,) = db.execute("SELECT count(*) FROM samples").fetchone()
            except sqlite3.Error:
                continue
            if count >= 4:
                return
    pytest.fail("no sample was stored in ten seconds")


@pytest.mark.slow
def test_the_embedded_engine_measures_word_problems(perpend: Perpend) -> None:
    args = ("--task", "word_problems", "--limit", "3", "--samples", "4", "--strategies", "greedy,majority,best_of_n")
    value = json.loads(perpend("study", *args, "--engine", "embedded", "--yes", "--json").stdout)
    (task,) = value["results"]["tasks"]
    assert task["problems"] == 3
    assert not value["results"]["engines"][0]["simulated"]
