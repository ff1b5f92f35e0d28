"""The page as text: it is one file, it escapes, and it says what it must."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from perpend.report import render, write_report
from perpend.study.results import Results
from tests.report.hostile import PAYLOAD, hostile
from tests.report.synthetic import Shape, problems, results

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
LOADS = {"src", "srcset", "poster", "background", "action", "formaction", "xlink:href", "data"}


class Reader(HTMLParser):
    """Checks nesting; keeps elements with their attributes, and the text of scripts by id."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            name = next(a for t, a in reversed(self.elements) if t == "script").get("id") or "code"
            self.scripts[name] = self.scripts.get(name, "") + data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


SHAPES = {
    "three tasks": Shape(),
    "one task": Shape(tasks=("arithmetic",)),
    "N = 1 only": Shape(sizes=(1,)),
    "no latency": Shape(latency=False),
    "no FLOPs": Shape(flops=False),
    "no upper bounds": Shape(unbounded=True),
    "nothing complete": Shape(problems=0),
    "long names, two engines": Shape(long_names=True, engines=("small", "large"), priced=True),
    "twenty tasks": Shape(tasks=tuple(f"task {i}" for i in range(20)), problems=8, sizes=(1, 4)),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_study_gives_a_well_formed_page(shape: Shape) -> None:
    page = render(results(shape), problems(shape))
    reader = read(page)
    ids = [a["id"] for _, a in reader.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for t, a in reader.elements if t == "a" and str(a.get("href")).startswith("#")}
    assert targets <= set(ids)
    assert len(page) < 5_000_000


def test_nothing_is_loaded_from_anywhere() -> None:
    reader = read(render(results(), problems()))
    assert not [(t, a) for t, a in reader.elements if LOADS & a.keys() or t in {"link", "iframe", "base", "object"}]
    style = re.search(r"<style>(.*?)</style>", render(results(), []), re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_policy_allows_only_the_scripts_of_the_page() -> None:
    reader = read(render(results(), problems()))
    policy = next(a["content"] or "" for t, a in reader.elements if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 3
    assert "script-src 'unsafe-inline'" not in policy


def test_hostile_text_makes_no_element() -> None:
    clean, dirty = read(render(results(), problems())), read(render(*hostile()))
    assert not [t for t, a in dirty.elements if t == "img" or any(name.startswith("on") for name in a)]
    assert {t for t, _ in dirty.elements} <= {t for t, _ in clean.elements}
    assert len([t for t, _ in dirty.elements if t == "script"]) == 5


def test_hostile_text_survives_as_text() -> None:
    reader = read(render(*hostile()))
    unpacked = json.loads(gzip.decompress(base64.b64decode(reader.scripts["samples-data"])))
    assert PAYLOAD in unpacked["problems"][0]["samples"]["text"][0]
    rows = next(iter(json.loads(reader.scripts["figures-data"])["figures"].values()))["rows"]
    assert PAYLOAD in rows[0]["name"]


def test_results_can_be_taken_out_again() -> None:
    reader = read(render(results(), []))
    link = next(a for _, a in reader.elements if a.get("download") == "results.json")
    raw = base64.b64decode((link["href"] or "").partition(",")[2])
    assert Results.model_validate_json(raw) == results()


def test_same_input_gives_the_same_page() -> None:
    assert render(results(), problems()) == render(results(), problems())


def test_bundle_is_there_once() -> None:
    assert len(render(results(Shape(tasks=("a", "b", "c", "d"))), [])) < 1_700_000


@pytest.mark.parametrize(("simulated", "found"), [(True, True), (False, False)])
def test_a_simulated_engine_is_announced(simulated: bool, found: bool) -> None:
    assert ("<strong>SIMULATED.</strong>" in render(results(Shape(simulated=simulated)), [])) is found


def test_summary_says_how_many_problems_and_that_replay_is_not_exact() -> None:
    page = render(results(), problems())
    assert "40 of 48 of <b>countdown</b>" in page
    assert "replay is not exact" in page


def test_oracles_are_labelled_and_never_advised() -> None:
    page = render(results(), problems())
    assert "oracle – not deployable" in page
    advice = page[page.index('class="advice"') : page.index("What the figures rest on")]
    assert "coverage" not in advice


def test_nothing_unmeasured_is_offered_as_an_axis() -> None:
    page = render(results(Shape(latency=False, flops=False)), [])
    assert "Not measured: FLOPs, Latency, Dollars" in page
    assert "<span>FLOPs</span>" not in page


def test_a_headline_leaves_out_what_some_tasks_lack() -> None:
    assert "Left out, since not every task has it: best_of_n(verifier=check)" in render(results(), [])


def test_levels_of_headings_are_not_skipped() -> None:
    levels = [int(t[1]) for t, _ in read(render(results(), problems())).elements if re.fullmatch(r"h[1-6]", t)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_report(results(), problems(), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("perpend.report.page.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(results(Shape(problems=0)), [], path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_plan_stands_beside_what_came_of_it() -> None:
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(results(Shape(priced=True)), [])))
    plan = page.partition("Plan and actual")[2]
    assert "the whole study 16 2,040 2,040 1.1 M 300,000 $0.8 $0.2 – 30 min 43 s" in plan
    assert "upper bound: made up" in plan
    assert "Plan and actual" not in render(results().model_copy(update={"plan": None}), [])


def test_queueing_and_retries_are_told_apart_from_work() -> None:
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(results(), [])))
    assert "embedded worked 1 h 21 min on 2,040 samples" in page
    assert "1 min 22 s for room in the budget" in page
    assert "12 after they were lost, 31 after 429" in page
