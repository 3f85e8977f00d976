"""Sessions of exchanges as they were, from the exchanges' own announcements."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime

import polars as pl
import pytest

from loader.errors import SettingsError
from loader.survey.calendars import calendar
from tests.conftest import ROOT


def parts(name: str, first: str, last: str) -> list[tuple[str, str, str]]:
    """Session, open and close, as text."""
    found = calendar(name, date.fromisoformat(first), date.fromisoformat(last)).parts
    return [
        (f"{session}", f"{opens:%m-%d %H:%M}", f"{close:%m-%d %H:%M}")
        for session, opens, close in found.iter_rows()
    ]


def test_new_york_around_independence_day() -> None:
    assert parts("XNYS", "2024-07-03", "2024-07-08") == [
        ("2024-07-03", "07-03 13:30", "07-03 17:00"),  # 13:00 in New York
        ("2024-07-05", "07-05 13:30", "07-05 20:00"),
        ("2024-07-08", "07-08 13:30", "07-08 20:00"),
    ]


def test_new_york_when_the_clocks_change() -> None:
    assert parts("XNYS", "2024-03-08", "2024-03-11") == [
        ("2024-03-08", "03-08 14:30", "03-08 21:00"),
        ("2024-03-11", "03-11 13:30", "03-11 20:00"),
    ]


def test_hong_kong_has_a_break_but_not_on_a_half_day() -> None:
    assert parts("XHKG", "2024-12-23", "2024-12-26") == [
        ("2024-12-23", "12-23 01:30", "12-23 04:00"),
        ("2024-12-23", "12-23 05:00", "12-23 08:00"),
        ("2024-12-24", "12-24 01:30", "12-24 04:00"),
    ]


def test_futures_open_on_the_evening_before() -> None:
    assert parts("CMES", "2024-01-09", "2024-01-09") == [
        ("2024-01-09", "01-08 23:00", "01-09 23:00")
    ]
    evening = calendar("CMES", date(2024, 1, 9), date(2024, 1, 9), evening=True)
    assert evening.parts["session"].to_list() == [date(2024, 1, 9), date(2024, 1, 10)]
    friday = calendar("CMES", date(2024, 1, 5), date(2024, 1, 6), evening=True)
    assert friday.parts["session"].to_list() == [date(2024, 1, 5)]


def test_times_are_utc_in_microseconds() -> None:
    found = calendar("24/7", date(2024, 2, 29), date(2024, 2, 29)).parts
    assert found.rows() == [
        (date(2024, 2, 29), datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    ]
    assert found.dtypes == [pl.Date, pl.Datetime("us", "UTC"), pl.Datetime("us", "UTC")]


def test_a_span_without_a_session_has_none() -> None:
    assert parts("XNYS", "2024-07-06", "2024-07-07") == []


@pytest.mark.parametrize(
    ("day", "trades"),
    [("2024-07-03", True), ("2024-07-04", False), ("2024-07-06", False), ("2026-11-26", False)],
)
def test_days_of_trading(day: str, trades: bool) -> None:
    assert bool(parts("XNYS", day, day)) is trades


def test_up_to_the_last_year_that_a_calendar_knows() -> None:
    """The package knows Shanghai's holidays up to a year's end, and no further."""
    from exchange_calendars.exchange_calendar_xshg import XSHGExchangeCalendar

    last = XSHGExchangeCalendar.bound_max().date()
    assert calendar("XSHG", last.replace(month=12, day=1), last).parts.height > 0
    with pytest.raises(SettingsError, match=r"XSHG does not have all sessions.* only recorded to"):
        calendar("XSHG", last, last.replace(year=last.year + 1))


@pytest.mark.parametrize(
    ("name", "hint"), [("XNYSE", "XNYS?"), ("xnys", "XNYS?"), ("moon", "for example")]
)
def test_an_unknown_calendar(name: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"no exchange calendar '{name}'") as caught:
        calendar(name, date(2024, 1, 1), date(2024, 1, 2))
    assert hint in str(caught.value.hint)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(SettingsError) as caught:
        calendar("XNYS", date(2024, 1, 1), date(2024, 1, 2))
    assert "pip install 'mdload[calendars]'" in str(caught.value.hint)


def test_the_package_is_imported_only_for_a_calendar() -> None:
    code = (
        "import sys; import loader.survey.gaps; print([m for m in ('exchange_calendars', 'pandas')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", f"{code} if m in sys.modules])"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "[]\n"
