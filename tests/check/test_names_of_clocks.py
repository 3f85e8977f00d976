"""The name of a time's column may say its zone, and which end of the bar it is."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from loader.bars.times.zones import UTC, Zone
from loader.check.layout.decide import Layout, decide
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

NEW_YORK = "America/New_York"


def laid_out(
    name: str, clocks: list[str], zones: dict[str, list[str | None]] | None = None, **options: Any
) -> Layout:
    count = len(clocks)
    frame = pl.DataFrame(
        {name: clocks, "open": ["1"] * count, "high": ["2"] * count, "low": ["1"] * count,
         "close": ["2"] * count, **(zones or {})}
    )  # fmt: skip
    meaning = Meaning(provider="p", symbol="A", interval="1m", **options)
    return decide(RawBatch(frame, Location("a.csv", 0, 1)), meaning)


@pytest.mark.parametrize(
    ("cell", "zone"),
    [
        ("-18000", "UTC-5"),
        (19800, "UTC+5:30"),
        ("0", "UTC"),
        ("-5.0", "UTC-5"),
        (0.0, "UTC"),
        (5.5, "UTC+5:30"),
        ("-3.5", "UTC-3:30"),
        (330, "UTC+5:30"),
        ("-300", "UTC-5"),
        (50400, "UTC+14"),
    ],
)
def test_an_offset_as_a_number(cell: Any, zone: str) -> None:
    beside = {"gmtoffset": [cell] * 5}
    for said in ({}, {"timezone": "Asia/Tokyo"}):
        with pytest.raises(ColumnMismatch, match="column 'gmtoffset' says") as raised:
            laid_out("ts", CLOCKS, beside, **said)
        assert str(raised.value.hint).startswith(f"say --timezone {zone}; or if ")
    assert laid_out("ts", CLOCKS, beside, timezone=zone).times
    assert laid_out("ts", CLOCKS, beside, timezone="Asia/Tokyo", columns={"ts": "ts"}).times


def test_several_offsets_and_numbers_that_are_none() -> None:
    with pytest.raises(ColumnMismatch, match="several zones") as raised:
        laid_out("ts", CLOCKS, {"gmtoffset": [-18000, -14400, -14400, -14400, -14400]})
    assert "--where gmtoffset=-14400 --timezone UTC-4" in str(raised.value.hint)
    assert laid_out("ts", CLOCKS, {"tz": [77.0, 78.0, 5.3, 50401.0, 99999.0]}, timezone="UTC").times


CLOCKS = [f"2024-03-04 14:{minute}:00" for minute in range(30, 35)]


def test_a_name_that_says_utc_and_an_option_that_does_not() -> None:
    assert laid_out("timestamp_utc", CLOCKS).times.zone in (UTC, Zone("UTC", UTC.offset))
    assert laid_out("timestamp_utc", CLOCKS, timezone="UTC").times is not None
    with pytest.raises(ColumnMismatch, match="says UTC, and --timezone says America/New_York") as e:
        laid_out("timestamp_utc", CLOCKS, timezone=NEW_YORK)
    assert f"--column ts=timestamp_utc --timezone {NEW_YORK}" in str(e.value.hint)
    both = laid_out("timestamp_utc", CLOCKS, timezone=NEW_YORK, columns={"ts": "timestamp_utc"})
    assert str(both.times.zone) == NEW_YORK
    assert str(laid_out("timestamp", CLOCKS, timezone=NEW_YORK).times.zone) == NEW_YORK


@pytest.mark.parametrize("name", ["close_time", "endTime", "End", "bar_end"])
def test_a_name_that_says_end(name: str) -> None:
    given = {"columns": {"ts": name}, "timezone": "UTC"}
    with pytest.raises(ColumnMismatch, match="says that its times are the ends") as raised:
        laid_out(name, CLOCKS, **given)
    assert str(raised.value.hint).startswith("say --stamp end")
    assert laid_out(name, CLOCKS, stamp="end", **given).stamp == "end"
    assert laid_out(name, CLOCKS, stamp="start", **given).stamp == "start"


NEW_YORKS: list[str | None] = ["America/New_York"] * 5


def test_a_column_of_zones() -> None:
    several = {"exchange_tz": [*NEW_YORKS[:3], "Europe/London", None]}
    for timezone in (None, NEW_YORK):
        with pytest.raises(ColumnMismatch, match="several zones: column 'exchange_tz'") as raised:
            laid_out("ts", CLOCKS, several, timezone=timezone)
        wanted = "--where exchange_tz=America/New_York --timezone America/New_York, then"
        assert wanted in str(raised.value.hint)
    with pytest.raises(ColumnMismatch, match=r"the times are of America/New_York$") as raised:
        laid_out("ts", CLOCKS, {"tz": NEW_YORKS})
    assert raised.value.hint == (
        "say --timezone America/New_York; or if the column is about something else, name both: "
        "--column ts=ts --timezone UTC"
    )
    with pytest.raises(ColumnMismatch, match="are of America/New_York, not Europe/London"):
        laid_out("ts", CLOCKS, {"tz": NEW_YORKS}, timezone="Europe/London")
    assert laid_out("ts", CLOCKS, {"tz": NEW_YORKS}, timezone="US/Eastern").times is not None
    assert laid_out("ts", CLOCKS, {"utc_offset": ["-05:00"] * 5}, timezone=NEW_YORK).times
    assert laid_out("ts", CLOCKS, {"zone": ["north", *NEW_YORKS[:4]]}, timezone=NEW_YORK).times
    instants = [f"{clock}Z" for clock in CLOCKS]
    assert laid_out("ts", instants, {"tz": NEW_YORKS}).times is not None


def test_clocks_of_twelve_hours() -> None:
    morning = [f"2024-03-04 {hour}:00" for hour in ("10", "11", "12")]
    afternoon = [f"2024-03-04 0{hour}:00" for hour in (1, 2)]
    with pytest.raises(ColumnMismatch, match="12:00 is followed by 01:00 on 2024-03-04"):
        laid_out("ts", morning + afternoon, timezone=NEW_YORK)
    for clocks in (
        afternoon + morning,  # in order
        [*morning, "2024-03-05 01:00", "2024-03-05 02:00"],  # of another day
        [*morning, "2024-03-04 01:00", "2024-03-04 13:00"],
    ):
        assert laid_out("ts", clocks, timezone=NEW_YORK).times is not None


def test_an_abbreviation_without_daylight_saving() -> None:
    texts = [note.text for note in laid_out("ts", CLOCKS, timezone="EST").notes]
    assert "EST has no daylight saving; for a clock that has: --timezone America/New_York" in texts
