"""Answers as text: what is found in a completion, and what counts as the same."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpend.core.answers import canonical_number, extract_final_answer, final_number, normalize

SAME = [
    ("1,234.50", "1234.5"),
    ("1{,}234", "1234"),
    ("1\\,234", "1234"),
    (r"\frac{3}{4}", "0.75"),
    (r"\dfrac34", "3/4"),
    ("6/8", "3/4"),
    ("1 1/2", r"1\frac{1}{2}"),
    ("-0.0", "0"),
    (r"3 \times 10^{8}", "300000000"),
    ("$18", "18 dollars"),
    (r"50\%", "50"),
    ("50 percent", "50%"),
    ("10 cm", r"10\text{ centimeters}"),
    ("5 cm^2", "5 square centimeters"),
    (r"90^\circ", "90 degrees"),
    ("x = 5", "5"),
    (r"x^2 + C", "x^{2}"),
    ("20 June", "June 20th"),
    ("4 July 1776", "July 4, 1776"),
    ("x ≤ 2 or x ≥ 3", r"(-\infty, 2] \cup [3, \infty)"),
    ("1 < x ≤ 3", r"3 \ge x > 1"),
    (r"\{2, 1\}", r"\{1, 2\}"),
    (r"(0.50, \frac{\pi}{2})", "(1/2, π/2)"),
    ("Paris.", "paris"),
    (r"\boxed{\text{(B)}}", "B"),
    (r"2\sqrt3", "2*sqrt(3)"),
    ("**12**", "12"),
    ("2 x + 3", "2x+3"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
]
DIFFERENT = [
    ("10 cm", "10 m"),
    ("10 cm", "10"),
    ("0.333", "1/3"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("x > 2", "x >= 2"),
    ("June 20", "June 21"),
    ("a", "A"),
    ("π/4", "0.785398"),
    ("10m", "10 m"),
    ("1,234", "1, 234"),
    (r"\sqrt{2}", "2"),
    ("10!", "10"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_answer_share_a_normal_form(one, other):
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_answers_keep_different_normal_forms(one, other):
    assert normalize(one) != normalize(other)


LATEX = r"\frac \dfrac \text{ \boxed{ \left( \right) \sqrt \pi \cup \infty \{ \} \le \circ ^\circ \, \in \%"
SIGNS = "{ } ( ) [ ] , . $ $$ - + * ** / ^ = < > <= ≤ ² ° % : ! ∪"
WORDS = "x C 0 1 12 ,345 .50 cm m june 20 or square dollars Paris no sqrt( e5 *10^ percent"
PIECES = [" ", *f"{LATEX} {SIGNS} {WORDS}".split(" ")]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30))
def test_normalize_is_idempotent(text):
    once = normalize(text)
    assert normalize(once) == once


@settings(max_examples=300, deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_canonical_numbers_are_idempotent_and_exact(a, b):
    shown = canonical_number(f"{a}/{b}")
    assert canonical_number(shown) == shown
    assert canonical_number(f"{3 * a}/{3 * b}") == shown


HOSTILE = {
    "nines": "9" * 10**6,
    "tower": "9**" * 333_333 + "9",
    "open braces": "{" * 10**6,
    "nested fractions": r"\frac{1}{" * 100_000 + "1" + "}" * 100_000,
    "boxes": r"\boxed{" * 140_000,
    "texts": r"\text{" * 160_000,
    "spaces": "1" + " " * 10**6 + "1",
    "commas": "1,111" * 200_000,
    "dollars": "$" * 10**6,
    "answer is": "answer is " * 100_000,
    "hashes": "#" * 10**6,
    "lines": "\n" * 10**6,
    "settling slowly": r"\boxed{" * 280 + "1" + "}" * 280,
    "just short enough": "(" * 999 + ")" * 999,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_costs_little(text):
    began = time.process_time()
    for function in (normalize, canonical_number, extract_final_answer, final_number):
        function(text)
    assert time.process_time() - began < 2
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{\frac{1}{2}} not \boxed{3}", "3"),
        (r"\boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("work 12\n#### 18\n", "18"),
        ("The answer is 5. No: the answer is 7.5.", "7.5"),
        ("Answer: Paris", "Paris"),
        ("**Answer:** 12", "12"),
        ("3 + 4 = 7", "7"),
        ("from 10-5", "5"),
        ("It is -5 degrees", "-5"),
        ("first\nParis\n\n", "Paris"),
        ("  \n ", None),
        (r"cut off \boxed{1", "1"),
    ],
)
def test_the_final_answer_is_found(text, answer):
    assert extract_final_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 + 7 = 12, so the answer is 12.", "12"),
        ("the answer is 5 + 7 = 12 apples.", "12"),
        ("the answer is $1,200.00.", "1200"),
        ("nothing here", None),
        ("the answer is unknown", None),
        ("#### 18", "18"),
    ],
)
def test_the_final_number_is_found(text, number):
    assert final_number(text) == number


@pytest.mark.parametrize("text", ["", "1/0", "12 apples", "x", "1.2.3", "--1", "9**9", "1e999", "٣"])
def test_what_is_no_number_has_no_canonical_number(text):
    assert canonical_number(text) is None
