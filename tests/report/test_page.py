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
from perpend.report.ranking import scale
from perpend.study.results import Estimate, Ranked, Ranking, Results
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
    "nothing stops": Shape(stopping=False),
    "probes, two engines": Shape(probes=True, engines=("small", "large")),
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
    assert len(render(results(Shape(tasks=("a", "b", "c", "d"))), [])) < 2_000_000


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


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def rows_of(page: str, figure: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(read(page).scripts["figures-data"])["figures"][figure]["rows"]
    return found


def test_every_budget_has_its_ranking_with_costs_and_the_difference_from_the_first() -> None:
    shape = Shape(tasks=("arithmetic",), priced=True)
    page = render(results(shape), [])
    (task,) = results(shape).tasks
    assert [page.count(f'data-budget="{i}"') for i in range(6)] == [1, 1, 1, 1, 1, 0]
    ranking = words(page.partition("Ranking at equal budget")[2].partition('class="figures"')[0])
    first, second = task.rankings[-1].rows[:2]
    assert f"{100 * first.accuracy.value:.1f}" in ranking  # type: ignore[operator]
    assert f"{100 * second.behind.value:+.1f}".replace("-", "−") in ranking  # type: ignore[union-attr, operator]
    assert f"${1000 * first.usd:.3g}" in ranking  # type: ignore[operator]
    assert "US dollars" not in render(results(Shape(tasks=("arithmetic",))), []).partition("Ranking at")[2][:4000]


def test_a_ranking_is_drawn_to_scale() -> None:
    found = scale([Ranking(budget=1.0, rows=[ranked(0.3, 0.22, 0.41), ranked(0.6, 0.5, 0.68)])])
    assert (found.low, found.high) == pytest.approx((0.2, 0.7))
    assert [found.along(value) for value in (0.2, 0.45, 0.7)] == ["0.00%", "50.00%", "100.00%"]


def ranked(value: float, low: float, high: float) -> Ranked:
    accuracy = Estimate(value=value, low=low, high=high)
    return Ranked(
        engine="e", strategy="majority", n=1, accuracy=accuracy, behind=None, samples=1, tokens=None, usd=None
    )


def test_stopping_says_what_each_certificate_may_claim() -> None:
    page = render(results(Shape(tasks=("arithmetic",))), [])
    stopping = words(page.partition('id="stopping"')[2].partition("A vote as it ran")[0])
    assert "anytime-valid, δ = 0.05" in stopping.partition("martingale")[2][:200]
    assert "heuristic" in stopping.partition("adaptive_consistency")[2][:200]
    assert 'href="#stopping"' in page


def test_without_anything_to_say_on_stopping_there_is_no_section() -> None:
    page = render(results(Shape(problems=0)), [])
    assert 'id="stopping"' not in page
    assert 'href="#stopping"' not in page


def test_a_vote_as_it_ran_marks_the_right_answer_and_where_rules_stop() -> None:
    page = render(results(Shape(tasks=("arithmetic",))), [])
    rows = rows_of(page, "t0-arithmetic-race-0")
    assert {row["answer"] for row in rows if row.get("colour") == "right"} == {"41 ✓"}
    assert [(row["n"], row["rules"]) for row in rows if row["kind"] == "stop"] == [(14, "adaptive_consistency")]
    assert "the one whose lead changes most often" in page
    last = sorted(float(str(row["label_at"])) for row in rows if row.get("last"))
    assert all(b - a >= 0.059 for a, b in pairwise(last)), "labels do not cover one another"


@pytest.mark.parametrize(("hacked", "marked"), [(True, True), (False, False)])
def test_the_best_n_is_marked_only_where_the_fall_after_it_is_beyond_chance(hacked: bool, marked: bool) -> None:
    page = render(results(Shape(tasks=("arithmetic",), hacked=hacked)), [])
    assert any(row["peak"] for row in rows_of(page, "t0-arithmetic-proxy")) is marked
    assert ("here nowhere" in page) is not marked


def test_width_and_depth_are_drawn_where_there_are_probes() -> None:
    rows = rows_of(render(results(Shape(tasks=("arithmetic",), probes=True)), []), "t0-arithmetic-depth")
    assert len(rows) == 8 * 5
    assert "Width and depth" not in render(results(), [])


def test_labels_on_the_frontier_keep_apart_and_the_best_point_has_one() -> None:
    shape = Shape(tasks=("arithmetic",), sizes=tuple(range(1, 33)))
    rows = [row for row in rows_of(render(results(shape), []), "t0-arithmetic-frontier") if row["frontier"]]
    labelled = [row for row in rows if row["label"]]
    assert 1 < len(labelled) < len(rows) / 2
    assert max(rows, key=lambda row: float(str(row["accuracy"]))) in labelled
