"""Which end of its bar a timestamp is: from the option, the dialect, and what the times show."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.bars.sessions import ALIASES, LARGE, LUNCH, SESSIONS, lie_within_one, sessions
from loader.bars.times import closings, zones
from loader.bars.times.stamps import Stamps, TimePlan, end_days, end_minutes, local
from loader.bars.times.zones import Zone
from loader.bars.words import Words
from loader.errors import ColumnMismatch

Stamp = Literal["start", "end"]
#: A sample of this many times shows that most zones do not fit.
_FEW: Final = 500
#: A quicker first look takes this many, so that each of thousands of files costs little.
_VERY_FEW: Final = 4
#: Without a named zone, a session counts from this many days on, or from this many bars of a day:
#: less may be chance. A file with fewer bars than `_MANY` cannot show one.
_MANY, _MANY_BARS = 3, 8
#: The share of these days that must open and close with the session; a half day does not.
_MOST: Final = 0.8
_ASK: Final = "say it: --stamp start or --stamp end"
#: Longer bars than these seldom fill a day by chance from its second bar on.
_HOUR: Final = timedelta(hours=1)
_HOUR_US: Final = 3_600_000_000
#: The end of a day of foreign exchange and of futures, in New York, and the hours around the night.
_NEW_YORK: Final = Zone("America/New_York")
CLOSE: Final = timedelta(hours=17)
MORNING, NIGHT = timedelta(hours=7), timedelta(hours=20)
_FRIDAY, _SUNDAY = 5, 7
_A_MINUTE: Final = 60
_MONTHS: Final = 12
_LONGER: Final = ("1w", "1mo", "3mo", "1y")
_WORD: Final = {"1w": "week", "1mo": "month", "3mo": "quarter", "1y": "year"}


def said(stamp: Stamp | None, intervals: pl.Series, where: str) -> tuple[Stamp, tuple[str, ...]]:
    """The end that the option or the dialect says, with a note. For daily bars it does not matter.
    `intervals` are words of the vocabulary, one for each row.

    Raises:
        ColumnMismatch: neither says it, and it matters.
    """
    if stamp == "end":
        return "end", ("times are the ends of the bars: each is loaded under its start",)
    if stamp is None and not (intervals == "1d").all():
        raise ColumnMismatch.at(where, "times may be the starts or the ends of the bars", hint=_ASK)
    return "start", ()


def shown(
    plan: TimePlan, written: Stamps, ts: pl.Series, intervals: Words, where: str, *, late: bool
) -> tuple[Stamp, tuple[str, ...]]:
    """The end that the times of a table of no known source are taken for, with a note. `written` is
    what its first batch has, and `ts` that in UTC; `late`: some have 24:00.

    Raises:
        ColumnMismatch: something speaks for the end: dates that are no starts of weeks or months,
            or a session that runs to the close.
    """
    if late:
        return "end", ("24:00 is the end of a day: times are read as the ends of the bars",)
    words = {str(word) for word in intervals.distinct.drop_nulls()}
    if "1d" in words:
        closings.refuse_days_after(ts.filter((intervals.rows == "1d").fill_null(False)), where)
    if words & set(_LONGER):
        longer = intervals.rows.is_in(_LONGER).fill_null(False)
        if end_days(written.shown.filter(longer)):
            taken = "times are the last seconds of the bars: each is loaded under its start"
            return "end", (taken,)
        _refuse_off_grid(ts.filter(longer), intervals.rows.filter(longer), where)
    short = [word for word in words if not bars.is_daily(word)]
    if not short:
        return "start", ()
    whole = [word for word in short if bars.INTERVAL_SECONDS[word] >= _A_MINUTE]
    if len(whole) == len(words) and end_minutes(written.shown):
        taken = "times are the last seconds of the bars: each is loaded under its start"
        return "end", (taken,)
    more: tuple[str, ...] = ()
    if len(short) == 1:
        own, clock = ts, local(written, plan)
        if len(words) > 1:
            own, clock = (each.filter(intervals.rows == short[0]) for each in (own, clock))
        own = own.drop_nulls() if own.null_count() else own
        moments = own.unique().sort()  # the bars of hundreds of symbols have few times
        _refuse_session_ends(plan, moments, short[0], where, rows=len(own))
        more = _week_ends(plan, own, moments, short[0])
        _refuse_whole_days(clock, moments, short[0], where)
    taken = "times are read as the starts of the bars; if they are ends: --stamp end"
    return "start", (taken, *more)


def _refuse_off_grid(ts: pl.Series, intervals: pl.Series, where: str) -> None:
    """Refuses weeks, months, quarters and years most of which are not dated by their first days.

    A holiday may move a first session by some days, but not to one and the same day each month:
    then the days of a month may have been read as months.
    """
    monthly = ts.filter((intervals == "1mo").fill_null(False)).drop_nulls()
    day = int(monthly.dt.day()[0]) if len(monthly) >= _MANY else 0
    if 1 < day <= _MONTHS and (monthly.dt.day() == day).all():
        raise ColumnMismatch.at(
            where,
            f"bars of a month all have day {day}, such as {monthly.dt.to_string('%Y-%m-%d')[0]}: "
            "days and months may be the other way round",
            hint="if they are, say how dates are written: --time-format '%m.%d.%Y', '%Y-%d-%m'; "
            "if they are right: --stamp start",
        )
    first = {
        "1w": ts.dt.weekday() == 1,
        "1mo": ts.dt.day() <= 3,
        "3mo": (ts.dt.day() <= 3) & (ts.dt.month() % 3 == 1),
        "1y": ts.dt.ordinal_day() <= 3,
    }
    for word, on_grid in first.items():
        here = (intervals == word).fill_null(False) & ts.is_not_null()
        off = ts.filter(here & ~on_grid)
        if len(off) * 2 <= int(here.sum()):
            continue
        raise ColumnMismatch.at(
            where,
            f"bars of a {_WORD[word]} have dates such as {off.dt.to_string('%a %Y-%m-%d')[0]}, "
            f"which is not the start of one",
            hint=f"say --stamp end if it is in the {_WORD[word]} that ends with it, "
            "--stamp start to keep the dates as they are",
        )


def _refuse_session_ends(
    plan: TimePlan, moments: pl.Series, interval: str, where: str, *, rows: int
) -> None:
    """Refuses times that run from an interval after a session's opening to its close. `moments` are
    the distinct times of the `rows`."""
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    few = moments if len(moments) <= _FEW else moments.gather_every(len(moments) // _FEW + 1)
    very_few = _instants(few)
    for zone, certain in _places(plan) if len(moments) else ():
        fits = rows >= _MANY and (length < _HOUR or zone.name in LARGE)
        fits = fits and lie_within_one(very_few, zone.name)
        if not certain and not (fits and (few is moments or _may_fit(few, zone))):
            continue
        shown = zones.to_wall(moments, zone)
        clock = shown.dt.time()
        first, last = clock.min(), clock.max()
        if certain and _stops_for_lunch(clock, zone):
            raise ColumnMismatch.at(
                where,
                f"times of {interval} bars have the beginning of the pause at noon in {zone.name}, "
                "and not its end: they may be the ends of the bars",
                hint=_ASK,
            )
        main, *further = sessions(zone.name)
        for opening, close in (main, *further):
            assert isinstance(first, time)
            assert isinstance(last, time)
            if not opening < first <= last <= close or (last < close and not certain):
                continue
            days = pl.DataFrame({"day": shown.dt.date(), "clock": clock}).group_by("day")
            edges = days.agg(first=pl.col("clock").min(), last=pl.col("clock").max())
            opens = timedelta(hours=opening.hour, minutes=opening.minute)
            since = edges["first"].cast(pl.Duration("us")) - opens
            sure = certain and (opening, close) == main
            if _are_ends(since, edges["last"] == close, length, rows=rows, certain=sure):
                raise _session_ends(zone, (opening, close), interval, edges, where)


def _may_fit(few: pl.Series, zone: Zone) -> bool:
    """Whether a few of the times lie within a session of the zone."""
    clock = zones.to_wall(few, zone).dt.time()
    return any(
        ((clock > opening) & (clock <= close)).all() for opening, close in sessions(zone.name)
    )


def _instants(few: pl.Series) -> list[datetime]:
    """Some of the times, the first and the last among them; none beyond Python's years."""
    try:
        return [*few.gather_every(len(few) // _VERY_FEW + 1), *few[-1:]]
    except (ValueError, OverflowError):
        return []


def _stops_for_lunch(clock: pl.Series, zone: Zone) -> bool:
    """Whether some times are the beginning of the pause at noon, and none its end."""
    if zone.name not in LUNCH:
        return False
    begin, end = LUNCH[zone.name]
    inside = ((clock > begin) & (clock <= end)).any()
    return bool((clock == begin).any() and (clock > end).any() and not inside)


def _are_ends(
    since: pl.Series, closed: pl.Series, length: timedelta, *, rows: int, certain: bool
) -> bool:
    """Whether days whose first times are so long `since` the opening, and whose last ones are the
    close where `closed`, have the ends of bars. Times of a zone that is not `certain` have to show
    it on most days, at both ends."""
    share = float(closed.mean() or 0)  # type: ignore[arg-type]
    exact, many = bool((since == length).all()), len(since) >= _MANY
    if certain:
        return share >= 0.5 or (many and exact)
    opened = float((since <= length).mean() or 0)  # type: ignore[arg-type]
    if many:
        return opened >= _MOST and share >= _MOST
    return exact and share == 1 and rows >= _MANY_BARS * len(since)


def _session_ends(
    zone: Zone, session: tuple[time, time], interval: str, edges: pl.DataFrame, where: str
) -> ColumnMismatch:
    opening, close = session
    closed = bool((edges["last"] == close).any())
    said = f"run to {close:%H:%M}" if closed else f"begin at {edges['first'][0]:%H:%M}"
    return ColumnMismatch.at(
        where,
        f"times of {interval} bars {said} in {zone.name}, where the session is from "
        f"{opening:%H:%M} to {close:%H:%M}: they may be the ends of the bars",
        hint=_ASK,
    )


def _week_ends(plan: TimePlan, ts: pl.Series, moments: pl.Series, interval: str) -> tuple[str, ...]:
    """A note on times of futures and foreign exchange, which trade through the night: bars that end
    with the last hour before the daily pause, or with the week, at 17:00 in New York. `moments` are
    the distinct ones of `ts`."""
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    if plan.kind == "date" or length > _HOUR or not _may_be_nights(moments):
        return ()
    shown = zones.to_wall(moments, _NEW_YORK)
    clock, weekday = shown - shown.dt.truncate("1d"), shown.dt.weekday()
    if not ((clock < MORNING).any() and (clock > NIGHT).any()):
        return ()
    paused = not ((clock > CLOSE) & (clock <= CLOSE + _HOUR)).any()
    closes = int(ts.is_in(moments.filter(clock == CLOSE).implode()).sum())
    fridays, sundays = clock.filter(weekday == _FRIDAY), clock.filter(weekday == _SUNDAY)
    week = len(fridays) > 0 and len(sundays) > 0 and fridays.max() == CLOSE
    week = week and sundays.min() in {CLOSE + length, CLOSE + _HOUR + length}
    if not (week or (paused and closes >= _MANY)):
        return ()
    return (f"times of {interval} bars run to 17:00 in New York, where trading ends: likely ends",)


def _may_be_nights(moments: pl.Series) -> bool:
    """Whether some of the times (UTC) may be before `MORNING` in New York, and some after `NIGHT`:
    its clock is four to five hours behind. Much faster than to ask that clock."""
    hours = moments.cast(pl.Int64) // _HOUR_US % 24
    return bool(hours.is_between(4, 11).any() and (hours <= 4).any())


def _refuse_whole_days(clock: pl.Series, ts: pl.Series, interval: str, where: str) -> None:
    """Refuses times that run through whole days from their second bar on to midnight. `clock` is as
    written (naive Datetime us), `ts` the same in UTC: whole days of UTC may be written otherwise.
    """
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    first, end, utc = clock.min(), clock.max(), ts.min()
    if length > _HOUR or first is None or utc is None:
        return
    assert isinstance(first, datetime)
    assert isinstance(end, datetime)
    assert isinstance(utc, datetime)
    start = first - length
    at_midnight = start.time() == end.time() == time(0)
    if not at_midnight or utc.time() == time(0):
        return
    if clock.drop_nulls().n_unique() * 2 < (end - start) / length:
        return
    raise ColumnMismatch.at(
        where,
        f"times of {interval} bars fill whole days from {start + length:%H:%M} to 24:00: they may "
        "be the ends of the bars",
        hint=_ASK,
    )


def _places(plan: TimePlan) -> list[tuple[Zone, bool]]:
    """The markets' zones to look at, and whether it is certain that the times are of that zone: one
    that somebody names is. Others tell where in UTC their sessions are, whatever clock was used."""
    named = None if plan.zone is None else Zone(plan.zone.name)
    certain = named is not None and plan.zone == named and named.name in SESSIONS
    if certain and named is not None:
        return [(named, True)]
    if plan.kind == "date":
        return []
    return [(Zone(name), False) for name in SESSIONS if name not in ALIASES]
