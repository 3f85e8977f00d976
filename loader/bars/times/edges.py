"""Which end of its bar a timestamp is: from the option, the dialect, and what the times show."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, Literal

import polars as pl

from loader import bars
from loader.bars.times import closings, zones
from loader.bars.times.stamps import LAST_SECOND, Stamps, TimePlan, local
from loader.bars.times.zones import Zone
from loader.bars.words import Words
from loader.errors import ColumnMismatch

Stamp = Literal["start", "end"]
#: Opening and close of the main session on the clocks of markets.
_SESSIONS: Final = {
    **dict.fromkeys(
        ("America/New_York", "US/Eastern", "America/Toronto", "EST5EDT"), (time(9, 30), time(16))
    ),
    **dict.fromkeys(("America/Chicago", "US/Central"), (time(8, 30), time(15))),
    "Europe/London": (time(8), time(16, 30)),
    **dict.fromkeys(
        ("Europe/Berlin", "Europe/Paris", "Europe/Amsterdam", "Europe/Brussels", "Europe/Madrid",
         "Europe/Rome", "Europe/Lisbon"), (time(9), time(17, 30)),
    ),
    "Asia/Tokyo": (time(9), time(15)),
    "Asia/Hong_Kong": (time(9, 30), time(16)),
    "Asia/Shanghai": (time(9, 30), time(15)),
    "Asia/Kolkata": (time(9, 15), time(15, 30)),
    "Asia/Calcutta": (time(9, 15), time(15, 30)),
    "Asia/Seoul": (time(9), time(15, 30)),
    "Asia/Taipei": (time(9), time(13, 30)),
    "Australia/Sydney": (time(10), time(16)),
}  # fmt: skip
#: For instants, of which no zone is known, all days of as many have to agree.
_MANY: Final = 3
_ASK: Final = "say it: --stamp start or --stamp end"
#: Longer bars than these seldom fill a day by chance from its second bar on.
_HOUR: Final = timedelta(hours=1)
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
    closings.refuse_days_after(ts.filter((intervals.rows == "1d").fill_null(False)), where)
    if words & set(_LONGER):
        longer = intervals.rows.is_in(_LONGER).fill_null(False)
        if _last_seconds(written.shown.filter(longer)):
            taken = "times are the last seconds of the bars: each is loaded under its start"
            return "end", (taken,)
        _refuse_off_grid(ts.filter(longer), intervals.rows.filter(longer), where)
    short = [word for word in words if not bars.is_daily(word)]
    if not short:
        return "start", ()
    if len(short) == 1:
        own = ts if len(words) == 1 else ts.filter(intervals.rows == short[0])
        clock = local(written, plan)
        clock = clock if len(words) == 1 else clock.filter(intervals.rows == short[0])
        _refuse_session_ends(plan, written, own, short[0], where)
        _refuse_whole_days(clock, own, short[0], where)
    return "start", ("times are read as the starts of the bars; if they are ends: --stamp end",)


def _last_seconds(shown: pl.Series) -> bool:
    clocks = (shown - shown.dt.truncate("1d")).drop_nulls()
    return len(clocks) > 0 and bool((clocks >= LAST_SECOND).all())


def _refuse_off_grid(ts: pl.Series, intervals: pl.Series, where: str) -> None:
    """Refuses weeks, months, quarters and years most of which are not dated by their first days.

    A holiday may move a first session by some days.
    """
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
    plan: TimePlan, written: Stamps, ts: pl.Series, interval: str, where: str
) -> None:
    """Refuses times that run from an interval after a session's opening to its close."""
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    for zone, certain in _places(plan, written):
        opening, close = _SESSIONS[zone.name]
        shown = zones.to_wall(ts.drop_nulls(), zone)
        clock, day = shown.dt.time(), shown.dt.date()
        if not len(shown) or (clock <= opening).any() or (clock > close).any():
            continue
        days = pl.DataFrame([day.alias("day"), clock.alias("clock")]).group_by("day")
        edges = days.agg(first=pl.col("clock").min(), last=pl.col("clock").max())
        first = timedelta(hours=opening.hour, minutes=opening.minute) + length
        opened = edges["first"].cast(pl.Duration("us")) == first
        closed = edges["last"] == close
        many = edges.height >= _MANY
        ends = closed.mean() >= 0.5 or (many and opened.all())  # type: ignore[operator]
        if ends if certain else many and opened.all() and closed.all():
            said = (
                f"run to {close:%H:%M}" if closed.any() else f"begin at {edges['first'][0]:%H:%M}"
            )
            raise ColumnMismatch.at(
                where,
                f"times of {interval} bars {said} in {zone.name}, where the session is from "
                f"{opening:%H:%M} to {close:%H:%M}: they may be the ends of the bars",
                hint=_ASK,
            )


def _refuse_whole_days(clock: pl.Series, ts: pl.Series, interval: str, where: str) -> None:
    """Refuses times that run through whole days from their second bar on to midnight. `clock` is as
    written (naive Datetime us), `ts` the same in UTC: whole days of UTC may be written otherwise.
    """
    length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    clock, ts = clock.drop_nulls(), ts.drop_nulls()
    if length > _HOUR or not len(clock) or not len(ts):
        return
    start, end = (clock - length).min(), clock.max()
    assert isinstance(start, datetime)
    assert isinstance(end, datetime)
    full = (end - start) / length
    at_midnight = start.time() == end.time() == time(0)
    utc = ts.min()
    assert isinstance(utc, datetime)
    if not at_midnight or clock.n_unique() * 2 < full or utc.time() == time(0):
        return
    raise ColumnMismatch.at(
        where,
        f"times of {interval} bars fill whole days from {start + length:%H:%M} to 24:00: they may "
        "be the ends of the bars",
        hint=_ASK,
    )


def _places(plan: TimePlan, written: Stamps) -> list[tuple[Zone, bool]]:
    """The markets' zones to look at, and whether it is certain that the times are of that zone."""
    if plan.zone is not None:
        named = Zone(plan.zone.name)
        return [(named, True)] if plan.zone == named and named.name in _SESSIONS else []
    if plan.kind not in ("instant", "offset"):
        return []
    return [(Zone(name), False) for name in ("America/New_York", "Europe/London", "Asia/Shanghai")]
