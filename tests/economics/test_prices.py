"""Prices are read as price lists give them, and assumptions are called so."""

import pytest

from perpend.core import ConfigError, Usage
from perpend.economics import LOCAL_USD_PER_HOUR, local_price, parse_price


def test_prices_are_per_million_tokens():
    price = parse_price("1, 0.5, 4")
    assert price.usd(Usage(prompt=1_000_000, cached=400_000, completion=100_000)) == pytest.approx(0.6 + 0.2 + 0.4)


def test_without_a_price_for_cached_tokens_they_cost_what_others_do():
    assert parse_price("1,4") == parse_price("1,1,4")


@pytest.mark.parametrize("text", ["", "1", "1,2,3,4", "a,b", "-1,2", "inf,1", "nan,1,2"])
def test_other_texts_are_refused(text: str):
    with pytest.raises(ConfigError, match="per million"):
        parse_price(text)


def test_a_machine_is_paid_by_the_second_and_the_default_is_an_assumption():
    price, source = local_price()
    assert price.usd(Usage(), device_seconds=3600) == pytest.approx(LOCAL_USD_PER_HOUR)
    assert "assumed" in source
    given_, source = local_price(3.6)
    assert given_.device_second == pytest.approx(0.001)
    assert source == "$3.60 an hour of this machine"
    with pytest.raises(ConfigError):
        local_price(-1)
