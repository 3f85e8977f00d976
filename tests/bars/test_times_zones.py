"""Zones by their names, and local times against zoneinfo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bars.times.zones import Zone, parse_zone, to_utc, to_wall
from loader.errors import SettingsError

ZONES = ["America/New_York", "Europe/Warsaw", "Asia/Kolkata", "Australia/Lord_Howe", "Etc/GMT+5"]
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("America/New_York", Zone("America/New_York")),
        (" america/new york ", Zone("America/New_York")),
        ("US/Eastern", Zone("US/Eastern")),
        ("Etc/GMT+5", Zone("Etc/GMT+5")),
        ("UTC", Zone("UTC", timedelta(0))),
        ("utc", Zone("UTC", timedelta(0))),
        ("Z", Zone("UTC", timedelta(0))),
        ("UTC-5", Zone("UTC-5", timedelta(hours=-5))),
        ("UTC+05:45", Zone("UTC+05:45", timedelta(hours=5, minutes=45))),
        ("+05:30", Zone("+05:30", timedelta(hours=5, minutes=30))),
        ("-0330", Zone("-0330", -timedelta(hours=3, minutes=30))),
    ],
)
def test_names(text: str, zone: Zone) -> None:
    assert parse_zone(text) == zone


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Berln", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Amercia/New_York", "America/New_York"),
        ("GMT+5", "Etc/GMT+5"),  # five hours west in POSIX, east in speech
        ("UTC+15", "UTC-5"),
        ("+5:75", "UTC-5"),
        ("Nowhere", "America/New_York"),
        ("", "America/New_York"),
    ],
)
def test_unknown_names_come_with_near_ones(text: str, near: str) -> None:
    with pytest.raises(SettingsError, match="--timezone") as raised:
        parse_zone(text)
    assert near in str(raised.value.hint)


@given(st.sampled_from(ZONES), st.lists(MOMENTS, max_size=20))
def test_local_times_are_where_zoneinfo_puts_them(name: str, moments: list[datetime]) -> None:
    info = ZoneInfo(name)
    placed = to_utc(pl.Series(moments, dtype=pl.Datetime("us")), parse_zone(name))
    for moment, utc, nonexistent, ambiguous in zip(
        moments, placed.utc, placed.nonexistent, placed.ambiguous, strict=True
    ):
        early, late = (moment.replace(tzinfo=info, fold=f).astimezone(UTC) for f in (0, 1))
        exists = early.astimezone(info).replace(tzinfo=None) == moment
        assert nonexistent is not exists
        assert ambiguous is (exists and early != late)
        assert utc == (early if exists and early == late else None)


@given(st.sampled_from([*ZONES, "UTC", "UTC-5", "+05:30"]), st.lists(MOMENTS, max_size=20))
def test_the_wall_clock_is_zoneinfos(name: str, moments: list[datetime]) -> None:
    zone = parse_zone(name)
    utc = pl.Series(moments, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
    if zone.offset is not None:
        expected = [moment + zone.offset for moment in moments]
    else:
        info = ZoneInfo(name)
        expected = [m.replace(tzinfo=UTC).astimezone(info).replace(tzinfo=None) for m in moments]
    assert to_wall(utc, zone).to_list() == expected


def test_the_hours_that_new_york_skips_and_repeats() -> None:
    wall = pl.Series([datetime(2024, 3, 10, 2, 30), datetime(2024, 11, 3, 1, 30), None,
                      datetime(2024, 3, 10, 3, 0)])  # fmt: skip
    placed = to_utc(wall, parse_zone("America/New_York"))
    assert placed.nonexistent.to_list() == [True, False, False, False]
    assert placed.ambiguous.to_list() == [False, True, False, False]
    assert placed.utc.to_list() == [None, None, None, datetime(2024, 3, 10, 7, tzinfo=UTC)]


def test_fixed_offsets_skip_nothing() -> None:
    wall = pl.Series([datetime(2024, 3, 10, 2, 30), None])
    placed = to_utc(wall, parse_zone("UTC-5"))
    assert placed.utc.to_list() == [datetime(2024, 3, 10, 7, 30, tzinfo=UTC), None]
    assert not (placed.nonexistent | placed.ambiguous).any()


def test_a_clock_ahead_of_another_changes_when_that_one_does() -> None:
    """A broker's server at New York + 7 h: 17:00 in New York is its midnight, summer and winter."""
    zone = parse_zone("America/New_York+7h")
    assert str(zone) == "America/New_York+7h"
    wall = pl.Series([datetime(2024, 3, 8), datetime(2024, 3, 11)], dtype=pl.Datetime("us"))
    placed = to_utc(wall, zone)
    assert placed.utc.to_list() == [
        datetime(2024, 3, 7, 22, tzinfo=UTC), datetime(2024, 3, 10, 21, tzinfo=UTC)
    ]  # fmt: skip
    assert to_wall(placed.utc, zone).equals(wall)
