"""`perpend solve`."""

from __future__ import annotations

import json

import pytest

from perpend.core.simulation import law_of
from tests.cli.conftest import Perpend

PROBLEM = "sim-0-0001"
ASK = ("solve", PROBLEM, "--task", "simulated", "--engine", "simulated")


def test_it_answers_with_votes_and_cost(perpend: Perpend) -> None:
    result = perpend(*ASK)
    assert result.exit_code == 0, result.output
    assert "Answer: " in result.stdout
    assert "16 samples, " in result.stdout
    assert "stopped: complete" in result.stdout
    assert "█" in result.stdout


def test_json_holds_the_same(perpend: Perpend) -> None:
    value = json.loads(perpend(*ASK, "--json").stdout)
    assert value["samples"] == 16 == sum(value["votes"].values()) + value["no_answer"]
    assert value["answer"] == next(iter(value["votes"]))
    assert value["tokens"] > 16
    assert "trace" not in value


def test_trace_shows_the_samples(perpend: Perpend) -> None:
    value = json.loads(perpend(*ASK, "--strategy", "majority(n=3)", "--trace", "--json").stdout)
    assert [sample["index"] for sample in value["trace"]] == [0, 1, 2]
    assert "sample 0 · " in perpend(*ASK, "--strategy", "majority(n=3)", "--trace").stdout


def test_the_seed_decides_the_samples(perpend: Perpend) -> None:
    votes = [json.loads(perpend(*ASK, "--seed", seed, "--json").stdout)["votes"] for seed in ("1", "1", "2")]
    assert votes[0] == votes[1] != votes[2]


def test_greedy_gives_the_laws_mode(perpend: Perpend) -> None:
    value = json.loads(perpend(*ASK, "--strategy", "greedy", "--json").stdout)
    assert value["answer"] == law_of(PROBLEM).greedy().answer


def test_a_budget_ends_it_with_what_it_has(perpend: Perpend) -> None:
    value = json.loads(perpend(*ASK, "--budget", "samples=5", "--json").stdout)
    assert (value["samples"], value["stop_reason"]) == (5, "samples")


def test_an_oracle_is_never_offered_for_a_question(perpend: Perpend) -> None:
    for strategy in ("coverage", "best_of_n(verifier=exact)"):
        result = perpend(*ASK, "--strategy", strategy)
        assert result.exit_code == 2
        assert "oracle" in result.stderr


def test_the_question_may_come_from_stdin(perpend: Perpend) -> None:
    value = json.loads(perpend("solve", "-", *ASK[2:], "--json", input=f"{PROBLEM}\n").stdout)
    assert value["question"] == PROBLEM


def test_a_question_that_is_no_text_is_bad_usage(perpend: Perpend) -> None:
    result = perpend("solve", "-", *ASK[2:], input=b"caf\xe9 = ?")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("The question on stdin is not UTF-8.")


@pytest.mark.slow
def test_the_embedded_engine_answers(perpend: Perpend) -> None:
    value = json.loads(
        perpend("solve", "3 + 4", "--task", "arithmetic", "-s", "majority(n=4)", "--yes", "--json").stdout
    )
    assert value["samples"] == 4
