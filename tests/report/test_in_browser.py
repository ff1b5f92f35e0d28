"""The page in a real browser: it draws, it fits, it works by keyboard, and nothing that a model wrote runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from perpend.report import write_report
from tests.report.hostile import PAYLOAD, hostile
from tests.report.synthetic import Shape, problems, results

CHROMIUM = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PATIENCE = 60_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@dataclass
class Visit:
    """A page that was opened, and what it said and asked for meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path) -> Visit:
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.body.dataset.charts === 'drawn'", timeout=PATIENCE)
        return self

    def open_browser(self) -> Page:
        self.page.locator("#samples").scroll_into_view_if_needed()
        self.page.wait_for_selector("#browser[data-ready]", timeout=PATIENCE)
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(results(), problems(), path)
    return path


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield Visit(page)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_draws_and_fits_without_a_complaint_or_a_request(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 850}, color_scheme=scheme)  # type: ignore[arg-type]
    visit = Visit(page).open(report)
    visit.open_browser()
    assert page.locator("figure").count() == page.locator("figure .chart svg").count() == 25
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "[...document.querySelectorAll('.chart svg')].every(s => s.getBoundingClientRect().width > 200)"
    )
    assert visit.complaints == []
    assert visit.requests == [report.as_uri()]
    page.close()


def test_charts_follow_the_colour_scheme_without_being_drawn_again(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    colour = "getComputedStyle(document.querySelector('.chart svg .role-axis-label text')).fill"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light


def test_axis_switch_draws_the_other_axis(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    figure = page.locator("figure.accuracy").first
    assert "tokens a question" in (figure.locator(".chart svg").text_content() or "")
    figure.get_by_role("radio", name="FLOPs").focus()
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('figure.accuracy').dataset.drawn === 'accuracy-flops'")
    assert "FLOPs a question" in (figure.locator(".chart svg").text_content() or "")


def test_legend_hides_a_strategy(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    figure = page.locator("figure.accuracy").first
    points = "document.querySelectorAll('figure.accuracy svg .mark-symbol path').length"
    before = page.evaluate(points)
    figure.get_by_role("button", name="majority").click()
    page.wait_for_function(f"{points} > 0 && {points} < {before}")


def test_numbers_behind_a_chart_can_be_shown(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    figure = page.locator("figure.accuracy").first
    figure.locator("summary").click()
    assert figure.locator("tbody tr").first.is_visible()


def test_the_ranking_shows_one_budget_at_a_time(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    ranking = page.locator(".ranking").first
    shown = ranking.locator("tbody:visible")
    assert shown.count() == 1
    assert shown.get_attribute("data-budget") == "4"
    ranking.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    assert shown.count() == 1
    assert shown.get_attribute("data-budget") == "0"
    assert ranking.locator("tbody:visible .dot").first.bounding_box()


def test_the_proxy_is_shown_for_the_strategy_chosen(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    figure = page.locator("figure.proxy").first
    line = "document.querySelector('figure.proxy svg .mark-line path')?.getAttribute('d')"
    before = page.evaluate(line)
    figure.get_by_role("radio").last.focus()
    page.keyboard.press("Space")
    page.wait_for_function(f"{line} && {line} !== {before!r}")


def test_browser_filters_and_sorts(visit: Visit, report: Path) -> None:
    visit.open(report)
    page = visit.open_browser()
    page.select_option("select[name=task]", "countdown")
    page.wait_for_function("document.querySelector('.count').textContent.startsWith('40 problems')")
    page.select_option("select[name=outcome]", "none")
    page.wait_for_function("!document.querySelector('.count').textContent.startsWith('40 problems')")
    assert set(page.locator(".sample .mark").all_inner_texts()) == {"– no answer"}
    page.select_option("select[name=outcome]", "")
    page.select_option("select[name=sort]", "hard")
    page.wait_for_function("document.querySelector('.row .share').textContent.startsWith('0/16')")
    page.fill("input[name=search]", "countdown-0007")
    page.wait_for_function("document.querySelector('.count').textContent.startsWith('1 problem')")
    assert page.locator(".detail h4").inner_text() == "countdown-0007"


def test_browser_is_used_by_keyboard_alone(visit: Visit, report: Path) -> None:
    visit.open(report)
    page = visit.open_browser()
    page.locator(".list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator(".detail h4").inner_text() == "arithmetic-0002"
    page.keyboard.press("End")
    assert page.locator(".detail h4").inner_text() == "countdown-0039"
    assert page.locator("[aria-selected=true]").get_attribute("aria-posinset") == "120"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "detail"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "list"


def test_nothing_that_anyone_wrote_runs(visit: Visit, tmp_path: Path) -> None:
    write_report(*hostile(), tmp_path / "report.html")
    visit.open(tmp_path / "report.html")
    page = visit.open_browser()
    page.locator(".detail .prompt summary").click()
    page.locator("figure.accuracy svg .mark-symbol path").first.hover(force=True)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img").count() == 0
    assert PAYLOAD.replace("\u2028", "") in page.locator(".sample pre").first.inner_text().replace("\u2028", "")
    assert visit.complaints == []
    assert len(visit.requests) == 1


def test_browser_opens_and_filters_twenty_thousand_samples(visit: Visit, tmp_path: Path) -> None:
    shape = Shape(tasks=("arithmetic", "countdown"), problems=10)
    many = problems(Shape(tasks=("arithmetic", "countdown"), problems=625), samples=15, text="Then we check it. " * 40)
    assert sum(len(p.samples) for p in many) == 20_000
    write_report(results(shape), many, tmp_path / "report.html")
    visit.open(tmp_path / "report.html")
    page = visit.open_browser()
    assert page.locator(".list .row").count() < 60
    page.fill("input[name=search]", "countdown-0624")
    page.wait_for_function("document.querySelector('.count').textContent.startsWith('1 problem')", timeout=10_000)
    page.fill("input[name=search]", "")
    page.select_option("select[name=outcome]", "right")
    page.wait_for_function("document.querySelectorAll('.list .row').length > 5", timeout=10_000)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(tasks=("countdown",), sizes=(1,)), Shape(stopping=False), Shape(probes=True, hacked=True),
        Shape(problems=0), Shape(latency=False, flops=False, unbounded=True),
        Shape(long_names=True, engines=("small", "large"), priced=True, simulated=True),
        Shape(tasks=tuple(f"task_{i}" for i in range(20)), problems=8, sizes=(1, 4)),
    ],
    ids=["N = 1 only", "nothing stops", "probes", "nothing complete", "unbounded", "long names", "twenty tasks"],
)  # fmt: skip
def test_odd_studies_fit_a_phone(browser: Browser, tmp_path: Path, shape: Shape) -> None:
    write_report(results(shape), problems(shape), tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 850})
    visit = Visit(page).open(tmp_path / "report.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert visit.complaints == []
    page.close()


def test_paper_has_the_charts_and_not_the_browser(visit: Visit, report: Path) -> None:
    page = visit.open(report).page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("figure .chart svg").first.is_visible()
    assert not page.locator("#browser").is_visible()
    assert page.locator("#samples .paper").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()") == "#1b1d22"
    page.set_viewport_size({"width": 700, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert len(page.pdf()) > 50_000
