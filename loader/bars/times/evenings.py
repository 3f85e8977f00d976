"""Daily and longer bars that begin on the evening before the date of their session.

A day of foreign exchange begins at 17:00 in New York, one of futures at 17:00 in Chicago. Whether a
stamp in the evening is such a beginning or a close, the clock does not show; the weekdays may.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from loader.bars import words
from loader.bars.times import zones
from loader.bars.times.plan import Planned, Subject
from loader.bars.times.stamps import Stamps, TimePlan, local, time_of_day
from loader.bars.times.zones import Zone

_DAY: Final = timedelta(days=1)
#: From here to midnight a stamp is the end of its day.
_LAST_MINUTE: Final = timedelta(hours=23, minutes=59)
#: Sessions begin at this hour at the earliest; if some begin on Sundays, two hours before.
_EVENING, _ON_SUNDAYS = 17, 15
#: So many of the bars have to be so, because a holiday may move some.
_MOST, _FEW = 0.9, 0.05
#: A session in a hundred days or so is on a Saturday; in a short file that is a larger part.
_SPECIAL: Final = 0.15
_FRIDAY, _SATURDAY, _SUNDAY = 5, 6, 7
#: Longer bars by the truncation that gives their first days.
_LONGER: Final = {"1w": "1w", "1mo": "1mo", "3mo": "1q", "1y": "1y"}


def settled(
    plan: TimePlan,
    stamps: Stamps,
    intervals: pl.Series,
    zone: Zone | None,
    *,
    are_ends: bool,
    what: Subject,
) -> Planned:
    """The plan, with `evenings` where days begin on the evening before.

    `intervals` are words of the vocabulary, null where there is none; `zone` is the person's, else
    the dialect's. `are_ends`: the person or the dialect says that times are ends.

    Raises:
        ColumnMismatch: they may begin on the evening before, and no zone with hours ahead says so.
    """
    words = ["1d", *_LONGER]
    if set(words).isdisjoint(intervals.unique()):
        return plan, ()
    longer = intervals.is_in(words).fill_null(False)
    clock, intervals = local(stamps, plan).filter(longer), intervals.filter(longer)
    at = time_of_day(clock).drop_nulls()
    if not len(at) or (at == timedelta(0)).all():
        return plan, ()
    ahead = zone is not None and zone.ahead > timedelta(0) and stamps.wall is not None
    if not are_ends and _at_midnight_utc(plan, stamps, longer):
        note = f"daily bars stand at midnight UTC ({_shown(clock)} on their clock): it is the date"
        return replace(plan, evenings=True), (note,)
    if are_ends:
        return plan, ()
    if not (_evening(at, _ON_SUNDAYS) if ahead else _before_sessions(clock, intervals)):
        return plan, _closes(clock, intervals, at, plan.zone or zone)
    if ahead:
        assert zone is not None
        own = plan.zone and replace(plan.zone, ahead=timedelta(0))
        note = f"days begin at {_shown(clock)}: session dates are the next"
        return replace(plan, zone=own, evenings=True), (note,)
    place = plan.zone or zone
    where = f" in {place}" if place is not None else ""
    if zone is None and plan.zone is not None and plan.zone.offset is not None:
        place = None  # cells say it, and not all of their words are names
    raise what.wrong(
        f"are those of daily or longer bars that begin at {_shown(clock)}{where}, perhaps on the "
        "evening before their session",
        hint=f"if the session is that of the next date: --timezone {_ahead(at, zone or place)}; "
        "if the times are the ends of sessions: --stamp end",
    )


def _at_midnight_utc(plan: TimePlan, stamps: Stamps, longer: pl.Series) -> bool:
    """Whether local evenings are midnights in UTC: an instant there is a date already. Those of
    Mondays to Fridays are closes: sessions of New York run to 20:00."""
    if plan.kind == "instant" or (stamps.utc is None and plan.zone is None):
        return False
    own = local(stamps, plan).filter(longer).drop_nulls()
    if stamps.utc is not None:
        utc = stamps.utc.filter(longer).drop_nulls()
    else:
        assert plan.zone is not None
        utc = zones.to_utc(own, plan.zone).utc.drop_nulls()
    weekday = own.dt.weekday()
    weekends = float(weekday.is_in([_SATURDAY, _SUNDAY]).mean() or 0)  # type: ignore[arg-type]
    closes = _FRIDAY in weekday and weekends < _SPECIAL
    here = (utc == utc.dt.truncate("1d")).all() and _evening(time_of_day(own), _EVENING)
    return len(utc) > 0 and bool(here) and not closes


def _before_sessions(clock: pl.Series, intervals: pl.Series) -> bool:
    """Whether the bars, most of them in the evening, are those of the next dates."""
    known = clock.is_not_null()
    clock, intervals = clock.filter(known), intervals.filter(known)
    at = time_of_day(clock)
    weekday = clock.dt.weekday()
    days = intervals == "1d"
    if days.any():
        own = weekday.filter(days)
        sundays = float((own == _SUNDAY).mean() or 0)  # type: ignore[arg-type]
        hour = _ON_SUNDAYS if sundays > _FEW else _EVENING
        fridays, saturdays = (
            float((own == day).mean() or 0)  # type: ignore[arg-type]
            for day in (_FRIDAY, _SATURDAY)
        )
        special = sundays > _FEW and fridays == 0 and saturdays < _SPECIAL
        return _evening(at.filter(days), hour) and (special or fridays + saturdays < _FEW)
    first = words.constant(False, len(clock), pl.Boolean())
    after = (clock + _DAY).dt.truncate("1d")
    for interval, step in _LONGER.items():
        first |= (intervals == interval) & (after == after.dt.truncate(step))
    return _evening(at, _EVENING) and float(first.mean() or 0) >= _MOST  # type: ignore[arg-type]


def _closes(
    clock: pl.Series, intervals: pl.Series, at: pl.Series, zone: Zone | None
) -> tuple[str, ...]:
    """A note on days from Mondays to Fridays that are stamped in the evening."""
    if not (intervals == "1d").all() or not _evening(at, _EVENING):
        return ()
    taken = f"daily bars are stamped {_shown(clock)}: their dates are taken as they stand"
    if zone is not None and zone.ahead > timedelta(0):
        return (taken,)
    return (f"{taken}; if sessions are those of the next dates: --timezone {_ahead(at, zone)}",)


def _evening(at: pl.Series, hour: int) -> bool:
    here = (at >= timedelta(hours=hour)) & (at < _LAST_MINUTE)
    return float(here.mean() or 0) >= _MOST  # type: ignore[arg-type]


def _ahead(at: pl.Series, zone: Zone | None) -> Zone:
    """The zone to name, with the hours that bring all evenings to the next date; one more where
    the market's clock may change on another day than the zone's."""
    evening = at.filter(at >= timedelta(hours=_ON_SUNDAYS))
    hours = 24 - int(evening.dt.total_hours().min())  # type: ignore[arg-type]
    place = zone or Zone("America/New_York")
    if zone is not None and not zone.name.startswith("America/"):
        hours += 1
    return replace(place, ahead=place.ahead + timedelta(hours=hours))


def _shown(clock: pl.Series) -> str:
    return str(clock.drop_nulls().dt.to_string("%H:%M").mode().sort()[0])
