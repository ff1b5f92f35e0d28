"""`perpend examples`: the pools that ship with the package."""

from __future__ import annotations

from dataclasses import asdict

from perpend.cli.options import Debug, Json
from perpend.cli.output import emit, out, verb


@verb()
def examples(as_json: Json = False, debug: Debug = False) -> None:
    """List the pools of samples that ship with perpend; example:NAME stands wherever a study's folder may."""
    from rich.table import Table
    from rich.text import Text

    from perpend.study.importing.examples import examples as known

    if as_json:
        emit([asdict(example) for example in known().values()])
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(ratio=1)
    for name, example in known().items():
        origin = Text(f"\n{example.source} ({example.licence})", style="dim")
        table.add_row(name, Text(f"{example.title}: {example.about}") + origin)
    console = out()
    console.print(table)
    console.print(Text("perpend report example:NAME, perpend study --engine replay:example:NAME --strategies …"))
