"""Chromium without a window, cut off from every network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, path: Any, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong on it: errors of the console and of scripts, and requests for
    anything but the file itself. `context` as `Browser.new_context` takes it."""
    wrong: list[str] = []
    own = browser.new_context(offline=True, **context)
    page = own.new_page()
    page.on("console", lambda said: wrong.append(said.text) if said.type != "log" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: wrong.append(asked.url) if not _own(asked.url, path) else None)
    try:
        page.goto(f"file://{path}")
        yield page, wrong
    finally:
        own.close()


def _own(url: str, path: Any) -> bool:
    return url == f"file://{path}" or url.startswith((f"file://{path}#", "data:,"))
