"""What the command line asks and says about money, against a server that bills."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpend.cli.machine import State, endpoint, examine
from perpend.study import run_study
from tests.cli.conftest import Perpend
from tests.engines.openai.fault_server import EVERYTHING
from tests.money.conftest import ANSWER, KEY, PRICE, Serve, billed_usd, flags, study


def test_a_priced_endpoint_without_a_budget_is_refused_with_the_estimate(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    result = perpend("study", *flags(server), "--price", PRICE)
    assert result.exit_code == 2
    assert "30 calls, at most" in result.stderr
    assert "$0.5 in, $0.5 cached, $8 out per million tokens" in result.stderr
    for remedy in ("--budget usd=", "--dry-run", "--yes"):
        assert remedy in result.stderr
    assert server.paths == []
    assert not Path("runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("consent", [("--yes",), ("--budget", "usd=1")])
def test_with_a_budget_or_yes_it_runs_and_says_what_it_paid(
    perpend: Perpend, serve: Serve, consent: tuple[str, ...]
) -> None:
    server = serve(text=ANSWER)
    result = perpend("study", *flags(server), "--price", PRICE, *consent, "--out", "s")
    assert result.exit_code == 0, result.output
    assert "Bought: " in result.stdout
    assert "openai: $0.5 in, $0.5 cached, $8 out per million tokens (as given)" in result.stdout
    assert "Plan and actual" in Path("s/report.html").read_text(encoding="utf-8")
    again = perpend("study", *flags(server), "--price", PRICE, "--out", "s")
    assert again.exit_code == 0, "nothing is left to buy"


def test_a_server_without_a_price_is_not_asked_about(perpend: Perpend, serve: Serve) -> None:
    result = perpend("study", *flags(serve(text=ANSWER)))
    assert result.exit_code == 0, result.output
    assert "no price is known, so no dollars" in result.stdout


def test_a_hosted_model_without_a_known_price_is_asked_about(perpend: Perpend) -> None:
    result = perpend("study", "--task", "arithmetic", "--limit", "2", "--engine", "openai:https://api.hosted.test/v1#m")
    assert result.exit_code == 2
    assert "a price that is not known" in result.stderr


def test_one_question_is_asked_about_too(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = ("solve", "What is 3 + 4?", "--task", "arithmetic", "--engine", f"openai:{server.url}#m", "--price", PRICE)
    refused = perpend(*ask)
    assert (refused.exit_code, server.paths) == (2, [])
    assert "Nobody has agreed to that" in refused.stderr
    assert perpend(*ask, "--strategy", "greedy", "--yes").exit_code == 0


def test_a_dry_run_asks_the_server_for_nothing(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    result = perpend("study", *flags(server), "--price", PRICE, "--dry-run")
    assert result.exit_code == 0, result.output
    for part in ("greedy", "majority", "the whole study", "30", "at most", "--probe"):
        assert part in result.stdout
    assert server.paths == []
    value = json.loads(perpend("study", *flags(server), "--price", PRICE, "--dry-run", "--json").stdout)
    forecast = value["forecast"]
    assert [(line["strategy"], line["cost"]["calls"]) for line in forecast["strategies"]] == [
        ("greedy", 6),
        ("majority", 24),
        ("coverage", 24),
    ]
    assert forecast["bound"]
    assert forecast["whole"]["usd"] > 30 * 16 * 8e-6
    assert forecast["whole"]["seconds"] is None


def test_a_probe_is_drawn_kept_and_reused(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    priced = (*flags(server), "--price", PRICE, "--yes", "--out", "s", "--json")
    forecast = json.loads(perpend("study", *priced, "--probe", "2").stdout)["forecast"]
    assert not forecast["bound"]
    assert (forecast["whole"]["calls"], forecast["left"]["calls"]) == (30, 20)
    assert forecast["whole"]["seconds"] > 0
    drawn = len(server.ledger)
    results = json.loads(perpend("study", *priced).stdout)["results"]
    assert len(server.ledger) - drawn == 20
    plan = results["plan"]
    assert plan["actual"]["calls"] == plan["forecast"]["whole"]["calls"] == 30
    assert plan["actual"]["tokens"] == pytest.approx(forecast["whole"]["tokens"], rel=0.25)
    assert plan["strategies"][0]["usd"] == pytest.approx(forecast["strategies"][0]["cost"]["usd"], rel=0.25)


def test_after_a_dry_run_the_study_may_be_a_smaller_one(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    perpend("study", *flags(server), "--price", PRICE, "--yes", "--out", "s", "--probe", "1")
    smaller = perpend("study", *flags(server, 3, 2), "--price", PRICE, "--yes", "--out", "s", "--json")
    assert json.loads(smaller.stdout)["results"]["how"]["samples"] == 2


def test_progress_is_json_lines_on_stderr_and_the_result_is_alone_on_stdout(perpend: Perpend, serve: Serve) -> None:
    result = perpend("study", *flags(serve(text=ANSWER)), "--price", PRICE, "--yes", "--json")
    assert json.loads(result.stdout)["results"]
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert {line["event"] for line in lines} == {"progress"}
    assert {"drawing", "evaluating"} <= {line["phase"] for line in lines}
    assert lines[-1]["samples"] == [30, 30]
    assert lines[-1]["usd"] > 0
    assert lines[-1]["projected_usd"] == pytest.approx(lines[-1]["usd"])


def test_a_wrong_key_is_one_sentence(perpend: Perpend, serve: Serve) -> None:
    result = perpend("study", *flags(serve(key="another")))
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) <= 3
    assert "401" in result.stderr or "key" in result.stderr
    assert KEY not in result.output
    assert "Traceback" not in result.output


def test_a_budget_that_ends_mid_question_yields_the_best_answer_so_far(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = (
        "solve", "What is 3 + 4?", "--task", "arithmetic", "--engine", f"openai:{server.url}#m", "--max-tokens", "16",
        "--strategy", "majority(n=512)",
    )  # fmt: skip
    value = json.loads(perpend(*ask, "--price", PRICE, "--budget", "usd=0.006", "--json").stdout)
    assert value["answer"] == "7"
    assert value["stop_reason"] == "usd"
    assert 0 < value["samples"] < 512
    assert billed_usd(server) == pytest.approx(value["usd"])
    assert 0 < value["usd"] <= 0.006
    unpriced = perpend(*ask, "--budget", "usd=0.002")
    assert unpriced.exit_code == 2
    assert "--price" in unpriced.stderr


def test_a_question_that_fails_says_why(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = ("solve", "why " * 5000, "--engine", f"openai:{server.url}#m", "--strategy", "majority(n=2)")
    assert "2 of 2 samples failed: This model's maximum context length is 4096 tokens." in perpend(*ask).stdout
    said = json.loads(perpend(*ask, "--json").stdout)
    assert said["failed"] == {"This model's maximum context length is 4096 tokens.": 2}


def test_a_question_whose_budget_went_into_broken_calls_says_so(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = ("solve", "why?", "--engine", f"openai:{server.url}#m", "--strategy", "greedy", "--max-tokens", "16")
    assert perpend(*ask).exit_code == 0
    server.configure(faults={"500": 1.0})
    assert "for 2 calls that broke" in perpend(*ask, "--budget", "tokens=400").stdout


def test_a_server_that_counts_nothing_is_charged_at_most_and_the_answer_says_so(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER, features=EVERYTHING - {"usage"})
    ask = ("solve", "why?", "--engine", f"openai:{server.url}#m", "--strategy", "majority(n=4)", "--max-tokens", "16")
    assert perpend(*ask).exit_code == 0  # from now on what the server can do is known, and nothing is spent on that
    server.configure()
    said = json.loads(perpend(*ask, "--json").stdout)
    assert (said["samples"], said["estimated"]) == (4, 4)
    assert said["tokens"] >= server.billed() > 4 * 4
    shown = perpend(*ask, "--trace").stdout
    assert "did not count the tokens of 4 of 4 samples" in shown
    assert "sample 0 · about 1 tokens" in shown


async def test_the_report_says_which_samples_nobody_counted(tmp_path: Path, serve: Serve) -> None:
    server = serve(text=ANSWER, features=EVERYTHING - {"usage"})
    results = await run_study(study(server, 2, 2, strategies=("majority",)), tmp_path)
    assert [counts.estimated for counts in results.tasks[0].counts] == [1.0]
    said = [finding.sentence for finding in results.findings]
    assert any("did not count the tokens of 100.0 % of openai's samples" in sentence for sentence in said)


def test_the_address_may_come_from_the_environment(perpend: Perpend, serve: Serve) -> None:
    server = serve(text=ANSWER)
    ask = ("solve", "What is 3 + 4?", "--engine", "openai:m", "--strategy", "majority(n=2)", "--max-tokens", "16")
    result = perpend(*ask, env={"OPENAI_BASE_URL": server.url})
    assert result.exit_code == 0, result.output
    assert "7" in result.stdout


def test_the_doctor_knows_the_endpoint_and_never_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint() in examine()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    assert endpoint().found.endswith("http://127.0.0.1:8000/v1, with the key in OPENAI_API_KEY")
    assert KEY not in str(endpoint())
    monkeypatch.delenv("OPENAI_API_KEY")
    assert (endpoint().state, endpoint().remedy[:18]) == (State.OPTIONAL, "Set OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:secret@127.0.0.1/v1")
    assert endpoint().found.startswith("OPENAI_BASE_URL cannot be used")
    assert "secret" not in str(endpoint())
