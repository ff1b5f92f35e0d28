"""GPT-3.5 on last letters: 250 problems × 40 texts, recorded for early-stopping self-consistency (arXiv 2401.10480)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from perpend.core import Pool
from tests.data.recorded import pool_of


def load(data: Path) -> Pool:
    """Answers only: no lengths were recorded."""
    lines = (data / "esc" / "last_letters_dev250.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    answers = [[_answer(text) for text in row["generated_answer"]] for row in rows]
    return pool_of("gpt-3.5", answers, [row["answer"].lower() for row in rows])


def _answer(text: str) -> str | None:
    found = re.findall(r"answer is\s*[\"'“]?([A-Za-z]+)", text)
    return found[-1].lower() if found else None
