"""The pools that ship: their figures, their licences, and the words by which they are asked for."""

from __future__ import annotations

import runpy
from importlib.resources import files
from pathlib import Path

import pytest

from perpend.core import ConfigError
from perpend.study import reevaluate
from perpend.study.importing.examples import examples, unpacked
from perpend.study.located import located, located_call
from tests.study.importing.test_folder import accuracies

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPEND_CACHE", str(tmp_path))


def test_each_has_its_licence_and_source_beside_it() -> None:
    data = files("perpend.study.importing") / "data"
    for name, example in examples().items():
        text = (data / name / "LICENSE").read_text(encoding="utf-8")
        assert {"MIT": "Permission is hereby granted", "Apache-2.0": "Apache License"}[example.licence] in text
        assert "github.com/" in example.source


async def test_it_is_unpacked_once_and_reported(tmp_path: Path) -> None:
    folder = unpacked("qwen-math-rm")
    assert folder.is_relative_to(tmp_path)
    assert located("example:qwen-math-rm") == folder == unpacked("qwen-math-rm")
    results = await reevaluate(folder)
    assert accuracies(results, "coverage")[0] == pytest.approx(0.925)
    assert accuracies(results, "coverage")[-1] == pytest.approx(0.983, abs=5e-4)
    assert accuracies(results, "best_of_n(verifier=rm)")[-1] == pytest.approx(0.967, abs=5e-4)


def test_an_old_one_makes_way(tmp_path: Path) -> None:
    old = tmp_path / "examples" / "qwen-math-rm-00000000"
    old.mkdir(parents=True)
    unpacked("qwen-math-rm")
    assert not old.exists()


def test_it_stands_where_a_folder_may() -> None:
    assert located("runs/x") == Path("runs/x")
    folder = located("example:gpqa-genrm")
    assert located_call("replay:example:gpqa-genrm") == f"replay:{folder}"
    assert located_call("imported:example:gpqa-genrm#gpqa-diamond") == f"imported:{folder}#gpqa-diamond"
    assert located_call("jsonl:example.jsonl") == "jsonl:example.jsonl"
    with pytest.raises(ConfigError, match="no example 'nope'"):
        located("example:nope")


@pytest.mark.slow
def test_the_package_s_bytes_come_from_the_script(shared_data: Path, tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "build_examples.py"))
    script["main"](shared_data, tmp_path / "built")
    kept = ROOT / "src" / "perpend" / "study" / "importing" / "data"
    for name in examples():
        for file in ("samples.jsonl.xz", "LICENSE"):
            assert (tmp_path / "built" / name / file).read_bytes() == (kept / name / file).read_bytes()
