"""Times of plain tables that stand in several columns of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.errors import ColumnMismatch
from loader.settings import Settings
from tests.support.golden import Loaded, taken_in

PRICES = "open,high,low,close"
BAR = "1,2,0.5,1.5"


def load(path: Path, header: str, rows: list[str], **options: Any) -> Loaded:
    path = path / "x.csv"
    path.write_text("\n".join([f"{header},{PRICES}", *(f"{row},{BAR}" for row in rows), ""]))
    said = {"provider": "p", "symbol": "KILO", "timezone": "UTC"} | options
    return taken_in(path, Settings(**said), 1_000)


def times(loaded: Loaded) -> list[str]:
    return [f"{bar[3]:%d %H:%M}" for bar in loaded.bars]


NIGHT = [f"{day},{hour}" for day in ("2024-07-01", "2024-07-02") for hour in range(4)]


@pytest.mark.parametrize("options", [{}, {"interval": "1h"}, {"columns": {"time_of_day": "hour"}}])
def test_a_date_and_an_hour(tmp_path: Path, options: dict[str, Any]) -> None:
    loaded = load(tmp_path, "date,hour", NIGHT, **options)
    assert times(loaded) == [f"{day} {hour:02}:00" for day in ("01", "02") for hour in range(4)]
    assert {bar[2] for bar in loaded.bars} == {"1h"}
    assert "times are made of 'hour'" in loaded.notes


def test_days_are_not_made_of_hours(tmp_path: Path) -> None:
    with pytest.raises(ColumnMismatch, match="one bar a day"):
        load(tmp_path, "date,hour", NIGHT, interval="1d")


def test_hours_up_to_24_are_ends(tmp_path: Path) -> None:
    rows = [f"2024-07-0{day},{hour}" for day in (1, 2) for hour in range(1, 25)]
    for options in ({}, {"stamp": "end"}):
        loaded = load(tmp_path, "date,hour", rows, **options)
        assert times(loaded) == [f"0{day} {hour:02}:00" for day in (1, 2) for hour in range(24)]


def test_minutes_and_parts_of_dates(tmp_path: Path) -> None:
    rows = [f"2024,7,1,{hour},{minute}" for hour in (9, 10) for minute in (0, 15, 30, 45)]
    loaded = load(tmp_path, "year,month,day,hour,minute", rows)
    assert times(loaded) == [
        "01 09:00", "01 09:15", "01 09:30", "01 09:45", "01 10:00", "01 10:15", "01 10:30",
        "01 10:45",
    ]  # fmt: skip
    assert {bar[2] for bar in loaded.bars} == {"15m"}
    days = load(tmp_path, "Year,Month,Day", [f"2024,07,{day:02}" for day in range(1, 6)])
    assert times(days) == ["01 00:00", "02 00:00", "03 00:00", "04 00:00", "05 00:00"]


@pytest.mark.parametrize(
    ("header", "rows", "first"),
    [
        ("date,hour", [f"2024-07-0{day},16" for day in range(1, 6)], "01 00:00"),
        ("timestamp,hour", [f"2024-07-01 0{hour}:30,{hour}" for hour in range(5)], "01 00:30"),
        ("date,time,hour", [f"2024-07-01,0{hour}:30,{hour}" for hour in range(5)], "01 00:30"),
    ],
)
def test_an_hour_that_adds_nothing(
    tmp_path: Path, header: str, rows: list[str], first: str
) -> None:
    loaded = load(tmp_path, header, rows)
    assert (len(loaded.bars), times(loaded)[0]) == (5, first)


@pytest.mark.parametrize(
    ("header", "cells", "first", "interval"),
    [
        ("date,Hour Ending", range(1, 6), "01 00:00", "1h"),
        ("date,hour", ["9:00", "10:00", "11:00"], "01 09:00", "1h"),
        ("date,hour", ["0930", "1000", "1030"], "01 09:30", "30m"),
        ("date,hour", ["9.0", "10.0", "11.0"], "01 09:00", "1h"),
        ("trade_date,hr", range(9, 13), "01 09:00", "1h"),
        ("date,minute_of_day", range(570, 576), "01 09:30", "1m"),
    ],
)
def test_other_ways_to_write_hours(
    tmp_path: Path, header: str, cells: list[Any], first: str, interval: str
) -> None:
    rows = [f"2024-07-0{day},{cell}" for day in (1, 2) for cell in cells]
    columns = {"ts": "trade_date"} if "trade" in header else {}
    loaded = load(tmp_path, header, rows, columns=columns)
    assert (times(loaded)[0], len(loaded.bars)) == (first, len(rows))
    assert {bar[2] for bar in loaded.bars} == {interval}


@pytest.mark.parametrize(
    ("header", "cells", "hint"),
    [
        ("date,candle_clock", ["09:30", "09:31", "09:32"], "--column time_of_day='candle_clock'"),
        ("date,half_hour", ["a", "b", "c"], "write 'half_hour' as times of day"),
    ],
)
def test_a_clock_that_is_not_read(tmp_path: Path, header: str, cells: list[str], hint: str) -> None:
    """One bar of three would be left, of the last row of each day."""
    rows = [f"2024-07-0{day},{cell}" for day in (1, 2, 3) for cell in cells]
    with pytest.raises(ColumnMismatch, match="may hold their times of day") as raised:
        load(tmp_path, header, rows, interval="1d")
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize("clock", ["093000", "93000"])
@pytest.mark.parametrize("date", ["20240704", "2024-07-04"])
def test_names_in_brackets(tmp_path: Path, clock: str, date: str) -> None:
    """As Finam writes them: <DATE> and <TIME> of six digits."""
    (tmp_path / "x.csv").write_text(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"
        f"KI,1,{date},{clock},10,11,9,10,5\nKI,1,{date},100000,10,11,9,10,6\n"
    )
    settings = Settings(provider="p", interval="30m", timezone="UTC")
    found = taken_in(tmp_path / "x.csv", settings, 1_000)
    assert times(found) == ["04 09:30", "04 10:00"]


@pytest.mark.parametrize(
    ("header", "rows", "interval", "first"),
    [
        ("year", ["2021", "2022", "2023", "2024"], "1y", "01 00:00"),
        ("year,month", ["2024,3", "2024,4", "2024,5", "2024,6"], "1mo", "01 00:00"),
        ("ts,year,month", [f"2024-03-0{day},2024,3" for day in (4, 5, 6, 7)], "1d", "04 00:00"),
    ],
)
def test_years_and_months_without_days(
    tmp_path: Path, header: str, rows: list[str], interval: str, first: str
) -> None:
    loaded = load(tmp_path, header, rows)
    assert times(loaded)[0] == first
    assert {bar[2] for bar in loaded.bars} == {interval}


def test_quarters_beside_years_are_not_read_as_years(tmp_path: Path) -> None:
    with pytest.raises(ColumnMismatch, match="no column for ts"):
        load(tmp_path, "year,quarter", ["2024,1", "2024,2", "2024,3", "2024,4"])
