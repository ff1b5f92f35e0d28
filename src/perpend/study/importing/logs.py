"""Logs of other evaluation tools as rows of fields: lm-evaluation-harness samples, and Inspect logs."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from perpend.core import ConfigError
from perpend.core.answers import marked_answer
from perpend.study.importing.formats import Row, Rows

HARNESS = frozenset({"doc_id", "resps", "filtered_resps", "target"})
"""What every line of an lm-evaluation-harness sample log has."""
INSPECT = frozenset({"eval", "samples"})
"""What an Inspect log has, as JSON."""
LETTERS = ("C", "I", "P", "N")
"""Inspect's verdicts."""


def recognised(path: Path, rows: Rows) -> Rows:
    """A log's rows under the names of fields, mapped; other rows as they are."""
    values = [row.value for row in rows.rows if isinstance(row.value, dict)]
    if values and all(value.keys() >= HARNESS for value in values):
        return _harness(path, rows)
    if len(rows.rows) == 1 and values and values[0].keys() >= INSPECT and isinstance(values[0]["eval"], dict):
        return _inspect(values[0])
    return rows


def read_eval(path: Path, content: bytes, unread: list[tuple[str, str]]) -> Iterator[Row]:
    """Inspect's `.eval`, a zip of JSON files, as one row like its `.json`. Raises ConfigError."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"samples/.+\.json", name)]
            header = next(name for name in ("header.json", "_journal/start.json") if name in archive.namelist())
            log = json.loads(archive.read(header))
            samples = []
            for name in sorted(names):
                try:
                    samples.append(json.loads(archive.read(name)))
                except ValueError as error:
                    unread.append((name, f"it is not JSON ({error})"))
    except (zipfile.BadZipFile, StopIteration, NotImplementedError, ValueError) as error:
        raise ConfigError(
            f"{path} is no Inspect log that can be read here ({error or 'it has no header'}).",
            "Convert it: inspect log convert --to json --output-dir DIR FILE.",
        ) from None
    yield Row(path.name, {"eval": log["eval"], "samples": samples})


# --- lm-evaluation-harness ------------------------------------------------------------------------------------------


def _harness(path: Path, rows: Rows) -> Rows:
    """One row a document and filter; of several filters the first one's, since they read the same responses."""
    filters = list(dict.fromkeys(str(row.value.get("filter", "none")) for row in rows.rows))
    found = Rows(unread=rows.unread, notes=rows.notes, task=_harness_task(path))
    metrics: dict[str, None] = {}
    for row in rows.rows:
        if str(row.value.get("filter", "none")) == filters[0]:
            metric = _metric(row.value)
            metrics |= {} if metric is None else {metric: None}
            found.rows.append(Row(row.place, _document(row.value, metric)))
    if len(filters) > 1:
        found.notes.append(f"Of the filters {', '.join(filters)}, answers and verdicts are those of {filters[0]}.")
    if metrics:
        found.notes.append(f"Verdicts are the metric {', '.join(metrics)}.")
    names = dict.fromkeys(name for row in found.rows for name in row.value)
    found.mapping = {name: name for name in names}
    return found


def _harness_task(path: Path) -> str:
    """`samples_TASK_DATE.jsonl` → TASK."""
    match = re.match(r"samples_(.+?)(?:_\d{4}-\d\d-\d\d.*)?$", path.name.removesuffix("".join(path.suffixes[-1:])))
    return match[1] if match else path.stem


def _metric(document: Mapping[str, Any]) -> str | None:
    """The first of its metrics that is a verdict."""
    named = document.get("metrics") or [name for name in ("exact_match", "acc", "pass@1") if name in document]
    return next((name for name in named if isinstance(document.get(name), int | float)), None)


