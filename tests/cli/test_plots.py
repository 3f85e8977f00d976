"""`--plot FILE`: pictures beside the tables of `coverage` and `revisions list`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loader.cli.plot import _png
from loader.errors import SettingsError
from loader.survey.pictures.vintages import triangle
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


def test_coverage_as_svg_and_as_png(forked: Mdload, url: str, tmp_path: Path) -> None:
    ran = forked("coverage", "--plot", "c.svg", "--database", url)
    assert (ran.code, ran.err) == (0, "")
    assert "ALFA" in ran.out
    picture = ElementTree.parse(tmp_path / "c.svg").getroot()
    assert next(text.text for text in picture.iter(f"{NAME}text")) == "ALFA 1d p"
    assert "style" not in picture.attrib
    assert not [e for e in picture.iter() if e.tag in (f"{NAME}script", f"{NAME}image")]
    pytest.importorskip("resvg_py")
    ran = forked("coverage", "--json", "--plot", "c.png", "--database", url)
    assert ran.json()[0]["bars"] == 20
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_revisions(forked: Mdload, url: str, tmp_path: Path) -> None:
    ran = forked("revisions", "list", "--limit", "3", "--json", "--plot", "r.svg",
                 "--database", url)  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    found = ran.json()
    assert (found["total"], len(found["revisions"])) == (10, 3)
    picture = ElementTree.parse(tmp_path / "r.svg").getroot()
    titles = [title.text for title in picture.iter(f"{NAME}title")]
    assert titles == [
        "10 bars from 2024-03-01 to 2024-03-10, known 2024-04-01 00:00Z: up to -5,000 bps"
    ]


def test_another_kind_of_file_is_refused(forked: Mdload, url: str) -> None:
    ran = forked("coverage", "--plot", "c.pdf", "--database", url)
    assert ran.code == 2
    assert "'c.pdf' is neither .svg nor .png" in ran.err


def test_a_machine_without_fonts_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words would be missing from the picture, and nobody told."""
    resvg = pytest.importorskip("resvg_py")
    with_fonts = _png('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    assert with_fonts.startswith(b"\x89PNG\r\n")
    without = partial(resvg.svg_to_bytes, skip_system_fonts=True)
    monkeypatch.setattr(resvg, "svg_to_bytes", without)
    with pytest.raises(SettingsError, match="need a font, and this machine has none"):
        _png('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')


def test_bars_that_moved_in_time_have_a_colour_of_their_own() -> None:
    begin = datetime(2024, 3, 4, tzinfo=UTC)
    day = timedelta(days=1)
    marks = [
        {"bin": begin + n * day, "known_at": begin + known * day, "bars": 2, "bps": 40.0,
         "moved": known == 20}
        for known in (10, 20) for n in range(3)
    ]  # fmt: skip
    drawn = ElementTree.fromstring(str(triangle(marks, day, "changes")))
    titles = {rect.attrib["class"]: rect[0].text for rect in drawn if len(rect)}
    assert titles == {
        "p2": "6 bars from 2024-03-04 to 2024-03-06, known 2024-03-14 00:00Z: up to +40 bps",
        "zs": "6 bars from 2024-03-04 to 2024-03-06, known 2024-03-24 00:00Z: up to +40 bps, "
              "moved in time",
    }  # fmt: skip
