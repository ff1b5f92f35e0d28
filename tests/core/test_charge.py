"""Tokens, dollars and FLOPs add up, and what is unknown stays unknown."""

import pytest

from perpend.core import Cause, Charge, Charges, ModelShape, Price, Usage


def test_cached_tokens_do_not_count_and_cost_their_own_price():
    usage = Usage(prompt=100, cached=60, completion=10, reasoning=8)
    assert usage.tokens == 50
    assert Price(input=2, cached=1, output=10, device_second=7).usd(usage, device_seconds=3) == 80 + 60 + 100 + 21


def test_attention_is_summed_over_the_positions_that_are_computed():
    shape = ModelShape(parameters=1000, layers=3, width=8)
    positions = range(21, 51)  # 40 of prompt of which 20 are cached, 10 of completion
    assert shape.flops(40.0, 20.0, 10.0) == 2 * 1000 * 30 + 4 * 3 * 8 * sum(positions)


def test_a_cached_prompt_costs_the_difference():
    shape = ModelShape(parameters=1000, layers=3, width=8)
    assert shape.flops(40.0, 0.0, 0.0) + shape.flops(40.0, 40.0, 10.0) == pytest.approx(shape.flops(40.0, 0.0, 10.0))


def test_charges_are_kept_by_cause_and_what_is_unknown_is_not_zero():
    charges = Charges()
    charges.add(Cause.GENERATOR, Charge(Usage(10, 0, 5), 1, usd=1.0, flops=2.0))
    charges.add(Cause.GENERATOR, Charge(Usage(10, 10, 5), 1, usd=0.5, flops=1.0))
    charges.add(Cause.VERIFIER, Charge(Usage(3, 0, 1), 1, usd=None, flops=1.0))
    assert charges[Cause.GENERATOR].usage == Usage(20, 10, 10)
    assert charges[Cause.GENERATOR].usd == 1.5
    total = charges.total
    assert (total.usage.tokens, total.calls, total.usd, total.flops) == (24, 3, None, 4.0)


def test_no_charge_is_nothing():
    assert Charges().total == Charge()
