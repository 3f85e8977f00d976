"""`--plot FILE`: pictures beside the tables of `coverage` and `revisions list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Ran
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
NAME = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def url(database_url: str) -> str:
    fetch(
        database_url,
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " SELECT 'p', 'ALFA', '1d', ts, 2, 2, 2, 2"
        " FROM generate_series('2024-03-01Z'::timestamptz, '2024-03-20Z', '1 day') ts",
    )
    fetch(
        database_url,
        "INSERT INTO bars_ohlcv_revisions (provider, symbol, interval, ts, old_open, old_high,"
        " old_low, old_close, new_open, new_high, new_low, new_close, revised_at)"
        " SELECT provider, symbol, interval, ts, 4, 4, 4, 4, 2, 2, 2, 2, '2024-04-01Z'"
        " FROM bars_ohlcv WHERE ts < '2024-03-11Z'",
    )
    return database_url


def test_coverage_as_svg_and_as_png(mdload: Mdload, url: str, tmp_path: Path) -> None:
    ran = mdload("coverage", "--plot", "c.svg", "--database", url)
    assert (ran.code, ran.err) == (0, "")
    assert "ALFA" in ran.out
    picture = ElementTree.parse(tmp_path / "c.svg").getroot()
    assert next(text.text for text in picture.iter(f"{NAME}text")) == "ALFA 1d p"
    assert "style" not in picture.attrib
    assert not [e for e in picture.iter() if e.tag in (f"{NAME}script", f"{NAME}image")]
    pytest.importorskip("resvg_py")
    ran = mdload("coverage", "--json", "--plot", "c.png", "--database", url)
    assert ran.json()[0]["bars"] == 20
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_revisions(mdload: Mdload, url: str, tmp_path: Path) -> None:
    ran = mdload("revisions", "list", "--limit", "3", "--json", "--plot", "r.svg",
                 "--database", url)  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    found = ran.json()
    assert (found["total"], len(found["revisions"])) == (10, 3)
    picture = ElementTree.parse(tmp_path / "r.svg").getroot()
    titles = [title.text for title in picture.iter(f"{NAME}title")]
    assert titles == [
        "10 bars from 2024-03-01 to 2024-03-10, known 2024-04-01 00:00Z: up to -5,000 bps"
    ]


def test_another_kind_of_file_is_refused(mdload: Mdload, url: str) -> None:
    ran = mdload("coverage", "--plot", "c.pdf", "--database", url)
    assert ran.code == 2
    assert "'c.pdf' is neither .svg nor .png" in ran.err
