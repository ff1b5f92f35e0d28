"""The calls of `import perpend`: what the command line does, from Python and from a notebook."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import perpend
from perpend.api import engine_part, make_spec, quickstart
from perpend.core import ConfigError

SMALL: dict[str, Any] = {"task": "simulated(problems=6)", "engine": "simulated", "samples": 4}
ASK: dict[str, Any] = {"task": "simulated", "engine": "simulated"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> perpend.Study:
    return perpend.study(**SMALL, out=tmp_path_factory.mktemp("studies") / "s")


def test_a_study_holds_results_and_a_report(study: perpend.Study) -> None:
    assert study.report.exists()
    assert study.results.tasks[0].problems == 6
    assert len(study.headlines) == 3


def test_a_study_draws_itself(study: perpend.Study) -> None:
    assert len(repr(study)) < 120
    assert repr(study).startswith("<Study 'Study' in ")
    html = study._repr_html_()
    assert "<table>" in html
    assert "majority" in html
    assert study.table().row_count > 2


def test_a_study_file_is_overridden_by_keywords(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('samples = 9\n[[task]]\nuse = "simulated"\n', encoding="utf-8")
    spec = make_spec(file, {"samples": 3})
    assert (spec.samples, spec.task[0].use) == (3, "simulated")


def test_without_a_task_it_is_the_quickstart() -> None:
    assert make_spec(None, {"samples": 2}).task == quickstart().task


def test_strategies_are_a_string_or_a_list() -> None:
    text = make_spec(None, {"task": "simulated", "strategies": "greedy, best_of_n(n=4, verifier=check)"})
    assert text.strategies == ("greedy", "best_of_n(n=4, verifier=check)")
    assert make_spec(None, {"task": "simulated", "strategies": ["greedy"]}).strategies == ("greedy",)


def test_engine_parts() -> None:
    assert engine_part("small=embedded:a=b.gguf") == {"name": "small", "use": "embedded:a=b.gguf"}
    assert engine_part("simulated(pace=1)") == {"use": "simulated(pace=1)"}


def test_solve_answers_with_votes_and_cost() -> None:
    answer = perpend.solve("sim-0-0001", **ASK)
    assert str(answer) == answer.answer
    assert sum(answer.votes.values()) == 16
    assert answer.tokens > 0
    assert answer.answer in answer._repr_html_()


def test_model_text_is_escaped_in_a_notebook() -> None:
    result = perpend.solve("sim-0-0001", **ASK).result
    from dataclasses import replace

    assert "<script>" not in perpend.Answer(replace(result, answer="<script>"))._repr_html_()


async def test_the_sync_calls_work_while_a_loop_is_running(tmp_path: Path) -> None:
    assert perpend.solve("sim-0-0001", **ASK).answer is not None
    assert perpend.study(**SMALL, out=tmp_path / "s").report.exists()


async def test_an_error_comes_through_the_thread() -> None:
    with pytest.raises(ConfigError, match="no strategy"):
        perpend.solve("sim-0-0001", **ASK, strategy="nothing")


async def test_the_async_calls() -> None:
    answers = [(await perpend.solve_async("sim-0-0001", **ASK, seed=1)).votes for _ in range(2)]
    assert answers[0] == answers[1]


async def test_an_engine_may_stay_open_between_questions() -> None:
    from perpend.engines.simulated import SimulatedEngine

    closed = []

    class Counting(SimulatedEngine):
        async def close(self) -> None:
            closed.append(1)

    engine = Counting()
    for question in ("sim-0-0001", "sim-0-0002"):
        assert (await perpend.solve_async(question, task="simulated", engine=engine)).answer
    assert closed == []


async def test_an_engine_that_cannot_start_is_closed() -> None:
    from perpend.engines import ENGINES

    with pytest.raises(ConfigError):
        await perpend.solve_async("1 + 1", engine="embedded:missing.gguf")
    assert "embedded" in ENGINES.names()


def test_perpend_study_is_a_package_and_a_call() -> None:
    module = importlib.import_module("perpend.study")
    assert isinstance(module, ModuleType)
    assert perpend.study is module
    assert callable(perpend.study)
    code = "from perpend.study.spec import StudySpec; import perpend; assert callable(perpend.study)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_perpend_is_light() -> None:
    code = "import perpend, sys; assert 'numpy' not in sys.modules; perpend.solve; assert 'numpy' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute"):
        _ = perpend.nothing  # type: ignore[attr-defined]
