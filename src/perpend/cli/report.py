"""`perpend report`: rebuild a study's report from its folder."""

from __future__ import annotations

from perpend.cli.options import Debug, Folder, Json
from perpend.cli.output import verb


@verb()
def report(folder: Folder, as_json: Json = False, debug: Debug = False) -> None:
    """Compute a study's figures anew from its stored samples, and rebuild report.html; nothing is drawn.

    Instead of a folder, example:NAME takes samples that ship with perpend (`perpend examples`); their report goes into
    the user's cache folder.
    """
    import asyncio

    from perpend.cli.finish import show, write
    from perpend.study import reevaluate
    from perpend.study.located import located

    folder = located(str(folder))
    results = asyncio.run(reevaluate(folder))
    write(folder, results)
    show(folder, results, as_json=as_json)
