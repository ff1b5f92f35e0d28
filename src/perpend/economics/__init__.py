"""What compute costs, and which settings are worth their price."""

from perpend.economics.book import PriceBook
from perpend.economics.frontier import pareto
from perpend.economics.known import known_price
from perpend.economics.prices import LOCAL_USD_PER_HOUR, PER_MILLION, Quote, local_price, parse_price, quoted

__all__ = [
    "LOCAL_USD_PER_HOUR",
    "PER_MILLION",
    "PriceBook",
    "Quote",
    "known_price",
    "local_price",
    "pareto",
    "parse_price",
    "quoted",
]
