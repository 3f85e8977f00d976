"""The page in Chromium, which has no network: what a person sees, and what they can do.

Screenshots go to `MDLOAD_TEST_SCREENSHOTS` if that names a folder, for people to look at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.survey.report import Report
from tests.conftest import database
from tests.support.browser import chromium, opened
from tests.support.made_store import fill
from tests.support.sql import fetch
from tests.survey.test_report_gathered import TODAY, report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("jinja2")
pytestmark = pytest.mark.filterwarnings("ignore:Series.values:Warning")

PAGES = ("overview", "coverage", "vintages", "runs", "rejects", "series", "compare")
#: How many pictures, tables and controls of a page have no name.
UNNAMED = """id => ["svg.pic", "table.t", "input", "button"]
    .flatMap(kind => [...document.querySelectorAll(`#${id} ${kind}`)])
    .filter(e => !(e.getAttribute("aria-label") || (e.caption || e).textContent.trim())).length"""
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def made(server_url: str, template: str) -> Iterator[str]:
    with database(server_url, template) as url:
        fill(url, TODAY)
        yield url


@pytest.fixture(scope="module")
def shown(made: str) -> Report:
    from loader.store.versions.instants import Instant
    from tests.survey.test_report_gathered import NOW

    (pin,) = fetch(made, "SELECT name, known_at, load_id FROM bars_pins")
    return report(made, against=Instant(*pin, pin=pin[0]), now=NOW)


@pytest.fixture(scope="module")
def page(shown: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from loader.survey.report.page import render

    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(shown), encoding="utf-8")
    return path


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("MDLOAD_TEST_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def rows(page: Page, caption: str) -> list[list[str]]:
    """The cells of the visible rows of a table."""
    found: list[list[str]] = page.evaluate(
        """caption => {
          const table = [...document.querySelectorAll("table.t")]
            .find(t => t.caption.textContent.trim().startsWith(caption));
          return [...table.tBodies[0].rows].filter(r => !r.hidden)
            .map(r => [...r.cells].map(c => c.textContent.trim()));
        }""",
        caption,
    )
    return found


def go(page: Page, name: str) -> None:
    page.click(f"nav a[href='#{name}']")
    page.wait_for_selector(f"#{name}.now")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_all_pages_open_without_errors_and_without_sideways_scrolling(
    browser: Browser, page: Path, scheme: str, size: dict[str, Any]
) -> None:
    with opened(browser, page, color_scheme=scheme, **size) as (shown, wrong):
        for name in PAGES:
            go(shown, name)
            assert shown.locator("main > section:visible").count() == 1
            assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            width = size["viewport"]["width"]
            picture(shown, f"{name}-{scheme}-{width}")
        go(shown, "overview")
        shown.evaluate(
            "document.querySelectorAll('#overview .figure b')[1].textContent = '1,234,567,890'"
        )
        high = "[...document.querySelectorAll('#overview .figure b')].map(b => b.offsetHeight)"
        assert len(set(shown.evaluate(high))) == 1  # a long number stays on one line
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 22, 27)")
        assert not wrong


def test_without_javascript_every_page_is_there(browser: Browser, page: Path) -> None:
    with opened(browser, page, java_script_enabled=False, **WIDE) as (shown, wrong):
        for name in PAGES:
            assert shown.locator(f"#{name} h2").is_visible()
        assert shown.locator("#vintages svg.pic").first.is_visible()
        assert shown.locator("#runs table.t").first.is_visible()
        assert shown.locator(".tools").count() == 0
        shown.locator("#coverage summary").first.click()
        assert shown.locator("#coverage details[open] svg.st").first.is_visible()
        picture(shown, "without-javascript")
        assert not wrong


def test_the_numbers_are_those_of_the_database(browser: Browser, page: Path, made: str) -> None:
    with opened(browser, page, **WIDE) as (shown, _):
        figures = dict(shown.evaluate(
            "[...document.querySelectorAll('#overview .figure')].map(f =>"
            " [f.querySelector('dt').textContent, f.querySelector('b').textContent])"))  # fmt: skip
        ((bars, series),) = fetch(
            made, "SELECT count(*), count(DISTINCT (provider, symbol, interval)) FROM bars_ohlcv"
        )
        ((runs, rejected),) = fetch(made, "SELECT count(*), sum(rows_failed) FROM job_runs")
        ((changed,),) = fetch(made, "SELECT count(*) FROM bars_ohlcv_revisions")
        assert {name: figures[name] for name in ("Bars", "Series", "Runs", "Rows rejected",
                                                 "Bars changed")} == {
            "Bars": f"{bars:,}", "Series": f"{series:,}", "Runs": f"{runs:,}",
            "Rows rejected": f"{rejected:,}", "Bars changed": f"{changed:,}",
        }  # fmt: skip
        listed = [row for group in ("polygon 1d", "polygon 1m", "tiingo 1d")
                  for row in rows(shown, f"Series of {group}")]  # fmt: skip
        stored = fetch(
            made,
            "SELECT symbol, count(*) FROM bars_ohlcv GROUP BY provider, interval, symbol"
            " ORDER BY provider, interval, symbol",
        )
        assert [(row[0], row[4]) for row in listed] == [(s, f"{n:,}") for s, n in stored]
        told = fetch(made, "SELECT id, job_name, status, rows_read FROM job_runs ORDER BY id")
        seen = sorted((int(r[0]), r[1], r[2], r[5]) for r in rows(shown, "Runs"))
        assert seen == [
            (i, job, "stuck" if s == "running" else s, f"{n:,}") for i, job, s, n in told
        ]


def test_tables_sort_by_a_click_and_by_the_keyboard(browser: Browser, page: Path) -> None:
    with opened(browser, page, **WIDE) as (shown, wrong):
        go(shown, "runs")
        head = shown.locator("#runs table.t").first.locator("th", has_text="read")
        head.locator("button").click()
        read = [int(row[5].replace(",", "")) for row in rows(shown, "Runs")]
        assert read == sorted(read, reverse=True)
        assert head.get_attribute("aria-sort") == "descending"
        head.locator("button").focus()
        shown.keyboard.press("Enter")
        read = [int(row[5].replace(",", "")) for row in rows(shown, "Runs")]
        assert read == sorted(read)
        assert head.get_attribute("aria-sort") == "ascending"
        took = shown.locator("#runs table.t").first.locator("th", has_text="took")
        took.locator("button").click()
        values = shown.evaluate(
            "[...document.querySelector('#runs table.t').tBodies[0].rows]"
            ".map(r => r.cells[4].dataset.v).filter(v => v !== undefined).map(Number)"
        )
        assert values == sorted(values, reverse=True)
        assert rows(shown, "Runs")[-1][4] == "-"  # of the run that has not ended
        assert not wrong


def test_tables_filter_by_words(browser: Browser, page: Path, made: str) -> None:
    with opened(browser, page, **WIDE) as (shown, wrong):
        go(shown, "runs")
        shown.get_by_label("Filter: Runs, those with trouble first").fill("NIGHTLY-daily failure")
        ((many,),) = fetch(
            made,
            "SELECT count(*) FROM job_runs WHERE job_name = 'nightly-daily' AND status = 'failure'",
        )
        assert len(rows(shown, "Runs")) == many > 0
        assert shown.locator("#runs output").first.text_content() == f"{many} of 150"
        shown.get_by_label("Filter: Runs, those with trouble first").fill("")
        assert len(rows(shown, "Runs")) == 150
        assert not wrong


def test_values_are_shown_beside_the_pointer(browser: Browser, page: Path) -> None:
    with opened(browser, page, **WIDE) as (shown, wrong):
        go(shown, "vintages")
        shown.locator("#vintages svg.pic rect").first.hover()
        told = shown.locator("#tip").text_content()
        assert re.match(r"[\d,]+ bars from \d{4}-\d\d-\d\d to .*known .*bps", told or ""), told
        go(shown, "coverage")
        shown.locator("#coverage summary").first.click()
        shown.locator("#coverage details[open] svg.st path").first.hover()
        told = shown.locator("#tip").text_content()
        assert re.match(r"\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d: \w+", told or ""), told
        assert not wrong


def test_pictures_zoom_by_buttons_and_by_keys(browser: Browser, page: Path) -> None:
    with opened(browser, page, **WIDE) as (shown, wrong):
        go(shown, "vintages")
        picture_ = shown.locator("#vintages svg.zoom").first
        before = picture_.get_attribute("viewBox")
        shown.locator("#vintages").get_by_label("Zoom in").first.click()
        nearer = picture_.get_attribute("viewBox")
        assert float((nearer or "").split()[2]) < float((before or "").split()[2])
        picture_.focus()
        shown.keyboard.press("ArrowLeft")
        assert picture_.get_attribute("viewBox") != nearer
        shown.keyboard.press("0")
        assert picture_.get_attribute("viewBox") == before
        assert not wrong


def test_links_lead_to_the_run_that_they_name(browser: Browser, page: Path) -> None:
    with opened(browser, page, **WIDE) as (shown, wrong):
        go(shown, "vintages")
        link = shown.locator("#vintages table.t a[href^='#run-']").first
        target = link.get_attribute("href")
        link.click()
        shown.wait_for_selector("#runs.now")
        assert shown.locator(f"{target}").is_visible()
        shown.go_back()
        shown.wait_for_selector("#vintages.now")
        assert not wrong


def test_the_keyboard_scrolls_wide_pictures(browser: Browser, page: Path) -> None:
    """Each box that scrolls can be reached, and has a name: with JavaScript and without."""
    for scripted in (True, False):
        with opened(browser, page, java_script_enabled=scripted, **NARROW) as (shown, _):
            boxes = shown.locator(".pan, .scroll").element_handles()
            assert len(boxes) > 10
            for box in boxes:
                assert box.get_attribute("role") == "region"
                assert box.get_attribute("aria-label")
                inside = box.query_selector("svg[tabindex='0']") if scripted else None
                assert inside or box.get_attribute("tabindex") == "0"
                assert not (inside and box.get_attribute("tabindex")), "two stops for one picture"


def test_it_prints_all_pages_on_a_light_ground(browser: Browser, page: Path) -> None:
    with opened(browser, page, color_scheme="dark", **WIDE) as (shown, _):
        shown.emulate_media(media="print")
        assert shown.locator("main > section:visible").count() == len(PAGES)
        ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"


def test_a_screen_reader_finds_names(browser: Browser, page: Path) -> None:
    with opened(browser, page, **WIDE) as (shown, _):
        assert shown.locator("nav a[aria-current=page]").text_content() == "Overview"
        for name in PAGES:
            go(shown, name)
            unnamed = shown.evaluate(UNNAMED, name)
            assert unnamed == 0
