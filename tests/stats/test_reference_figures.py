"""Figures of shared/data/README.md, to the printed digit, from the real samples."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from perpend.stats import (
    auc_within_problems,
    best_of_n_curve,
    coverage_curve,
    fit_power_law,
    majority_curve,
    pass_at_k,
    verifier_rates,
)


def printed(values, digits):
    return [round(float(value), digits) for value in np.atleast_1d(values)]


def test_game_of_24(shared_data):
    runs = json.loads((shared_data / "tot-game24/gpt-4_0.7_naive_cot_sample_100_start900_end1000.json").read_text())
    curve = coverage_curve([[info["r"] for info in run["infos"]] for run in runs]).mean(axis=0)
    k = np.array([1, 2, 4, 8, 16, 32, 64, 100])
    assert printed(curve[k - 1], 4) == [0.0403, 0.0728, 0.1229, 0.1903, 0.2689, 0.3525, 0.4366, 0.49]


MONKEYS = {
    "Pythia 160M": ([0.0027, 0.0251, 0.1619, 0.4102, 0.5703], 6.59, 0.280),
    "Pythia 1B": ([0.0083, 0.0665, 0.2745, 0.5462, 0.7422], 5.45, 0.315),
    "Pythia 12B": ([0.0232, 0.1568, 0.4834, 0.7233, 0.8750], 4.11, 0.370),
}


@pytest.mark.parametrize("model", MONKEYS)
def test_monkeys_on_math(shared_data, model):
    table = pq.read_table(shared_data / "koyejo-monkeys/proc_large_language_monkeys_original_pass_at_k.parquet")
    rows = [row for row in table.to_pylist() if (row["Model"], row["Benchmark"]) == (model, "MATH")]
    stored_k = np.array(sorted({row["Scaling Parameter"] for row in rows}))
    counts = {row["Problem Idx"]: (row["Num. Samples Correct"], row["Num. Samples Total"]) for row in rows}
    c, n = np.array(list(counts.values())).T
    curve = pass_at_k(n[:, None], c[:, None], stored_k).mean(axis=0)
    figures, a, b = MONKEYS[model]
    assert printed(curve[np.isin(stored_k, [1, 10, 100, 1000, 10_000])], 4) == figures
    law = fit_power_law(stored_k, curve)
    assert printed(law.a, 2) == [a]
    assert printed(law.b, 3) == [b]


def test_last_letters(shared_data):
    rows = [json.loads(line) for line in (shared_data / "esc/last_letters_dev250.jsonl").read_text().splitlines()]
    keys, correct = [], []
    for row in rows:
        found = [re.findall(r"answer is\s*[\"'“]?([A-Za-z]+)", text) for text in row["generated_answer"]]
        answers = [matches[-1].lower() if matches else None for matches in found]
        codes = {answer: code for code, answer in enumerate(dict.fromkeys(filter(None, answers)))}
        keys.append([codes.get(answer, -1) for answer in answers])
        correct.append([answer == row["answer"].lower() for answer in answers])
    k = np.array([1, 2, 4, 8, 16, 32, 40])
    coverage = coverage_curve(correct).mean(axis=0)[k - 1]
    assert printed(coverage, 4) == [0.7848, 0.8234, 0.8477, 0.8702, 0.8933, 0.9144, 0.92]
    majority = majority_curve(keys, correct).mean(axis=0)
    assert printed(majority[[0, 4, 15, 31]], 3) == pytest.approx([0.785, 0.802, 0.806, 0.808], abs=0.002)
    assert printed(majority[39], 3) == [0.810]


def test_output_prediction(shared_data):
    path = shared_data / "cruxeval/sample_scored_codellama-7b_temp0.2_output.json"
    flags = list(json.loads(path.read_text())["raw_scored_generations"].values())
    assert printed(coverage_curve(flags).mean(axis=0)[[0, 4, 9]], 4) == [0.3421, 0.4029, 0.4188]


def test_best_of_8_by_a_reward_model(shared_data):
    lines = (shared_data / "qwen-math-eval/rm8_dev60.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    correct = np.array([row["score"] for row in rows])
    scores = np.array([row["pred_score"] for row in rows])[:, :, 0]
    assert printed(coverage_curve(correct).mean(axis=0)[[0, 7]], 3) == [0.925, 0.983]
    assert printed(best_of_n_curve(scores, correct).mean(axis=0)[7], 3) == [0.967]


def test_generative_verifier_on_gpqa(shared_data):
    with np.load(shared_data / "sc-genrm/gpqa_genrm.npz") as data:
        answers, correct, verdicts = data["answers"][:, :64], data["correct"][:, :64], data["verif"]
    void = (answers == "") | (np.char.find(answers, "invalidanswer") >= 0)
    means = np.nanmean(verdicts, axis=2)
    k = np.array([1, 2, 4, 8, 16, 32, 64])
    assert printed(coverage_curve(correct).mean(axis=0)[[0, 7, 63]], 4) == [0.4619, 0.7300, 0.8438]
    best = best_of_n_curve(np.where(void, 0.0, means), correct).mean(axis=0)[k - 1]
    assert printed(best, 4) == [0.4619, 0.4790, 0.4881, 0.4950, 0.5000, 0.5045, 0.5128]
    rates = verifier_rates(verdicts.reshape(64, -1), np.repeat(correct, 32, axis=1))
    assert [1 - rates.false_negative, rates.false_positive] == pytest.approx([0.824, 0.635], abs=0.001)  # there: mean P
    assert printed(np.nanmean(auc_within_problems(means, correct)), 3) == [0.567]
