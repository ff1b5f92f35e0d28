"""What things cost, and which settings are worth their cost."""

from perpend.economics.frontier import pareto
from perpend.economics.prices import LOCAL_USD_PER_HOUR, local_price

__all__ = ["LOCAL_USD_PER_HOUR", "local_price", "pareto"]
