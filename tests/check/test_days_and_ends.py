"""Days that begin on the evening before, ends at midnight, 24:00, and times of day as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from loader.check.layout.decide import Layout, decide
from loader.check.normalise import normalise
from loader.errors import ColumnMismatch
from loader.read.batch import Location, RawBatch
from loader.settings import Meaning

#: The evenings of Sunday to Thursday, and the sessions that they begin.
EVENINGS = ["2024-06-02", "2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06", "2024-06-09"]
SESSIONS = ["2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06", "2024-06-07", "2024-06-10"]
#: Tuesdays to Saturdays, the days after those of Mondays to Fridays.
AFTER = ["2024-06-04", "2024-06-05", "2024-06-06", "2024-06-07", "2024-06-08", "2024-06-11"]


def table(ts: list[Any] | pl.Series, **columns: Any) -> RawBatch:
    prices = {name: ["8"] * len(ts) for name in ("open", "high", "low", "close")}
    return RawBatch(pl.DataFrame({"ts": ts, **prices, **columns}), Location("file.csv", 0, 1))


def layout(raw: RawBatch, **said: Any) -> Layout:
    return decide(raw, Meaning(**{"provider": "demo", "symbol": "X", "interval": "1d", **said}))


def dates(raw: RawBatch, **said: Any) -> list[str]:
    ts = normalise(raw, layout(raw, **said)).bars["ts"]
    return [f"{each:%Y-%m-%d}" for each in ts if each == each.replace(hour=0, minute=0)]


def clocks(raw: RawBatch, **said: Any) -> list[str]:
    ts = normalise(raw, layout(raw, **said)).bars["ts"]
    return ts.dt.to_string("%d %H:%M").to_list()


@pytest.mark.parametrize(
    ("clock", "zone", "named"),
    [
        (" 17:00:00", "America/New_York", "America/New_York+7h"),
        (" 17:00:00", None, "America/New_York+7h"),
        (" 17:00", "America/Chicago", "America/Chicago+7h"),
        ("T18:00:00-04:00", None, "America/New_York+6h"),
        ("T18:00:00-04:00", "America/Chicago", "America/Chicago+6h"),
        (" 23:00", "Europe/London", "Europe/London+2h"),
        (" 21:00:00", "UTC", "UTC+4h"),
        (" 17:00 EDT", None, "America/New_York+7h"),
    ],
)
def test_evenings_in_every_spelling(clock: str, zone: str | None, named: str) -> None:
    raw = table([day + clock for day in EVENINGS])
    with pytest.raises(ColumnMismatch, match="perhaps on the evening before") as raised:
        layout(raw, timezone=zone)
    assert f"--timezone {named};" in str(raised.value.hint)
    assert dates(raw, timezone=named) == SESSIONS
    assert dates(raw, timezone=zone, stamp="end") == EVENINGS


def test_evenings_of_a_zoned_column() -> None:
    moments = pl.Series([f"{day} 17:00" for day in EVENINGS]).str.to_datetime(time_unit="us")
    raw = table(moments.dt.replace_time_zone("America/New_York"))
    with pytest.raises(ColumnMismatch, match="begin at 17:00 in America/New_York"):
        layout(raw)
    assert dates(raw, timezone="America/New_York+7h") == SESSIONS


def test_later_batches_roll_too_where_the_clock_has_changed() -> None:
    raw = table([f"{day} 22:00" for day in EVENINGS])
    found = layout(raw, timezone="Europe/London+2h")
    later = normalise(table(["2024-03-12 21:00", "2024-03-13 21:00"]), found).bars["ts"]
    assert later.dt.to_string("%Y-%m-%d").to_list() == ["2024-03-13", "2024-03-14"]


def test_sundays_tell_of_earlier_evenings() -> None:
    clock = ["17:00", "15:30", "15:30", "15:30", "15:30", "17:00"]  # futures in Chicago in 2009
    raw = table([f"{day} {each}" for day, each in zip(EVENINGS, clock, strict=True)])
    with pytest.raises(ColumnMismatch, match="perhaps on the evening before") as raised:
        layout(raw, timezone="America/Chicago")
    assert "--timezone America/Chicago+9h;" in str(raised.value.hint)
    assert dates(raw, timezone="America/Chicago+9h") == SESSIONS


def test_days_of_a_market_that_never_closes_are_no_question() -> None:
    days = [f"2024-06-{day:02}" for day in range(3, 14)]
    assert dates(table([f"{day} 17:00" for day in days]), timezone="America/New_York") == days


def test_a_note_on_evenings_of_mondays_to_fridays() -> None:
    days = ["2024-06-03", "2024-06-04", "2024-06-05", "2024-06-06", "2024-06-07", "2024-06-10"]
    made = layout(table([f"{day} 17:00" for day in days]), timezone="America/New_York")
    (note,) = (each.text for each in made.notes if "17:00" in each.text)
    assert note.endswith("if sessions are those of the next dates: --timezone America/New_York+7h")
    early = layout(table([f"{day} 16:00" for day in days]), timezone="America/New_York")
    assert not [each for each in early.notes if "16:00" in each.text]


def test_weeks_and_months_that_begin_on_the_evening_before() -> None:
    weeks = table([f"2024-06-{day:02} 17:00" for day in (2, 9, 16, 23)])
    with pytest.raises(ColumnMismatch, match="perhaps on the evening before"):
        layout(weeks, interval="1w", timezone="America/New_York")
    found = dates(weeks, interval="1w", timezone="America/New_York+7h")
    assert found == ["2024-06-03", "2024-06-10", "2024-06-17", "2024-06-24"]
    months = table(["2024-03-31 17:00", "2024-04-30 17:00", "2024-05-31 17:00"])
    with pytest.raises(ColumnMismatch, match="perhaps on the evening before"):
        layout(months, interval="1mo")
    found = dates(months, interval="1mo", timezone="America/New_York+7h")
    assert found == ["2024-04-01", "2024-05-01", "2024-06-01"]


@pytest.mark.parametrize(
    ("days", "clock", "zone"),
    [
        (SESSIONS, " 16:00:00", "America/New_York"),
        (SESSIONS, " 17:30:00", "Europe/Berlin"),
        (SESSIONS, " 20:00:00", "America/New_York"),
        (SESSIONS, "T20:00:00-04:00", None),
        (SESSIONS, " 23:59:59", "America/New_York"),
        (EVENINGS, " 23:59", "UTC"),
        (SESSIONS, " 00:00", "America/New_York+7h"),
        (SESSIONS, " 07:00", "Asia/Tokyo"),
        (EVENINGS, " 13:45", "Asia/Riyadh"),
    ],
)
def test_closes_and_mornings_are_no_question(days: list[str], clock: str, zone: str | None) -> None:
    assert dates(table([day + clock for day in days]), timezone=zone) == days


@pytest.mark.parametrize(
    ("clock", "zone"), [(" 20:00", "America/New_York"), ("T20:00:00-04:00", None),
                        (" 19:00:00", "UTC-5")],
)  # fmt: skip
def test_evenings_that_are_midnight_in_utc_have_its_date(clock: str, zone: str | None) -> None:
    days = [f"2024-06-{day:02}" for day in range(2, 10)]
    nexts = [f"2024-06-{day:02}" for day in range(3, 11)]
    assert dates(table([day + clock for day in days]), timezone=zone) == nexts


def test_one_saturday_among_evenings() -> None:
    """A session of its own: it makes no other days of those around it."""
    closes = [*SESSIONS, "2024-06-11", "2024-06-12", "2024-06-13", "2024-06-14", "2024-06-15"]
    assert dates(table([f"{day}T20:00:00-04:00" for day in closes])) == closes
    sundays = [*EVENINGS, "2024-06-10", "2024-06-11", "2024-06-15"]
    with pytest.raises(ColumnMismatch, match="perhaps on the evening before"):
        layout(table([day + " 17:00:00" for day in sundays]), timezone="America/New_York")


@pytest.mark.parametrize("clock", ["", " 00:00:00", "T00:00:00Z", " 06:00"])
def test_dates_from_tuesdays_to_saturdays_are_asked_about(clock: str) -> None:
    raw = table([day + clock for day in AFTER])
    zone = None if clock.endswith("Z") else "UTC"
    with pytest.raises(ColumnMismatch, match="from Tuesdays to Saturdays") as raised:
        layout(raw, timezone=zone)
    assert str(raised.value.hint).startswith("say --stamp end")
    assert dates(raw, timezone=zone, stamp="end") == SESSIONS
    assert dates(raw, timezone=zone, stamp="start") == AFTER


@pytest.mark.parametrize(
    "days",
    [
        AFTER[:5],  # five days of any market
        [f"2024-06-{day:02}" for day in range(4, 14)],  # of one that is always open
        ["2024-06-03", *AFTER],
    ],
)
def test_other_days_are_no_question(days: list[str]) -> None:
    assert dates(table(days)) == days


@pytest.mark.parametrize(
    ("interval", "ends", "starts"),
    [
        ("1d", ["2024-06-04", "2024-06-05", "2024-06-09"],
         ["2024-06-03", "2024-06-04", "2024-06-08"]),
        ("3d", ["2024-06-04", "2024-06-07"], ["2024-06-01", "2024-06-04"]),
        ("1w", ["2024-06-03", "2024-06-10"], ["2024-05-27", "2024-06-03"]),
        ("1mo", ["2024-06-01", "2024-07-01"], ["2024-05-01", "2024-06-01"]),
        ("3mo", ["2024-04-01", "2024-07-01"], ["2024-01-01", "2024-04-01"]),
        ("1y", ["2024-01-01", "2025-01-01"], ["2023-01-01", "2024-01-01"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("clock", [" 00:00:00", "T00:00:00Z"])
def test_ends_at_the_midnight_after(
    interval: str, ends: list[str], starts: list[str], clock: str
) -> None:
    raw = table([day + clock for day in ends])
    assert dates(raw, interval=interval, stamp="end") == starts
    assert dates(raw, interval=interval, stamp="start") == ends


def test_a_date_or_a_midnight_of_work_days_is_a_session() -> None:
    assert dates(table(SESSIONS), stamp="end") == SESSIONS
    midnights = table([f"{day} 00:00:00" for day in SESSIONS])
    assert dates(midnights, stamp="end") == SESSIONS
    notes = [note.text for note in layout(midnights, stamp="end").notes]
    assert "dates of daily bars are taken for those of their sessions" in notes


def minutes(first: str, count: int, step: int = 1) -> list[datetime]:
    start = datetime.fromisoformat(first)
    return [start + timedelta(minutes=step * number) for number in range(count)]


def test_minutes_from_the_second_to_midnight_are_asked_about() -> None:
    raw = table([f"{each:%Y-%m-%d %H:%M}" for each in minutes("2024-06-04 00:05", 288, 5)])
    said = {"interval": "5m", "timezone": "UTC"}
    with pytest.raises(ColumnMismatch, match="fill whole days from 00:05 to 24:00"):
        layout(raw, **said)
    found = clocks(raw, **said, stamp="end")
    assert (found[0], found[-1]) == ("04 00:00", "04 23:55")
    starts = table([f"{each:%Y-%m-%d %H:%M}" for each in minutes("2024-06-04 00:00", 288, 5)])
    assert layout(starts, **said).stamp == "start"
    # Hours of one day in UTC, on a clock that is one hour ahead of it.
    winter = table([f"{each:%Y-%m-%d %H:%M}" for each in minutes("2024-01-09 01:00", 24, 60)])
    assert layout(winter, interval="1h", timezone="Europe/Berlin").stamp == "start"


@pytest.mark.parametrize("last", ["2024-06-04 24:00", "2024-06-04 24:00:00", "2024-06-04T24:00Z"])
def test_24_00_is_the_end_of_a_day(last: str) -> None:
    text = ["2024-06-04 22:00", "2024-06-04 23:00"]
    text = [f"{each.replace(' ', 'T')}Z" for each in text] if last.endswith("Z") else text
    raw = table([*text, last])
    zone = None if last.endswith("Z") else "UTC"
    assert clocks(raw, interval="1h", timezone=zone) == ["04 21:00", "04 22:00", "04 23:00"]
    assert clocks(raw, interval="1h", timezone=zone, stamp="start")[-1] == "05 00:00"


@pytest.mark.parametrize("clock", ["2400", "240000"])
def test_24_00_without_colons(clock: str) -> None:
    raw = table(["20240604"] * 2, time=["2300" + clock[4:], clock])
    assert clocks(raw, interval="1h", timezone="UTC") == ["04 22:00", "04 23:00"]
    number = table([20240604230000, 20240604240000])
    assert clocks(number, interval="1h", timezone="UTC") == ["04 22:00", "04 23:00"]


def test_days_that_end_at_24_00() -> None:
    raw = table([f"{day} 24:00" for day in SESSIONS])
    assert dates(raw) == SESSIONS
    sundays = [f"2024-06-{day:02}" for day in (2, 3, 4, 5, 6)]
    assert dates(table([f"{day}T24:00:00Z" for day in sundays])) == sundays


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["930.0", "945.0", "1000.0"], ["09:30", "09:45", "10:00"]),
        (["1030.0", "1045.0", "1100.0"], ["10:30", "10:45", "11:00"]),
        (["93000.0", "94500.0", "100000.0"], ["09:30", "09:45", "10:00"]),
        ([930.0, 945.0, 1000.0], ["09:30", "09:45", "10:00"]),
        (["34200", "35100", "36000"], ["09:30", "09:45", "10:00"]),
        ([34200, 35100, 36000], ["09:30", "09:45", "10:00"]),
        (["34200.0", "35100.0", "36000.0"], ["09:30", "09:45", "10:00"]),
        (["61200", "61200", "61200"], ["17:00", "17:00", "17:00"]),
        (["93000", "94500", "100000"], ["09:30", "09:45", "10:00"]),
        (["80000", "81500", "83000"], ["08:00", "08:15", "08:30"]),
    ],
)
def test_times_of_day_as_numbers(cells: list[Any], shown: list[str]) -> None:
    raw = table(["20240604"] * 3, time=cells)
    found = normalise(raw, layout(raw, interval="15m", timezone="UTC")).bars["ts"]
    assert found.dt.to_string("%H:%M").to_list() == shown


def test_one_bad_time_of_day_makes_no_seconds_of_the_others() -> None:
    cells = ["90000", "90060", *(f"9{minute:02}00" for minute in range(2, 30))]
    raw = table(["20240604"] * 30, time=cells)
    found = normalise(raw, layout(raw, interval="1m", timezone="UTC")).bars["ts"]
    assert found.to_list()[:3] == [
        datetime(2024, 6, 4, 9, tzinfo=UTC), None, datetime(2024, 6, 4, 9, 2, tzinfo=UTC)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2024-01-09 06:30 PDT", "'%Y-%m-%d %H:%M %Z' --timezone America/Los_Angeles (or UTC-7)"),
        ("2024-01-09 06:30:00 CEST", "'%Y-%m-%d %H:%M:%S %Z' --timezone Europe/Berlin (or UTC+2)"),
        ("09.01.2024 06:30 IST", "'%d.%m.%Y %H:%M %Z' --timezone Asia/Kolkata (or Asia/Jerusalem)"),
        ("9 Jan 2024 06:30 CST",
         "'%d %b %Y %H:%M %Z' --timezone America/Chicago (or Asia/Shanghai)"),
    ],
)  # fmt: skip
def test_an_unclear_abbreviation_is_answered_with_its_own_places(text: str, named: str) -> None:
    raw = table([text, text.replace("06:30", "06:31")])
    with pytest.raises(ColumnMismatch, match="end with") as raised:
        layout(raw, interval="1m")
    assert str(raised.value.hint).endswith(f"--time-format {named}")
    _, form, rest = named.split("'")
    zone = rest.split()[1]
    clocks(raw, interval="1m", time_format=form, timezone=zone)
