"""Logs of lm-evaluation-harness and of Inspect, written as those tools write them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from perpend.core import ConfigError, Finish, Message, PoolField
from perpend.study.importing import preview_file
from tests.study.importing.files import write


def document(
    number: int, *texts: str, chosen: list[Any], verdict: float, filter: str = "strict-match"
) -> dict[str, Any]:
    """A line of lm-evaluation-harness: one request with its responses, read by one filter."""
    return {
        "doc_id": number,
        "doc": {"question": f"{number} + 1?", "answer": f"So. #### {number + 1}"},
        "target": f"So. #### {number + 1}",
        "arguments": {"gen_args_0": {"arg_0": f"Q: {number} + 1?\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [list(texts)],
        "filtered_resps": chosen,
        "filter": filter,
        "metrics": ["exact_match"],
        "exact_match": verdict,
    }


def test_harness_logs_need_no_map(tmp_path: Path) -> None:
    rows = [
        document(1, "it is 2", chosen=["2"], verdict=1.0),
        document(2, "it is 9", chosen=["[invalid]"], verdict=0.0),
        document(1, "it is 2", chosen=["2"], verdict=1.0, filter="flexible-extract"),
        document(2, "it is 9", chosen=["9"], verdict=0.0, filter="flexible-extract"),
    ]
    preview = preview_file(write(tmp_path, "samples_gsm8k_2025-01-31T12-00-00.123.jsonl", rows))
    problems = preview.arranged.tasks["gsm8k"]
    (first,), (second,) = problems["1"].samples["imported"], problems["2"].samples["imported"]
    assert (problems["1"].prompt, problems["1"].key) == ("Q: 1 + 1?\nA:", "2")
    assert (first.text, first.answer, first.correct) == ("it is 2", "2", 1.0)
    assert (second.answer, second.correct) == (None, 0.0)
    assert not preview.guessed
    assert preview.notes == [
        "Of the filters strict-match, flexible-extract, answers and verdicts are those of strict-match.",
        "Verdicts are the metric exact_match.",
    ]


def test_harness_repeats_are_samples_graded_by_the_key(tmp_path: Path) -> None:
    rows = [document(n, "2", "it is 3", "2", chosen=["2"], verdict=1.0, filter="maj@3") for n in (1, 2)]
    preview = preview_file(write(tmp_path, "samples_mine.jsonl", rows))
    assert [each.text for each in preview.arranged.tasks["mine"]["2"].samples["imported"]] == ["2", "it is 3", "2"]
    assert not preview.arranged.graded, "the metric speaks of the majority, not of any response"
    assert preview.reader.name == "final"


def test_harness_choices_have_a_verdict_and_nothing_else(tmp_path: Path) -> None:
    row = {
        "doc_id": 0, "target": 1, "arguments": [["Q", " a"], ["Q", " b"]], "resps": [[[-1.0, False]], [[-0.5, True]]],
        "filtered_resps": [[-1.0, False], [-0.5, True]], "acc": 1.0, "acc_norm": 1.0,
    }  # fmt: skip
    preview = preview_file(write(tmp_path, "samples_arc.jsonl", [row]))
    (found,) = preview.arranged.tasks["arc"]["0"].samples["imported"]
    assert (found.text, found.answer, found.correct) == (None, None, 1.0)


INSPECT: dict[str, Any] = {
    "version": 2,
    "status": "success",
    "eval": {"task": "team/hard_sums", "model": "openai/gpt-x", "dataset": {"name": "d"}},
    "samples": [
        {
            "id": 7,
            "epoch": epoch,
            "input": [{"role": "user", "content": "6 + 6?", "source": "input"}],
            "target": "12",
            "output": {
                "choices": [
                    {
                        "message": {
                            "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": said}]
                        },
                        "stop_reason": stop,
                    }
                ],
                "usage": {"input_tokens": 9, "output_tokens": 40 + epoch},
                "time": 1.5,
            },
            "scores": {"match": {"value": verdict, "answer": said}, "judge": {"value": 0.25 * epoch}},
        }
        for epoch, said, verdict, stop in ((1, "12", "C", "stop"), (2, "13", "I", "max_tokens"))
    ],
}


def test_inspect_logs_need_no_map(tmp_path: Path) -> None:
    check_inspect(write(tmp_path, "log.json", INSPECT))


def test_an_eval_file_is_a_zip_of_the_same(tmp_path: Path) -> None:
    file = tmp_path / "log.eval"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({name: INSPECT[name] for name in ("version", "status", "eval")}))
        for sample in INSPECT["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("summaries.json", "[]")
    check_inspect(file)


def check_inspect(file: Path) -> None:
    preview = preview_file(file)
    place = preview.arranged.tasks["hard_sums"]["7"]
    first, second = place.samples["openai/gpt-x"]
    assert place.prompt == (Message("user", "6 + 6?"),)
    assert (place.key, first.text, first.answer, first.correct, second.correct) == ("12", "12", "12", 1.0, 0.0)
    assert (first.prompt_tokens, first.completion_tokens, first.seconds) == (9, 41, 1.5)
    assert (first.finish, second.finish) == (Finish.STOP, Finish.LENGTH)
    assert (first.scores, second.scores) == ({"judge": 0.25}, {"judge": 0.5})
    assert preview.notes == ["Verdicts are those of scorer match; judge are scores."]
    assert preview.arranged.held["openai/gpt-x"] == {
        PoolField.ANSWERS,
        PoolField.TEXTS,
        PoolField.TOKENS,
        PoolField.PROMPT_TOKENS,
        PoolField.SECONDS,
        PoolField.FINISH,
    }


def test_an_eval_file_without_a_header_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log.eval"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("samples/1_epoch_1.json", "{}")
    with pytest.raises(ConfigError, match="no Inspect log"):
        preview_file(file)
