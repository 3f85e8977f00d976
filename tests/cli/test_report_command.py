"""`mdload report`: the page and its data, from the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.support.sql import fetch

pytest.importorskip("jinja2")
Mdload = Callable[..., Ran]
DAYS = (
    "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
    " SELECT 'p', 'ALFA', '1d', ts, 1, 2, 1, 2 FROM unnest("
    "'{2024-03-04,2024-03-05,2024-03-06,2024-03-08}'::timestamptz[]) ts"
)


def test_the_page_and_its_data(mdload: Mdload, database_url: str, tmp_path: Path) -> None:
    fetch(database_url, DAYS)
    pin = "INSERT INTO bars_pins (name, known_at, load_id) VALUES ('before', '2020-01-01', 0)"
    fetch(database_url, pin)
    (tmp_path / "report.html").write_text("what was there")
    asked = ("--calendar", "XNYS", "--diff", "before", "--series", "alfa", "--until", "2024-03-08")
    ran = mdload("report", "--to", "report.html", "--json", *asked, "--database", database_url)
    assert (ran.code, ran.err) == (0, "")
    found = ran.json()
    (series,) = found["coverage"]["series"]
    assert (series["bars"], series["expected"], series["missing"]) == (4, 5, 1)
    assert series["states"] == "FFFMF"
    assert (found["compare"]["label"], found["compare"]["added"]) == ("before", 4)
    assert [bar["ts"] for bar in found["series"][0]["bars"]] == [
        f"2024-03-{day:02}T00:00:00Z" for day in (4, 5, 6, 8)
    ]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == [
        "report.html"
    ]  # nothing is left beside it

    piped = mdload("report", "--to", "-", "--database", database_url)
    assert piped.out.startswith("<!doctype html>")


def test_what_cannot_be(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    fetch(database_url, DAYS)
    on = ("--database", database_url)
    ran = forked("report", *on)
    assert ran.code == 2
    assert "name the file, --to report.html, or ask for --json" in ran.err
    ran = forked("report", "--to", "nowhere/report.html", *on)
    assert ran.code == 2
    assert "nowhere/report.html cannot be written" in ran.err
    ran = forked("report", "--json", "--series", "NOPE", *on)
    assert ran.code != 0
    assert "no series 'NOPE' is stored" in ran.err


def test_without_the_extra_json_is_left(mdload: Mdload, database_url: str, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "jinja2.py").write_text("raise ImportError('no jinja2 here')")
    env = {"PYTHONPATH": os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")])}
    ran = mdload("report", "--to", "r.html", "--database", database_url, env=env)
    assert ran.code == 2
    assert "pip install 'mdload[report]'" in ran.err
    assert not (tmp_path / "r.html").exists()
    ran = mdload("report", "--json", "--database", database_url, env=env)
    assert json.loads(ran.out)["overview"]["series"] == 0
