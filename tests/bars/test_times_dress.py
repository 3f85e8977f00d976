"""What stands around times in their cells: weekdays, zones, abbreviations, lone midnights."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from loader.bars.times import stamps
from loader.bars.times.plan import plan
from loader.bars.times.settle import settled
from loader.bars.times.zones import Zone
from loader.errors import ColumnMismatch


def utc(texts: list[Any], zone: str | None = None, time_format: str | None = None) -> list[Any]:
    """The starts of intraday bars, naive in UTC."""
    frame = pl.DataFrame({"ts": texts})
    made, _ = plan(frame, ("ts",), time_format, "file.csv")
    written = stamps.read(stamps.cells(frame, made), made)
    made, _ = settled(
        made, written, pl.Series(["1m"] * len(texts)), daily=pl.Series([False] * len(texts)),
        zone=None if zone is None else Zone(zone),
        asked=zone is not None, own_zone=None, are_ends=False, where="file.csv",
    )  # fmt: skip
    starts = stamps.starts(written, made, False).ts
    return [each and each.replace(tzinfo=None) for each in starts]


HALF_PAST = datetime(2024, 1, 2, 14, 30)


@pytest.mark.parametrize(
    "text",
    [
        "Tue Jan 02 2024 09:30:00 GMT-0500 (Eastern Standard Time)",
        "Tue, 02 Jan 2024 14:30:00 GMT",
        "Tue, 02 Jan 2024 09:30:00 -0500",
        "Tuesday, 02 January 2024 09:30:00 EST",
        "Tue Jan  2 14:30:00 UTC 2024",
        "Tue Jan  2 09:30:00 EST 2024",
        "2024-01-02T09:30-05:00[America/New_York]",
        "20240102 09:30:00 US/Eastern",
        "2024-01-02 09:30:00 America/New_York",
        "2024-01-02 9:30 AM ET",
        "02.01.2024 15:30:00.000 GMT+0100",
        "2024-01-02 22:30:00 UTC+8",
        "2024-01-02 23:30:00 JST",
        "2024-Jan-02 14:30:00Z",
        "1/2/2024, 9:30:00 AM EST",
    ],
)
def test_a_cell_that_says_its_zone(text: str) -> None:
    later = "1/13/2024, 9:30:00 AM EST" if text.startswith("1/2") else text
    assert utc([text, later])[0] == HALF_PAST


def test_abbreviations_of_summer_and_winter_and_the_hour_between_them() -> None:
    texts = ["2024-01-02 09:30 EST", "2024-07-02 09:30 EDT"]
    assert utc(texts) == [HALF_PAST, datetime(2024, 7, 2, 13, 30)]
    twice = ["2024-11-03 01:30 EDT", "2024-11-03 01:30 EST", "2024-11-03 03:30 EST"]
    assert [each.hour for each in utc(twice)] == [5, 6, 8]
    assert utc(["2024-01-02 09:30 CST", "2024-07-02 09:30 CDT"])[0].hour == 15


def test_an_abbreviation_out_of_its_season_is_asked_about() -> None:
    texts = ["2024-01-02 09:30 EST", "2024-07-02 09:30 EST"]
    with pytest.raises(ColumnMismatch, match="end with 'EST' also where") as raised:
        utc(texts)
    assert "%Z' --timezone America/New_York" in str(raised.value.hint)
    found = utc(texts, "America/New_York", "%Y-%m-%d %H:%M %Z")
    assert found == [HALF_PAST, datetime(2024, 7, 2, 13, 30)]


def test_an_abbreviation_of_several_places_is_asked_about() -> None:
    with pytest.raises(ColumnMismatch, match="'CST', which is not the name of one zone"):
        utc(["2024-01-02 09:30 CST"] * 2)


def test_zones_may_differ_by_row_and_an_hour_shown_twice_is_null() -> None:
    texts = ["2024-01-02 09:30 Europe/London", "2024-01-02 23:30 Asia/Tokyo"]
    assert [each.hour for each in utc(texts)] == [9, 14]
    assert utc(["2024-11-03 01:30 US/Eastern"] * 2) == [None, None]


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("%Y%m%d%H%M%S%f", "20240102143000000"),
        ("%Y%m%d %H:%M:%S:%f", "20240102 14:30:00:000000"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-01-02 14:30:00.000"),
        ("%d/%m/%Y %H:%M:%S,%f", "02/01/2024 14:30:00,0"),
        ("%Y%m%d%H%M%S%3f", "20240102143000000"),
        ("%Y-%m-%d %H:%M %Z", "2024-01-02 14:30 WET"),
        ("excel", "45293.604166667"),
    ],
)
def test_formats_are_those_of_strptime(
    time_format: str, text: str, recwarn: pytest.WarningsRecorder
) -> None:
    assert utc([text, text], "UTC", time_format)[0] == HALF_PAST
    assert not recwarn.list


def test_a_fraction_of_a_persons_format_is_read_from_the_left() -> None:
    found = utc(["2024-01-02 14:30:00:5"] * 2, "UTC", "%Y-%m-%d %H:%M:%S:%f")
    assert found[0] == HALF_PAST.replace(microsecond=500_000)


def test_seventeen_digits_are_a_local_time() -> None:
    assert utc([20240102143000000, 20240102143100250], "UTC") == [
        HALF_PAST,
        datetime(2024, 1, 2, 14, 31, 0, 250_000),
    ]


def test_days_of_a_spreadsheet_are_asked_about() -> None:
    with pytest.raises(ColumnMismatch, match=r"spreadsheet's days \(2024-01-02\)") as raised:
        utc(["45293", "45294"])
    assert "--time-format excel" in str(raised.value.hint)


HOURS = [f"2024-03-03 {hour}:00:00" for hour in (21, 22, 23)]


def test_a_lone_date_between_its_neighbours_is_midnight() -> None:
    texts = [*HOURS, "2024-03-04", "2024-03-04 01:00:00", "2024-03-04 02:00:00"]
    assert utc(texts, "UTC")[3] == datetime(2024, 3, 4)
    assert utc(texts[::-1], "UTC")[2] == datetime(2024, 3, 4)
    two = [text for text in texts for _ in "AB"]
    assert utc(two, "UTC")[6:8] == [datetime(2024, 3, 4)] * 2


@pytest.mark.parametrize(
    "texts",
    [
        [*HOURS, "2024-03-04", "2024-03-04 00:00:00", "2024-03-04 01:00:00"],
        [*HOURS, "2024-03-09", "2024-03-04 01:00:00", "2024-03-04 02:00:00"],
        [*HOURS[:2], "2024-03-04", "2024-03-04 09:00:00", "2024-03-04 10:00:00"],
    ],
)
def test_another_lone_date_is_not(texts: list[str]) -> None:
    assert None in utc(texts, "UTC")
