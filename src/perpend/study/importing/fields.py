"""What a sample may be told of: the fields that columns are mapped to, and guesses at which columns those are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from perpend.core import ConfigError, split_top_level

FIELDS: Mapping[str, str] = {
    "task": "which task a problem belongs to",
    "model": "who drew the sample; each model becomes an engine",
    "problem": "which problem it answers",
    "prompt": "what was asked: text, or chat messages",
    "text": "what the model wrote",
    "answer": "the answer in it",
    "key": "the problem's right answer",
    "correct": "whether the answer is right: true, 1, C …, or a share that counts as right from .5",
    "score": "a verifier's score; score.NAME for several",
    "logprob": "the log-probability of the whole completion",
    "prompt_tokens": "tokens of the prompt",
    "completion_tokens": "tokens of the completion",
    "seconds": "how long it took",
    "finish": "why it ended: stop, length …",
    "index": "which of the problem's samples it is; they are put in this order",
    "probes": "the answers forced along the trace, in order",
    "probe_every": "tokens between two probes; a number may stand for the column",
    "n": "samples of the problem, where only counts are known",
    "c": "how many of them are right",
}
"""Name → meaning."""
OF_ONE_SAMPLE = frozenset(
    {"text", "answer", "correct", "logprob", "completion_tokens", "seconds", "finish", "index", "n", "c"}
)
"""Fields whose lists are one entry a sample."""
MAY_BE_LISTS = frozenset({"prompt", "probes", "score"})
"""Fields that may hold a list for one sample: messages, probes, and verdicts, which are averaged."""
SCORE = "score"
GRADERS = ("exact", "verdicts")
"""Names that no verifier's scores may take."""

GUESSES: Mapping[str, Sequence[str]] = {
    "task": ("task", "dataset", "benchmark", "set"),
    "model": ("model", "model_name", "generator", "llm"),
    "problem": ("problem", "problem_id", "problem_idx", "question_id", "task_id", "item_id", "doc_id", "idx", "id"),
    "prompt": ("prompt", "question", "input", "query"),
    "text": ("text", "completion", "completions", "response", "responses", "generation", "generations",
             "generated_text", "generated_answer", "output", "outputs", "full_model_response", "trace", "solution"),
    "key": ("key", "gold", "target", "expected_answer", "correct_answer", "reference", "ground_truth", "gt", "label"),
    "answer": ("pred", "preds", "prediction", "predictions", "predicted", "model_answer", "extracted_answer", "answers",
               "answer"),
    "correct": ("correct", "is_correct", "corrects", "passed", "exact_match", "acc", "accuracy"),
    "score": ("score", "scores", "reward", "rewards", "pred_score", "rm_score", "verifier_score"),
    "logprob": ("logprob", "sum_logprob", "cumulative_logprob", "logprobs"),
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens", "tokens", "num_tokens", "n_tokens"),
    "seconds": ("seconds", "latency", "time", "duration"),
    "finish": ("finish", "finish_reason", "stop_reason"),
    "index": ("index", "sample", "sample_index", "sample_idx", "epoch", "repeat"),
    "probes": ("probes",),
    "probe_every": ("probe_every",),
    "n": ("n", "num_samples", "n_samples", "total"),
    "c": ("c", "num_correct", "n_correct"),
}  # fmt: skip
"""Field → column names that are taken for it, in lower case with underscores, the likeliest first."""


def parse_map(texts: Sequence[str]) -> dict[str, str]:
    """`FIELD=COLUMN,…` as field → column. Raises ConfigError."""
    found: dict[str, str] = {}
    for part in (part for text in texts for part in split_top_level(text)):
        field, _, column = (piece.strip() for piece in part.partition("="))
        column = column[1:-1] if len(column) > 1 and column[0] == column[-1] in "'\"" else column
        if not column or not (field in FIELDS or re.fullmatch(rf"{SCORE}\.(?!(?:{'|'.join(GRADERS)})$)[\w-]+", field)):
            raise ConfigError(
                f"{part!r} maps no field to a column.", f"Write FIELD=COLUMN; fields: {', '.join(FIELDS)}."
            )
        if field in found:
            raise ConfigError(f"Field {field} is mapped twice, to {found[field]} and {column}.", "Map it once.")
        found[field] = column
    return found


def guess(columns: Sequence[str]) -> dict[str, str]:
    """Which columns are likely to hold which fields, by their names alone."""
    plain = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
    found: dict[str, str] = {}
    for field, names in GUESSES.items():
        column = next((plain[name] for name in names if name in plain and plain[name] not in found.values()), None)
        if column is not None:
            found[field] = column
    found |= {column: column for column in columns if column.startswith(f"{SCORE}.")}
    if "answer" in found and not found.keys() & {"key", "correct"} and "text" in found:
        found["key"] = found.pop("answer")  # beside whole texts, a lone answer is the right one
    return found
