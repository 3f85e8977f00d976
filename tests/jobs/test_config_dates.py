"""Dates in the names of sources."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import SettingsError
from loader.jobs.config import dates

DAY = date(2024, 3, 1)
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 1, 1))


@pytest.mark.parametrize(
    ("pattern", "filled"),
    [
        ("dumps/bars.csv", "dumps/bars.csv"),
        ("{date}.csv", "2024-03-01.csv"),
        ("{date:%Y-%m-%d}.csv", "2024-03-01.csv"),
        ("{date-1d}.csv", "2024-02-29.csv"),
        ("{date-1d:%Y%m%d}", "20240229"),
        ("{date+31d:%y%j}", "24092"),
        ("{date:%Y}/{date-1d:%m}/{date:%d}*.gz", "2024/02/01*.gz"),
        ("{date:%G-W%V}", "2024-W09"),
        ("{{x}}-{date:%d%%}", "{x}-01%"),
    ],
)
def test_a_day_is_put_in(pattern: str, filled: str) -> None:
    dates.check(pattern)
    assert dates.fill(pattern, DAY) == filled


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{dat}.csv", r"'\{dat\}'"),
        ("{date-1}.csv", r"'\{date-1\}'"),
        ("{date-1h}.csv", r"'\{date-1h\}'"),
        ("{date", r"'\{date'"),
        ("date}", r"'\}'"),
        ("{date:%H}.csv", "strftime"),
        ("{date:}.csv", "strftime"),
        ("{date:%}.csv", "strftime"),
    ],
)
def test_what_is_no_date_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dates.check(pattern)


def test_the_day_that_is_meant_is_the_one_in_the_name() -> None:
    assert dates.day_of("{date-1d}.csv", DAY) == date(2024, 2, 29)
    assert dates.day_of("{{x}}/{date:%Y}/{date-1d}", DAY) == DAY
    assert dates.day_of("bars.csv", DAY) == DAY


def test_a_window_ends_on_its_day_and_begins_with_the_oldest() -> None:
    assert dates.window(DAY, 3) == [date(2024, 2, 28), date(2024, 2, 29), DAY]
    assert dates.window(DAY, 1) == [DAY]
    assert dates.span(date(2024, 2, 28), DAY) == dates.window(DAY, 3)
    assert dates.span(DAY, date(2024, 2, 28)) == []


@given(DAYS, st.integers(-400, 400))
def test_any_shift_is_that_many_days(day: date, shift: int) -> None:
    assert dates.fill(f"{{date{shift:+d}d}}", day) == (day + timedelta(days=shift)).isoformat()


def test_today_is_of_the_zone() -> None:
    east, west = dates.today(ZoneInfo("Pacific/Kiritimati")), dates.today(ZoneInfo("Etc/GMT+12"))
    assert timedelta(days=1) <= east - west <= timedelta(days=2)


def test_days_that_no_calendar_has_are_refused() -> None:
    first, last = date(1, 1, 1), date(9999, 12, 31)
    with pytest.raises(SettingsError, match="99 days before 0001-01-01 is outside of the years 1"):
        dates.fill("{date-99d}.csv", first)
    with pytest.raises(SettingsError, match="1 day after 9999-12-31 is outside of the years"):
        dates.day_of("{date+1d}.csv", last)
    with pytest.raises(SettingsError, match="2 days before 0001-01-01 is outside of the years"):
        dates.window(first, 3)
