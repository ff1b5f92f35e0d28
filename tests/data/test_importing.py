"""The reference figures of the data sets, through the importer: `--map` alone, but for FOLIO, with gold elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from perpend.core import SAMPLED, Pool, World
from perpend.stats import coverage_curve, majority_curve
from perpend.store import Store
from perpend.strategies.fixed import ragged
from perpend.study import StudySpec
from perpend.study.draw import task_worlds
from perpend.study.importing import import_file, preview_file
from perpend.study.pools import load_pools
from perpend.study.record import engines_of
from perpend.study.resolve import make_plan
from perpend.study.scoring import score_missing
from tests.data import qwen3_probes

CLOSE = 5.1e-5
"""Figures are given to four digits."""


async def pools(file: Path, folder: Path, columns: str, answer: str | None = None) -> dict[tuple[str, str], Pool]:
    """A file as an import and a report would have it: by task and model."""
    preview = preview_file(file, [columns], answer)
    assert not preview.left_out
    import_file(preview, folder)
    plan = make_plan(StudySpec.load(folder / "study.toml"), folder)
    with Store(folder) as store:
        await score_missing(plan, store, task_worlds(plan, World({}, {}, store)))
        engines = engines_of(plan, store)
        return {
            (task.task.name, model): of.pools[SAMPLED]
            for task in plan.tasks
            for model, of in load_pools(plan, task, engines, store).items()
        }


def passes(pool: Pool, *ks: int) -> list[float]:
    curve = ragged(coverage_curve, pool.mask, pool.correct).mean(axis=0)
    return [float(curve[k - 1]) for k in ks]


def majorities(pool: Pool, *ks: int) -> list[float]:
    curve = ragged(majority_curve, pool.mask, pool.keys, pool.correct)
    return [float(curve.mean(axis=0)[k - 1]) for k in ks]


async def test_game_of_24(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "tot-game24" / "gpt-4_0.7_naive_cot_sample_100_start900_end1000.json"
    (pool,) = (await pools(file, tmp_path / "f", "problem=idx,text=ys,correct=infos.r")).values()
    assert passes(pool, 1, 2, 4, 8, 16, 32, 64, 100) == pytest.approx(
        [0.0403, 0.0728, 0.1229, 0.1903, 0.2689, 0.3525, 0.4366, 0.49], abs=CLOSE
    )


async def test_cruxeval(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "cruxeval" / "sample_scored_codellama-7b_temp0.2_output.json"
    columns = "problem=raw_generations.@,answer=raw_generations.*,correct=raw_scored_generations.*"
    (pool,) = (await pools(file, tmp_path / "f", columns, "exact")).values()
    assert passes(pool, 1, 5, 10) == pytest.approx([0.3421, 0.4029, 0.4188], abs=CLOSE)


async def test_folio_with_its_gold_put_beside_the_labels(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "linc-folio"
    labels = json.loads((folder / "gpt-3.5-turbo-16k-0613_folio-cot-8shot_generations_prc.json").read_text())
    gold = json.loads((folder / "recovered_gold_folio.json").read_text())["gold"]
    rows = [{"gold": key, "labels": said} for key, said in zip(gold, labels, strict=True)]
    file = tmp_path / "folio.json"
    file.write_text(json.dumps(rows))
    (pool,) = (await pools(file, tmp_path / "f", "key=gold,answer=labels", "^(?!Error$)(.+)$")).values()
    assert passes(pool, 1, 10) == pytest.approx([0.5352, 0.8516], abs=CLOSE)
    assert majorities(pool, 10) == pytest.approx([0.5495], abs=0.02), "published with ties to the first seen"


@pytest.mark.parametrize(
    ("task", "passed", "majority"), [("aime24", [0.024, 0.116, 0.30], 0.033), ("amc23", [0.144, 0.438, 0.675], 0.221)]
)
async def test_reasoning_gym_eval(
    shared_data: Path, tmp_path: Path, task: str, passed: list[float], majority: float
) -> None:
    inside = "categories.datasets.results"
    columns = (
        f"prompt={inside}.question,key={inside}.expected_answer,text={inside}.completions.full_model_response,"
        f"answer={inside}.completions.model_answer,correct={inside}.completions.score"
    )
    file = shared_data / "rg-eval" / f"llama3.2-3b-rg_{task}_step400_n50.json"
    (pool,) = (await pools(file, tmp_path / "f", columns)).values()
    assert passes(pool, 1, 8, 50) == pytest.approx(passed, abs=5.1e-4)
    assert majorities(pool, 50) == pytest.approx([majority], abs=1.1e-3)


async def test_early_stopping_last_letters(shared_data: Path, tmp_path: Path) -> None:
    columns = "prompt=question,key=answer,text=generated_answer"
    file, said = shared_data / "esc" / "last_letters_dev250.jsonl", "answer is\\s*[\"'“]?([A-Za-z]+)"
    (pool,) = (await pools(file, tmp_path / "f", columns, said)).values()
    assert (pool.keys < 0).mean() == pytest.approx(0.0057, abs=CLOSE)
    assert passes(pool, 1, 2, 4, 8, 16, 32, 40) == pytest.approx(
        [0.7848, 0.8234, 0.8477, 0.8702, 0.8933, 0.9144, 0.92], abs=CLOSE
    )
    assert majorities(pool, 1, 5, 16, 32, 40) == pytest.approx([0.785, 0.802, 0.806, 0.808, 0.810], abs=2e-3)


@pytest.mark.slow
async def test_best_of_infinity(shared_data: Path, tmp_path: Path) -> None:
    columns = "task=set,model=model,problem=problem,key=gold,index=index,answer=answer,completion_tokens=tokens"
    found = await pools(shared_data / "boinf" / "aime24_gpqa.parquet", tmp_path / "f", columns, "exact")
    assert len(found) == 11 + 6
    for problems, name, passed, majority in (
        ("aime2024", "gpt-oss-20b", 0.7580, 0.9),
        ("aime2024", "Phi-4-reasoning", 0.7292, 0.85),
        ("gpqa_diamond", "gpt-oss-20b", 0.6384, 0.7146),
        ("gpqa_diamond", "Phi-4-reasoning", 0.6582, 0.7273),
    ):
        (pool,) = (pool for (task, model), pool in found.items() if task == problems and model == name)
        assert passes(pool, 1) == pytest.approx([passed], abs=CLOSE)
        assert majorities(pool, pool.samples) == pytest.approx([majority], abs=CLOSE)


@pytest.mark.slow
async def test_qwen3_with_its_probes(shared_data: Path, tmp_path: Path) -> None:
    columns = (
        "model=model,problem=problem,prompt=question,key=gold,index=trace,answer=answer,completion_tokens=tokens,"
        "probes=probes,probe_every=500"
    )
    abstain = r"^(?!(?:ERR|No)$)(.+)$"
    found = await pools(shared_data / "qwen3-probes" / "aime24.parquet", tmp_path / "f", columns, abstain)
    wanted = qwen3_probes.load_probed(shared_data)
    for (_, model), pool in found.items():
        known = wanted[model]
        order = [pool.problems.index(str(name)) for name in sorted(map(int, pool.problems))]
        mine = pool.rows(np.array(order))
        assert mine.probes is not None
        assert known.probes is not None
        assert (mine.correct == known.correct).all()
        assert (mine.completion_tokens == known.completion_tokens).all()
        assert ((mine.keys < 0) == (known.keys < 0)).all()
        assert mine.probes.correct.shape == known.probes.correct.shape
        assert (mine.probes.correct == known.probes.correct).mean() > 0.9999
        assert ((mine.probes.keys < 0) == (known.probes.keys < 0)).all()
    for model, passed in (("Qwen3-0.6B", [0.1089, 0.2996]), ("Qwen3-4B", [0.7185, 0.8344])):
        (pool,) = (pool for (_, name), pool in found.items() if name == model)
        assert passes(pool, 1, 8) == pytest.approx(passed, abs=CLOSE)


@pytest.mark.slow
async def test_monkeys_by_their_counts(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "koyejo-monkeys" / "proc_large_language_monkeys_original_pass_at_k.parquet"
    columns = "task=Benchmark,model=Model,problem=Problem Idx,n=Num. Samples Total,c=Num. Samples Correct"
    found = await pools(file, tmp_path / "f", columns)
    (pool,) = (pool for (task, model), pool in found.items() if task == "MATH" and model == "Pythia 160M")
    assert passes(pool, 1, 10, 100, 1000, 10_000) == pytest.approx([0.0027, 0.0251, 0.1619, 0.4102, 0.5703], abs=CLOSE)
