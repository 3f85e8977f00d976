"""What times show of ends, found on the distinct ones and within bounds, by a slow oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from loader import bars
from loader.bars.sessions import sessions
from loader.bars.times import edges, zones
from loader.bars.times.edges import shown
from loader.bars.times.stamps import Stamps, TimePlan
from loader.bars.words import Words
from loader.errors import ColumnMismatch

INSTANT = TimePlan(("ts",), "instant")


def said(moments: list[datetime | None], interval: str) -> str:
    """What the times are taken for, or why they are refused."""
    ts = pl.Series(moments, dtype=pl.Datetime("us", "UTC"))
    words = Words.all(interval, len(moments))
    try:
        return str(shown(INSTANT, Stamps(None, ts), ts, words, "f.csv", late=False))
    except ColumnMismatch as error:
        return str(error)


@st.composite
def days(draw: st.DrawFn) -> tuple[list[datetime | None], str]:
    """Bars of some days within a session of some zone, which may end with it, of several symbols;
    or through the night."""
    zone = draw(st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]))
    interval = draw(st.sampled_from(["5m", "30m", "1h"]))
    step = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    night = zone == "UTC" or draw(st.booleans())
    opening, close = sessions("Europe/Berlin" if zone == "UTC" else zone)[0]
    first = draw(st.datetimes(datetime(2020, 1, 1), datetime(2025, 1, 1))).date()
    moments: list[datetime | None] = [None]
    for day in range(draw(st.integers(1, 8))):
        date = first + timedelta(days=day)
        at, end = (datetime.combine(date, clock, ZoneInfo(zone)) for clock in (opening, close))
        if night:
            at, end = at.replace(hour=0, minute=0), at.replace(hour=23, minute=59)
        at += step * draw(st.integers(0, 2))
        end += step * draw(st.integers(-1, 0))
        while at <= end:
            if not (night and 17 < at.hour + at.minute / 60 <= 18):
                moments.append(at.astimezone(UTC))
            at += step
    return moments * draw(st.integers(1, 3)), interval


@given(days())
def test_ends_of_sessions_by_a_slow_oracle(made: tuple[list[datetime | None], str]) -> None:
    moments, interval = made
    found = said(moments, interval)
    known = [moment for moment in moments if moment is not None]
    assert ("they may be the ends of the bars" in found and "session" in found) == any(
        _ends(known, zone.name, interval) for zone, _ in edges._places(INSTANT)
    )
    if "'start'" in found:
        assert ("likely ends" in found) == _week(known, interval)


def _ends(moments: list[datetime], zone: str, interval: str) -> bool:
    step = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    if len(moments) < 3 or (step >= timedelta(hours=1) and zone not in edges.LARGE):
        return False
    walls = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in moments]
    clocks = [wall.time() for wall in walls]
    by_day = {wall.date(): [w for w in walls if w.date() == wall.date()] for wall in walls}
    for opening, close in sessions(zone):
        if not opening < min(clocks) <= max(clocks) <= close:
            continue
        opens = timedelta(hours=opening.hour, minutes=opening.minute)
        since = [min(d) - datetime.combine(day, datetime.min.time()) - opens
                 for day, d in by_day.items()]  # fmt: skip
        closed = [max(d).time() == close for d in by_day.values()]
        if edges._are_ends(
            pl.Series(since, dtype=pl.Duration("us")), pl.Series(closed), step,
            rows=len(moments), certain=False,
        ):  # fmt: skip
            return True
    return False


def _week(moments: list[datetime], interval: str) -> bool:
    """`edges._week_ends` of all rows."""
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    ts = pl.Series(moments, dtype=pl.Datetime("us", "UTC"))
    wall = zones.to_wall(ts, zones.Zone("America/New_York"))
    clock, weekday = wall - wall.dt.truncate("1d"), wall.dt.weekday()
    hour, close = timedelta(hours=1), edges.CLOSE
    if not ((clock < edges.MORNING).any() and (clock > edges.NIGHT).any()):
        return False
    paused = not ((clock > close) & (clock <= close + hour)).any()
    fridays, sundays = clock.filter(weekday == 5), clock.filter(weekday == 7)
    week = len(fridays) > 0 and len(sundays) > 0 and fridays.max() == close
    week = week and sundays.min() in {close + length, close + hour + length}
    return bool(week or (paused and int((clock == close).sum()) >= 3))
