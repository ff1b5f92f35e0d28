"""What compute costs, and which settings are worth their price."""

from perpend.economics.frontier import pareto
from perpend.economics.prices import LOCAL_USD_PER_HOUR, local_price, parse_price

__all__ = ["LOCAL_USD_PER_HOUR", "local_price", "pareto", "parse_price"]
