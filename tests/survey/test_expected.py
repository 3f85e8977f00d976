"""The bars that a calendar expects, by hand, and against the calendar package's own minutes."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loader.bars import INTERVAL_SECONDS
from loader.survey.calendars import calendar
from loader.survey.expected import UNKNOWN, Anchor, slot_grids, slots

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def starts(
    name: str, first: str, last: str, interval: str, anchor: Anchor = "open", now: datetime = LATER
) -> list[str]:
    sessions = calendar(name, date.fromisoformat(first), date.fromisoformat(last))
    return [f"{ts:%m-%d %H:%M}" for ts in slots(sessions, interval, anchor, now)["ts"]]


def test_minutes_of_a_half_day() -> None:
    found = starts("XNYS", "2024-11-29", "2024-11-29", "1m")
    assert (len(found), found[0], found[-1]) == (210, "11-29 14:30", "11-29 17:59")


def test_hours_count_from_the_open_or_lie_on_the_clock() -> None:
    days = ("XNYS", "2024-11-29", "2024-11-29", "1h")
    assert starts(*days) == ["11-29 14:30", "11-29 15:30", "11-29 16:30", "11-29 17:30"]
    assert starts(*days, "clock") == ["11-29 14:00", "11-29 15:00", "11-29 16:00", "11-29 17:00"]


def test_bars_count_anew_after_a_break_or_go_on_by_the_clock() -> None:
    day = ("XHKG", "2024-12-23", "2024-12-23", "2h")
    assert starts(*day) == ["12-23 01:30", "12-23 03:30", "12-23 05:00", "12-23 07:00"]
    assert starts(*day, "clock") == ["12-23 00:00", "12-23 02:00", "12-23 04:00", "12-23 06:00"]


def test_a_bar_that_two_parts_share_is_one() -> None:
    day = ("XHKG", "2024-12-23", "2024-12-23", "6h")
    assert starts(*day, "clock") == ["12-23 00:00", "12-23 06:00"]


def test_days_are_stamped_with_their_session() -> None:
    assert starts("CMES", "2024-07-03", "2024-07-08", "1d") == [
        "07-03 00:00", "07-04 00:00", "07-05 00:00", "07-08 00:00"
    ]  # fmt: skip
    assert starts("XNYS", "2024-07-03", "2024-07-08", "1d") == [
        "07-03 00:00", "07-05 00:00", "07-08 00:00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("1w", ["12-25 00:00", "01-01 00:00", "01-08 00:00"]),
        ("1mo", ["12-01 00:00", "01-01 00:00"]),
        ("3mo", ["10-01 00:00", "01-01 00:00"]),
        ("1y", ["01-01 00:00", "01-01 00:00"]),
    ],
)
def test_longer_bars_stand_for_periods_of_the_civil_calendar(
    interval: str, expected: list[str]
) -> None:
    assert starts("XNYS", "2023-12-29", "2024-01-09", interval) == expected


def test_a_week_without_a_session_has_no_bar() -> None:
    """Shanghai's golden week."""
    assert starts("XSHG", "2024-09-23", "2024-10-11", "1w") == [
        "09-23 00:00", "09-30 00:00", "10-07 00:00"
    ]  # fmt: skip
    assert starts("XSHG", "2024-10-01", "2024-10-07", "1w") == []


@pytest.mark.parametrize(
    ("interval", "now", "last"),
    [
        ("1m", "2024-01-04T15:00:00", "01-04 14:59"),
        ("1m", "2024-01-04T14:59:59", "01-04 14:58"),
        ("1h", "2024-01-04T20:59:00", "01-04 19:30"),
        ("1h", "2024-01-04T21:00:00", "01-04 20:30"),  # cut short by the close
        ("1d", "2024-01-04T20:59:59", "01-03 00:00"),
        ("1d", "2024-01-04T21:00:00", "01-04 00:00"),
        ("1w", "2024-01-07T23:59:59", "12-25 00:00"),
        ("1w", "2024-01-08T00:00:00", "01-01 00:00"),
    ],
)
def test_what_has_not_ended_is_not_expected(interval: str, now: str, last: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert starts("XNYS", "2023-12-28", "2024-01-10", interval, now=moment)[-1] == last


@pytest.mark.parametrize("interval", [i for i in INTERVAL_SECONDS if i not in UNKNOWN])
@pytest.mark.parametrize("name", ["XNYS", "24/7"])
def test_equal_grids_are_one(name: str, interval: str) -> None:
    sessions = calendar(name, date(2024, 11, 25), date(2024, 11, 29))
    anchors = [grid.anchor for grid in slot_grids(sessions, interval, LATER)]
    off = name == "XNYS" and interval in ("1h", "2h", "4h", "6h", "8h", "12h")
    assert anchors == (["open", "clock"] if off else ["open"])


@pytest.mark.parametrize("interval", ["1m", "3m", "5m", "30m", "1h", "2h"])
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("XNYS", "2024-11-25", "2024-12-02"),
        ("XHKG", "2024-12-20", "2025-01-03"),
        ("XLON", "2024-03-27", "2024-04-03"),
        ("CMES", "2024-07-02", "2024-07-08"),
        ("XTKS", "2024-11-01", "2024-11-06"),
        ("24/7", "2024-02-28", "2024-03-01"),
    ],
)
def test_against_the_packages_own_minutes(name: str, first: str, last: str, interval: str) -> None:
    expected = [
        start
        for session in trading_minutes(name, first, last).values()
        for start in session[:: INTERVAL_SECONDS[interval] // 60]
    ]
    sessions = calendar(name, date.fromisoformat(first), date.fromisoformat(last))
    assert slots(sessions, interval, "open", LATER)["ts"].to_list() == expected


def trading_minutes(name: str, first: str, last: str) -> dict[Any, list[datetime]]:
    """The minutes of trading, by part of a session, as the package lists them one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars

        known = exchange_calendars.get_calendar(name, start="2023-12-01", end="2025-02-01")
        minutes = known.sessions_minutes(first, last)
        found: dict[Any, list[datetime]] = {}
        part = 0
        before = None
        for stamp in minutes:
            minute = stamp.to_pydatetime().astimezone(UTC)
            session = known.minute_to_session(stamp)
            part += before is not None and (minute - before[1] != timedelta(minutes=1))
            found.setdefault((session, part), []).append(minute)
            before = session, minute
    return found
