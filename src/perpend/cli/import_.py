"""`perpend import`: samples that others have drawn, as a study's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpend.cli.options import OUTPUT, Debug, Json, flag
from perpend.cli.output import emit, out, verb

if TYPE_CHECKING:
    from rich.table import Table

    from perpend.study.importing import Preview

READING = "How it is read"
EXAMPLES = 3
"""Rows that a preview shows, and places that hold no sample."""
SHOWN = 60
"""Characters of a value."""


@verb()
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON Lines, JSON, CSV, Parquet, or a log of lm-evaluation-harness or Inspect (.json, .eval).",
            show_default=False,
        ),
    ],
    columns: Annotated[
        list[str] | None,
        flag("--map", help="FIELD=COLUMN,… Repeats. [default: guessed by the columns' names]", panel=READING),
    ] = None,
    answer: Annotated[
        str | None,
        flag(
            "--answer",
            help="How an answer is taken: final, whole, exact, number, choice, or a regular expression. "
            "[default: whole from a column of answers, final from texts]",
            panel=READING,
        ),
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Only say what the file holds.", panel=READING)] = False,
    title: Annotated[str | None, flag("--title", help="Heads the report. [default: the file's name]", panel=OUTPUT)] = (
        None
    ),
    folder: Annotated[Path | None, flag("--out", "-o", help="A new folder. [default: runs/NAME]", panel=OUTPUT)] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    r"""Make a study's folder of samples that others have drawn, for `perpend report` and `--engine replay:DIR`.

    A row is one sample, or one problem with lists of samples, or one problem with counts (n and c). --map says which
    column holds which field: task, model, problem, prompt, text, answer, key (the right answer), correct (a verdict),
    score or score.NAME (a verifier's), logprob, prompt_tokens, completion_tokens, seconds, finish, index, probes,
    probe_every, n, c. A key or a verdict is enough; a strategy that needs what the file has not got is left out by
    name.

    Dots reach into columns: answer=completions.answer. In an object whose names are the problems, NAME.* are its values
    and NAME.@ their names; . is a row itself.
    """
    from perpend.cli.job import command_line
    from perpend.study.importing import import_file, preview_file

    preview = preview_file(file, columns or [], answer)
    chosen = folder or Path("runs") / file.stem
    if not dry_run:
        import_file(preview, chosen, command_line(), title)
    if as_json:
        emit(_as_json(preview, None if dry_run else chosen))
    else:
        _draw(preview, None if dry_run else chosen)


def _as_json(preview: Preview, folder: Path | None) -> dict[str, object]:
    arranged = preview.arranged
    return {
        "file": str(preview.file),
        "sha256": preview.sha256,
        "folder": None if folder is None else str(folder),
        "map": preview.mapping,
        "guessed": preview.guessed,
        "answer": preview.reader.name,
        "rows": preview.rows,
        "samples": arranged.samples,
        "tasks": {name: len(problems) for name, problems in arranged.tasks.items()},
        "models": {model: sorted(arranged.held[model]) for model in arranged.models},
        "left_out": [{"place": place, "reason": reason} for place, reason in preview.left_out],
        "notes": list(preview.notes),
    }


def _draw(preview: Preview, folder: Path | None) -> None:
    from rich.text import Text

    console = out()

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    console.print(_table(preview))
    arranged = preview.arranged
    if preview.guessed:
        line("Columns were guessed by their names; --map FIELD=COLUMN says otherwise.", "yellow")
    line(f"Answers are taken by {preview.reader.name!r}.")
    problems = sum(len(of) for of in arranged.tasks.values())
    models = "" if len(arranged.models) == 1 else f" by {len(arranged.models)} models"
    drawn = f"{arranged.samples:,} samples of {problems:,} problems{models}, up to {arranged.most:,} each"
    line(f"{preview.rows:,} rows: {drawn}.")
    if preview.left_out:
        line(f"{len(preview.left_out):,} places hold no sample that can be used:", "yellow")
        for place, reason in preview.left_out[:EXAMPLES]:
            line(f"  {place}: {reason}")
    for note in preview.notes:
        line(note, "dim")
    replayed = "" if arranged.counts else f", or perpend study --engine replay:{folder} …"
    line(
        "Nothing was written: --dry-run."
        if folder is None
        else f"Folder: {folder}\nNext: perpend report {folder}{replayed}"
    )


def _table(preview: Preview) -> Table:
    """A row a field: its column, how many samples have it, and what it is in the first of them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("Field", "Column", "Filled", *(f"Sample {i + 1}" for i in range(EXAMPLES))):
        table.add_column(name, justify="right" if name == "Filled" else "left", overflow="fold")
    for field, column in preview.mapping.items():
        values = [_value(preview, field, i) for i in range(len(preview.found))]
        filled = sum(value is not None for value in values)
        shown = [_short(value) for value in values[:EXAMPLES]]
        table.add_row(field, column, f"{filled:,}", *(Text(value, style="dim") for value in shown))
    return table


def _value(preview: Preview, field: str, i: int) -> object:
    kind, _, name = field.partition(".")
    if kind == "score":
        return preview.found[i].scores.get(name or kind)
    value: object = getattr(preview.found[i], kind)
    return value


def _short(value: object) -> str:
    flat = "–" if value is None else " ".join(str(value).split())
    return flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + "…"
