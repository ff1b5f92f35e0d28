"""Prices: as the user gives them, and what a machine of one's own is assumed to cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perpend.core import ConfigError, Price

LOCAL_USD_PER_HOUR = 0.20
"""What a local machine is assumed to cost an hour where nobody says: four to eight virtual cores on demand, in round
figures, power included. It is printed as an assumption wherever a dollar figure rests on it."""
PER_MILLION = 1e-6


@dataclass(frozen=True)
class Quote:
    """A price, and one phrase that says what it is and where it comes from."""

    price: Price
    source: str

    @property
    def by_token(self) -> bool:
        """Whether tokens cost money, and not only time."""
        return max(self.price.input, self.price.cached, self.price.output) > 0


def local_price(usd_per_hour: float | None = None) -> tuple[Price, str]:
    """The price of an engine on this machine, by device second, and one phrase that says where it comes from."""
    assumed = usd_per_hour is None
    hourly = LOCAL_USD_PER_HOUR if usd_per_hour is None else usd_per_hour
    if not 0 <= hourly < math.inf:
        raise ConfigError(f"A machine cannot cost {hourly} dollars an hour.", "Give a number of dollars.")
    return Price(device_second=hourly / 3600), f"${hourly:.2f} an hour of this machine" + " (assumed)" * assumed


def parse_price(text: str) -> Price:
    """Read "IN,CACHED,OUT" in dollars per million tokens, as price lists have it; "IN,OUT" where caching saves nothing.

    Raises ConfigError.
    """
    try:
        prices = [float(part) * PER_MILLION for part in text.split(",")]
    except ValueError:
        prices = []
    if len(prices) not in (2, 3) or not all(0 <= price < math.inf for price in prices):
        raise ConfigError(
            f"Price {text!r} is not understood.",
            'Write dollars per million tokens as INPUT,CACHED,OUTPUT, such as "0.15,0.075,0.60".',
        )
    return Price(input=prices[0], cached=prices[-2], output=prices[-1])


def quoted(price: Price, where: str) -> Quote:
    """A price by the token, written out: "$0.15 in, $0.075 cached, $0.6 out per million tokens (where)"."""
    parts = ((price.input, "in"), (price.cached, "cached"), (price.output, "out"))
    written = ", ".join(f"${round(each / PER_MILLION, 6):g} {name}" for each, name in parts)
    return Quote(price, f"{written} per million tokens ({where})")
