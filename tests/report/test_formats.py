import pytest

from perpend.report import formats
from perpend.study.results import Estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1,234"), (2.5e6, "2.5\u202fM")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert formats.number(value) == text


def test_an_end_without_bound_is_infinite() -> None:
    assert formats.number_estimate(Estimate(value=540, low=480, high=None)) == "540 (480 to ∞)"
    assert formats.number_estimate(Estimate(value=None, low=None, high=None)) == "–"


def test_differences_carry_a_sign_and_no_negative_zero() -> None:
    assert formats.points(Estimate(value=0.071, low=-0.0004, high=0.13)) == "+7.1 (+0.0 to +13.0)"
    assert formats.points(Estimate(value=-0.02, low=-0.1, high=None)) == "−2.0 (−10.0 to ∞)"


@pytest.mark.parametrize(("value", "text"), [(0.0004, "< 0.001"), (0.0123, "0.012"), (0.5, "0.50")])
def test_p_values(value: float, text: str) -> None:
    assert formats.p_value(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5\u202fs"), (723, "12 min 3 s"), (7500, "2 h 5 min")])
def test_durations(value: float, text: str) -> None:
    assert formats.seconds(value) == text
