"""Prices: a canonical charge in dollars is what the endpoint was seen to bill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perpend.core import Finish, Price, Sample, Usage
from perpend.study.pricing import as_billed

PRICE = Price(input=4.0, cached=1.0, output=8.0)


def row(*cached: int, prompt: int = 100) -> list[Sample]:
    usages = [Usage(prompt, each, 10) for each in cached]
    return [Sample("p", "pool", i, "e", "", None, None, Finish.STOP, usage) for i, usage in enumerate(usages)]


def billed(rows: list[list[Sample]]) -> float:
    return sum(PRICE.usd(sample.usage) for row in rows for sample in row)


def canonical(rows: list[list[Sample]], price: Price) -> float:
    """The whole prompt for one sample of each row, and cached for the others."""
    return sum(
        price.usd(Usage(s.usage.prompt, s.usage.prompt if i else 0, s.usage.completion))
        for row in rows
        for i, s in enumerate(row)
    )


@pytest.mark.parametrize(
    "rows",
    [
        [row(0, 0, 0, 0)],
        [row(0, 100, 100, 100)],
        [row(0, 100, 50, 0), row(0, 0)],
        [row(100, 0, 100)],
        [row(0, 96, 96), row(0, 0, 0, prompt=7)],
    ],
)
def test_the_canonical_charge_comes_to_what_was_billed(rows: list[list[Sample]]) -> None:
    price = as_billed(PRICE, rows)
    assert canonical(rows, price) == pytest.approx(billed(rows))
    assert (price.input, price.output) == (PRICE.input, PRICE.output)


def test_choices_of_one_call_pay_for_one_prompt() -> None:
    four = [replace(sample, choice=i) for i, sample in enumerate(row(0, 100, 100, 100))]
    assert as_billed(PRICE, [four]).cached == 0.0
    two_calls = [replace(sample, choice=i % 2) for i, sample in enumerate(row(0, 100, 0, 100))]
    assert as_billed(PRICE, [two_calls]).cached == pytest.approx(PRICE.input / 3)
    cached = [replace(sample, choice=i % 2) for i, sample in enumerate(row(0, 100, 100, 100))]
    assert as_billed(PRICE, [cached]).cached == pytest.approx(PRICE.cached / 3)


def test_a_prompt_that_was_in_the_cache_before_is_paid_once_all_the_same() -> None:
    assert as_billed(PRICE, [row(100, 100, 100)]).cached == PRICE.cached
    assert as_billed(PRICE, [row(40, 100)]).cached == PRICE.cached


def test_where_no_prompt_came_again_none_is_taken_for_cached() -> None:
    assert as_billed(PRICE, [row(0), row(100), []]).cached == PRICE.input
    assert as_billed(PRICE, [row(0, 0, prompt=0)]).cached == PRICE.input
