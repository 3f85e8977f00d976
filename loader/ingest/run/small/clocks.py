"""That the clocks of small files which are alike leave their checks nothing to find: no times that
may be the ends of bars, and no nights under the date of their trading day.

The checks look at the times of all series of a file together, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from loader.bars.sessions import ALIASES, LARGE, SESSIONS, python_zone, sessions
from loader.bars.times import edges, zones
from loader.bars.times.zones import UTC, Zone
from loader.check.layout.decide import Layout
from loader.ingest.run.small.patterns import Pattern

_HOUR: Final = 3600
_A_MINUTE: Final = 60
_ONE_DAY: Final = timedelta(days=1)
_NEW_YORK: Final = Zone("America/New_York")
_MONDAY, _FRIDAY, _SATURDAY = 1, 5, 6
#: Hours of nights, see `loader.check.layout.trading_dates`.
_EVENING, _NIGHT, _MORNING = 16, 20, 6


def clocks(ts: pl.Series, layout: Layout) -> list[pl.Series]:
    """The times (Datetime us UTC) on two clocks (naive Datetime us): `new_york`, and `wall`, on
    which the cells are written."""
    plan = layout.times
    return [
        zones.to_wall(ts, _NEW_YORK).alias("new_york"),
        zones.to_wall(ts, plan.zone or UTC if plan.kind == "wall" else UTC).alias("wall"),
    ]


def are_days() -> pl.Expr:
    """Whether all `ts` of a file are midnights, and none is a Saturday."""
    ts = pl.col("ts")
    return (ts.dt.truncate("1d") == ts).all() & (ts.dt.weekday() != _SATURDAY).all()


def are_starts(pattern: Pattern, seconds: int) -> pl.Expr:
    """Whether the clocks of a file lie as starts do, but for sessions in UTC and whole days. Its
    bars last `seconds`, less than a day."""
    found = [(pl.col("wall").dt.second() != _A_MINUTE - 1).any()]
    if seconds <= _HOUR:
        found.append(~_may_end_with_week())
    if pattern.layout.times.kind == "wall":
        found += _local_days(pattern, seconds)
    return pl.all_horizontal(*found)


def _may_end_with_week() -> pl.Expr:
    """Whether times that go through the night may run to 17:00 in New York."""
    here = pl.col("new_york")
    clock = here - here.dt.truncate("1d")
    night = (clock < edges.MORNING).any() & (clock > edges.NIGHT).any()
    friday = clock.filter(here.dt.weekday() == _FRIDAY).max()
    at_close = (clock == edges.CLOSE).sum()
    return night & ((at_close > 0) | (friday == edges.CLOSE).fill_null(False))


def _local_days(pattern: Pattern, seconds: int) -> list[pl.Expr]:
    """That nights do not look as if they stood under the date of their trading day, and that times
    of a market's own zone do not lie as ends do: between an opening and the close, with the close
    or one interval after the opening."""
    clock, hour = pl.col("wall").dt.time(), pl.col("wall").dt.hour()
    weekday = pl.col("wall").dt.weekday()
    monday = ((weekday == _MONDAY) & (hour < 1)).any()
    friday = ((weekday == _FRIDAY) & (hour >= _EVENING)).any()
    late, early = (hour >= _NIGHT).any(), (hour < _MORNING).any()
    found = [~(monday & friday), ~late | early]
    for opening, close in sessions(pattern.market) if pattern.market else ():
        within = (clock.min() > opening) & (clock.max() <= close)
        ends = [close, _end_of_first(opening, seconds)]
        found.append(~(within & clock.is_in(ends).any()))
    return found


def fills_days(begin: datetime, end: datetime, seconds: int) -> bool:
    """Whether times on the clock of the cells, the first and the last, may run from the second bar
    of a day up to midnight."""
    first = (begin - timedelta(seconds=seconds)).time()
    return seconds <= _HOUR and end.time() == first == time(0)


def first_with_ends(
    rows: pl.DataFrame, spans: Sequence[tuple[datetime, datetime]], seconds: int
) -> int:
    """The number of the first file that has times which may run to the close of a market's session,
    as ends of bars do: some are its close, and none lies outside of it. `spans` has the first and
    the last time (UTC) of each file, `rows` their `file` numbers, `ts` and `new_york`."""
    found, distinct = len(spans), set(spans)
    for name in _markets():
        zone = python_zone(name)
        if zone is None or (seconds >= _HOUR and name not in LARGE):
            found = 0 if zone is None else found
            continue
        lying = {ends for ends in distinct if _lie_as_ends(*ends, zone, name, seconds)}
        within = [n for n, ends in enumerate(spans[:found]) if ends in lying]
        if within:
            closes = [close for _, close in sessions(name)]
            known = Zone(name) == _NEW_YORK
            wall = rows["new_york"] if known else zones.to_wall(rows["ts"], Zone(name))
            at_close = wall.dt.time().is_in(closes)
            hits = set(rows["file"].filter(at_close).unique())
            found = min((number for number in within if number in hits), default=found)
    return found


def _lie_as_ends(lo: datetime, hi: datetime, zone: ZoneInfo, market: str, seconds: int) -> bool:
    """Whether the first and the last time lie within a session, after its opening; those of one or
    two days show ends only if they begin with the end of its first bar."""
    first, last = lo.astimezone(zone).time(), hi.astimezone(zone).time()
    for opening, close in sessions(market):
        within = opening < first <= close and opening < last <= close
        if within and (hi - lo >= _ONE_DAY or first == _end_of_first(opening, seconds)):
            return True
    return False


def _end_of_first(opening: time, seconds: int) -> time:
    return (datetime.combine(date.min, opening) + timedelta(seconds=seconds)).time()


@cache
def _markets() -> tuple[str, ...]:
    return tuple(name for name in SESSIONS if name not in ALIASES)
