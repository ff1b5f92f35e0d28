"""Prices: what a token costs, and what an hour of one's own machine is taken to cost."""

from __future__ import annotations

from perpend.core import Price

LOCAL_USD_PER_HOUR = 0.10
"""An assumption, printed wherever it is used: about what two shared cores of a general-purpose cloud machine rent for
(two vCPUs on demand were listed at $0.04 to $0.10 an hour by the large providers in 2025). `--hourly` replaces it."""


def local_price(hourly: float | None) -> tuple[Price, str]:
    """The price of an engine on one's own machine, and a sentence that says where it comes from."""
    rent = LOCAL_USD_PER_HOUR if hourly is None else hourly
    source = "perpend's assumption; --hourly replaces it" if hourly is None else "as given with --hourly"
    return Price(device_second=rent / 3600), f"${rent:g} an hour of this machine ({source})"
