"""`perpend report`: rebuild a study's report from its folder."""

from __future__ import annotations

from perpend.cli.options import Debug, Folder, Json
from perpend.cli.output import verb


@verb()
def report(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Compute a study's figures anew from its stored samples, and rebuild report.html; nothing is drawn."""
    import asyncio

    from perpend.cli.finish import show, write
    from perpend.study import reevaluate

    results = asyncio.run(reevaluate(folder))
    write(folder, results)
    show(folder, results, as_json=as_json)
