"""Builds the example pools of the package from the folder of sampled generations: build_examples.py DATA_FOLDER.

Each file is read by the importer itself, reduced to the fields that an example needs, one row a problem, and packed:
the same data give the same bytes. Licences are copied from the data. What each example is stands in
src/perpend/study/importing/data/examples.toml.
"""

from __future__ import annotations

import csv
import json
import lzma
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perpend.study.importing.arrange import Arranged
from perpend.study.importing.found import Found
from perpend.study.importing.importing import preview_file

OUT = Path(__file__).parents[1] / "src" / "perpend" / "study" / "importing" / "data"
OF_A_PROBLEM = ("task", "problem", "prompt", "key")
OF_A_SAMPLE = ("text", "answer", "correct")
DIGITS = 5
"""Of a score."""

Row = dict[str, Any]


def main(data: Path, out: Path = OUT) -> None:
    """Build all of them, into the package."""
    for name, rows, licence in (
        ("game24-gpt4", game24(data / "tot-game24"), data / "tot-game24" / "LICENSE"),
        ("cruxeval-codellama", cruxeval(data / "cruxeval"), data / "cruxeval" / "LICENSE"),
        ("qwen-math-rm", qwen(data / "qwen-math-eval"), data / "qwen-math-eval" / "LICENSE"),
        ("math-contests-llama", contests(data / "rg-eval"), data / "rg-eval" / "LICENSE"),
        ("gpqa-genrm", genrm(data / "sc-genrm"), data / "rg-eval" / "LICENSE"),
    ):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
        (folder / "samples.jsonl.xz").write_bytes(packed)
        shutil.copyfile(licence, folder / "LICENSE")
        print(f"{name:22} {len(packed):>9,} bytes from {len(text.encode()):>10,}")


def game24(folder: Path) -> Iterator[Row]:
    """GPT-4's chains of thought on 100 games of 24; a problem is named by its numbers."""
    file = folder / "gpt-4_0.7_naive_cot_sample_100_start900_end1000.json"
    with (folder / "24.csv").open(encoding="utf-8") as table:
        puzzles = [row["Puzzles"] for row in csv.DictReader(table)]
    found = preview_file(file, ["problem=idx,text=ys,correct=infos.r"], r"Answer:\s*(.*)").arranged
    for row in rows_of(found, "game24", ("text", "correct")):
        yield {**row, "problem": puzzles[int(row["problem"])]}


def cruxeval(folder: Path) -> Iterable[Row]:
    """CodeLlama-7B's predictions of what 800 functions return."""
    file = folder / "sample_scored_codellama-7b_temp0.2_output.json"
    columns = "problem=raw_generations.@,answer=raw_generations.*,correct=raw_scored_generations.*"
    outputs = {
        row["id"]: row["output"] for row in map(json.loads, (folder / "cruxeval.jsonl").read_text().splitlines())
    }
    for row in rows_of(preview_file(file, [columns], "exact").arranged, "cruxeval", ("answer", "correct")):
        yield {**row, "key": outputs[row["problem"]]}


def qwen(folder: Path) -> Iterable[Row]:
    """Qwen2.5-Math's solutions of 60 problems, with the scores of its reward model."""
    columns = "problem=idx,prompt=question,text=code,answer=pred,key=gt,correct=score,score.rm=pred_score"
    return rows_of(preview_file(folder / "rm8_dev60.jsonl", [columns]).arranged, "math", OF_A_SAMPLE)


def contests(folder: Path) -> Iterator[Row]:
    """A fine-tuned Llama 3.2 3B on AIME 2024 and AMC 2023: answers and verdicts."""
    inside = "categories.datasets.results"
    columns = (
        f"prompt={inside}.question,key={inside}.expected_answer,"
        f"answer={inside}.completions.model_answer,correct={inside}.completions.score"
    )
    for task in ("aime24", "amc23"):
        file = folder / f"llama3.2-3b-rg_{task}_step400_n50.json"
        yield from rows_of(preview_file(file, [columns]).arranged, task, ("answer", "correct"))


def genrm(folder: Path) -> Iterator[Row]:
    """Llama 3.3 70B on 64 problems of GPQA Diamond: the 64 answers that have verdicts, and the mean of their 32."""
    with np.load(folder / "gpqa_genrm.npz") as arrays:
        answers, gold, verdicts = arrays["answers"], arrays["gold"], arrays["verif"]
        correct = arrays["correct"]
    checked = verdicts.shape[1]
    for problem, key in enumerate(gold):
        said = [str(answer) for answer in answers[problem, :checked]]
        means = np.nanmean(verdicts[problem], axis=1)
        yield {
            "task": "gpqa-diamond",
            "problem": str(problem),
            "key": str(key),
            "answer": [answer if answer and "invalidanswer" not in answer else None for answer in said],
            "correct": [int(right) for right in correct[problem, :checked]],
            "score.genrm": [round(float(mean), DIGITS) for mean in means],
        }


def rows_of(arranged: Arranged, task: str, fields: Iterable[str]) -> Iterator[Row]:
    """One row a problem, of a file with one task and one model; lists have one entry a sample."""
    (problems,) = arranged.tasks.values()
    for name, of in problems.items():
        (samples,) = of.samples.values()
        whole: Mapping[str, Any] = {"task": task, "problem": name, "prompt": of.prompt, "key": of.key}
        lists = {field: [_plain(sample, field) for sample in samples] for field in fields}
        scores = {
            f"score.{verifier}": [round(sample.scores[verifier], DIGITS) for sample in samples]
            for verifier in arranged.verifiers
        }
        yield {field: value for field, value in whole.items() if value is not None} | lists | scores


def _plain(sample: Found, field: str) -> Any:
    value = getattr(sample, field)
    return int(value) if isinstance(value, float) and value.is_integer() else value


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/build_examples.py DATA_FOLDER")
    main(Path(sys.argv[1]))
