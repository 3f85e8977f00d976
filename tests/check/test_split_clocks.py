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