def _document(document: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    """A document with its responses. The metric speaks of one response; of several, the key has to grade each.

    Where there are several requests, the responses are likelihoods of the choices, and only the verdict is taken.
    """
    verdict = {} if metric is None else {"correct": [document[metric]]}
    if len(document["resps"]) > 1:
        return {"problem": document["doc_id"], **verdict}
    texts = [text for each in document["resps"] for text in (each if isinstance(each, list) else [each])]
    answers = [answer for each in document["filtered_resps"] for answer in (each if isinstance(each, list) else [each])]
    fields: dict[str, Any] = {
        "problem": document["doc_id"],
        "prompt": _harness_prompt(document.get("arguments")),
        "key": _key(document["target"]),
        "text": texts,
    }
    if len(answers) == len(texts):
        fields["answer"] = [None if answer == "[invalid]" else answer for answer in answers]
    if len(texts) == 1:
        fields |= verdict
    return {name: value for name, value in fields.items() if value is not None}


def _key(target: Any) -> str | None:
    """The right answer, which some tasks keep at the end of a solution; None where there are several."""
    if isinstance(target, list):
        return _key(target[0]) if len(target) == 1 else None
    return None if target is None else marked_answer(str(target)) or str(target)


def _harness_prompt(arguments: Any) -> Any:
    """The first argument of the first request: text, or a chat as JSON."""
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else (arguments or [None])[0]
    said = next(iter(first.values()), None) if isinstance(first, dict) else first[0] if first else None
    if isinstance(said, str) and said.startswith("[{"):
        try:
            return json.loads(said)
        except ValueError:
            return said
    return said


# --- Inspect --------------------------------------------------------------------------------------------------------


def _inspect(log: Mapping[str, Any]) -> Rows:
    """One row a sample and epoch; verdicts are the first scorer's, and others' numbers are scores of their names."""
    about = log["eval"]
    rows = Rows(task=str(about.get("task") or "inspect").rpartition("/")[2])
    scorers = list(dict.fromkeys(name for sample in log["samples"] for name in sample.get("scores") or {}))
    for sample in log["samples"]:
        place = f"sample {sample.get('id')}, epoch {sample.get('epoch', 1)}"
        fields = _inspect_sample(sample, str(about.get("model", "inspect")), scorers)
        rows.rows.append(Row(place, fields))
    if scorers:
        rest = f"; {', '.join(scorers[1:])} are scores" if len(scorers) > 1 else ""
        rows.notes.append(f"Verdicts are those of scorer {scorers[0]}{rest}.")
    rows.mapping = {name: name for name in dict.fromkeys(name for row in rows.rows for name in row.value)}
    return rows


def _inspect_sample(sample: Mapping[str, Any], model: str, scorers: list[str]) -> dict[str, Any]:
    output = sample.get("output") or {}
    choice: Mapping[str, Any] = next(iter(output.get("choices") or []), {})
    usage = output.get("usage") or {}
    scores = sample.get("scores") or {}
    first = scores.get(scorers[0], {}) if scorers else {}
    others = {f"score.{name}": scores.get(name, {}).get("value") for name in scorers[1:]}
    fields = {
        "model": model,
        "problem": str(sample["id"]),
        "index": sample.get("epoch", 1),
        "prompt": _turns(sample.get("input")),
        "key": _key(sample.get("target")),
        "text": _said((choice.get("message") or {}).get("content")),
        "answer": first.get("answer"),
        "correct": first.get("value"),
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "seconds": output.get("time"),
        "finish": choice.get("stop_reason"),
        **{name: value for name, value in others.items() if isinstance(value, int | float) or value in LETTERS},
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _turns(asked: Any) -> Any:
    """A prompt as text, or its chat without what only Inspect keeps."""
    if not isinstance(asked, list):
        return asked
    return [{"role": turn["role"], "content": _said(turn.get("content")) or ""} for turn in asked]


def _said(content: Any) -> str | None:
    """A message's text: its parts of text joined, thinking left out."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if part.get("type", "text") == "text")
    return None if content is None else str(content)
