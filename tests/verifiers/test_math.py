"""Mathematical equality: a table of pairs with what a careful reader would say, and text that would hang a solver."""

import time

import pytest

from perpend.core import Problem
from perpend.verifiers.math import Comparison, Math, decide

EQUAL = [
    ("18", "18"),
    ("18", "$18"),
    ("18", "18.00"),
    ("1234", "1,234"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", "1/2"),
    (r"\dfrac{3}{4}", r"\frac34"),
    ("3/2", r"1\frac{1}{2}"),
    ("50", r"50\%"),
    ("10 cm", "10 centimeters"),
    ("10", "10 cm"),
    (r"10\text{ cm}", "10"),
    (r"90^\circ", "90"),
    ("5", "x = 5"),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    (r"\frac{\pi}{4}", "π/4"),
    ("0.785398", r"\frac{\pi}{4}"),
    ("3.14", r"\pi"),
    ("0.333", "1/3"),
    ("0.67", "2/3"),
    ("3.142", "3.14159"),
    (r"\sqrt{2}/2", r"0.5\sqrt{2}"),
    ("x^2+2x+1", "(x+1)^2"),
    (r"\frac{x+1}{2}", "(x+1)/2"),
    ("x^2", "x^2 + C"),
    (r"(-\infty, 2] \cup [3, \infty)", "x ≤ 2 or x ≥ 3"),
    (r"[3,\infty)\cup(-\infty,2]", r"x \le 2 \text{ or } x \ge 3"),
    ("(1, 3]", "1 < x ≤ 3"),
    (r"\{1, 2, 3\}", r"\{3, 1, 2\}"),
    ("(1, 2)", "(1,2)"),
    (r"(3, \frac{\pi}{2})", "(3, π/2)"),
    ("20 June", "June 20"),
    ("June 20, 2020", "20th of June 2020"),
    (r"\text{(B)}", "B"),
    ("Paris", "paris."),
    ("3*10^8", r"300{,}000{,}000"),
    ("1+2i", "2i + 1"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"),
    ("y=2x+1", "y = 1 + 2x"),
    ("10!", "3628800"),
]
DIFFERENT = [
    ("10 cm", "10 m"),
    ("5 cm^2", "5 cm"),
    (r"\frac{\pi}{4}", "0.785398"),
    (r"\pi", "3.14"),
    (r"\sqrt{2}", "1.41421356"),
    ("1/3", "0.333"),
    ("1/3", "0.333333"),
    ("0.5", "0.45"),
    ("3.14159", "3.14"),
    ("2", "3"),
    ("2", "-2"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("x > 2", "x ≥ 2"),
    ("20 June", "21 June"),
    ("Paris", "London"),
    ("B", "C"),
    ("x^2", "x^3"),
    ("18", ""),
    ("18", "no idea"),
    (r"\{1, 2\}", r"\{1, 2, 3\}"),
]
HOSTILE = {
    "tower": "9**9**9**9",
    "latex tower": "9^{9^{9^{9^{9}}}}",
    "factorials": "((9!)!)!",
    "deep fractions": r"\frac{1}{" * 300 + "2" + "}" * 300,
    "parentheses": "(" * 3000 + "1" + ")" * 3000,
    "open parentheses": "(" * 990 + "1",
    "million digits": "9" * 10**6,
    "million sums": "1+" * 500_000 + "1",
    "powers": "^".join("9" * 40),
    "root": r"\sqrt{" * 200 + "2" + "}" * 200,
    "expanding": "(x+y+z)^{99999}",
}


async def judge(verifier, sample, key, answers):
    scores = await verifier.score(Problem("p", "t", {}, key), [sample(answer) for answer in answers], None)
    return [score.value for score in scores]


async def test_the_table_of_pairs(sample):
    verifier = Math(seconds=10)
    table = [(*pair, 1.0) for pair in EQUAL] + [(*pair, 0.0) for pair in DIFFERENT]
    found = [(key, answer, wanted, *(await judge(verifier, sample, key, [answer]))) for key, answer, wanted in table]
    await verifier.close()
    false_plus = [pair[:2] for pair in found if pair[3] > pair[2]]
    false_minus = [pair[:2] for pair in found if pair[3] < pair[2]]
    print(f"{len(table)} pairs: {len(table) - len(false_plus) - len(false_minus)} right, ", end="")
    print(f"{len(false_plus)} false +, {len(false_minus)} false −")
    assert (false_plus, false_minus) == ([], [])
    assert len(table) >= 40


@pytest.mark.parametrize(
    "name",
    [name if name in ("tower", "million digits") else pytest.param(name, marks=pytest.mark.slow) for name in HOSTILE],
)
async def test_a_hostile_answer_is_wrong_within_a_second_and_later_ones_are_graded(sample, name):
    verifier = Math()
    assert await judge(verifier, sample, "x+1", ["1+x+0", "x+0+1"]) == [1.0, 1.0]
    began = time.monotonic()
    assert await judge(verifier, sample, "7", [HOSTILE[name]]) == [0.0]
    assert time.monotonic() - began < 1.5
    assert await judge(verifier, sample, "x+1", ["1+x"]) == [1.0]
    await verifier.close()


async def test_a_hostile_answer_says_why_and_is_not_tried_twice(sample):
    verifier = Math(seconds=0.4)
    problem = Problem("p", "t", {}, "7x")
    (score,) = await verifier.score(problem, [sample("9^{9^{9^{9}}}")], None)
    assert score.rationale == "took too long to compare"
    began = time.monotonic()
    assert await verifier.score(problem, [sample("9^{9^{9^{9}}}")] * 3, None) == [score] * 3
    assert time.monotonic() - began < 0.1
    await verifier.close()


async def test_plain_answers_need_no_worker(sample):
    verifier = Math()
    assert await judge(verifier, sample, "18", ["18.0", "19", "$18", None, "Paris", "1/2"])
    assert isinstance(decide("18", "18.0"), bool)
    assert isinstance(decide("Paris", "London"), bool)
    assert isinstance(decide("18", "9" * 10**6), bool)
    assert isinstance(decide("x+1", "1+x"), Comparison)
    await verifier.close()
