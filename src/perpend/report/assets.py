"""Texts, styles and scripts that lie beside this file, and the Vega bundle; each made safe to stand in a page."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import vl_convert


def text(path: str) -> str:
    """A resource of this package, by its path below `report/`."""
    return files("perpend.report").joinpath(path).read_text(encoding="utf-8")


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script (about 900 kB), made once a process."""
    return script_safe(str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")))


def script_safe(code: str) -> str:
    """Code that cannot end the `<script>` element that it stands in, nor open a comment there."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def json_for_script(value: Any) -> str:
    """JSON that may stand in a `<script type="application/json">`: no `<`, `>` or `&` in it."""
    encoded = msgspec.json.encode(value).decode()
    for char in "<>&\u2028\u2029":
        encoded = encoded.replace(char, f"\\u{ord(char):04x}")
    return encoded


def packed(value: Any) -> str:
    """JSON, gzip, base64: what the page unpacks with a DecompressionStream. The same value gives the same text."""
    return base64.b64encode(gzip.compress(msgspec.json.encode(value), 6, mtime=0)).decode()


def csp_hash(code: str) -> str:
    """The source expression that allows exactly this script to run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
