"""The zone of a file's times, and the dates of its daily bars: the plan is settled with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Final

import polars as pl

from loader.bars.times import zones
from loader.bars.times.plan import Planned, Subject
from loader.bars.times.stamps import NAME_ZONE, NO_ZONE, Stamps, TimePlan, are_dates
from loader.bars.times.zones import Zone

#: Days of foreign exchange begin at 17:00 in New York, of futures at 17:00 in Chicago.
_EVENING: Final = time(17)


def settled(
    plan: TimePlan,
    stamps: Stamps,
    *,
    daily: pl.Series,
    zone: Zone | None,
    asked: bool,
    own_zone: Zone | None,
    where: str,
) -> Planned:
    """The plan with its zone, given which of the first batch's bars are `daily` or longer.

    `zone` is the person's where it is `asked` for, else the dialect's; `own_zone` the one that the
    column carries.

    Raises:
        ColumnMismatch: a zone is needed and nobody named it, or dates stand where times are needed.
    """
    what = Subject(plan.columns, where)
    if plan.kind == "date" and len(daily) and not daily.any():
        raise what.wrong(
            "are dates without a time of day, but the bars are intraday",
            hint="name a column with times: --column ts=NAME; or the interval: --interval 1d",
        )
    if plan.zone is not None:
        own = f"times name their zone, {plan.zone}: {zone} is not applied to them"
        return plan, (own,) if zone not in (None, plan.zone) and asked else ()
    if plan.kind == "wall" and zone is None and not daily.all():
        raise what.wrong(NO_ZONE, hint=NAME_ZONE)
    if plan.kind in ("date", "wall"):
        return replace(plan, zone=zone), ()
    if plan.kind == "offset" or not daily.any():
        own = "times say themselves where they lie in UTC: {} is not applied to them"
        return plan, (own.format(zone),) if zone is not None and asked else ()
    if own_zone is not None:
        note = f"session dates are those of {own_zone}, the column's own time zone"
        return replace(plan, kind="offset", zone=own_zone), (note,)
    return _daily_instants(plan, stamps, daily, zone, asked=asked, what=what)


def _daily_instants(
    plan: TimePlan,
    stamps: Stamps,
    daily: pl.Series,
    zone: Zone | None,
    *,
    asked: bool,
    what: Subject,
) -> Planned:
    """Instants at midnight UTC are session dates already; of others only a zone tells the date."""
    shown = stamps.shown.filter(daily).drop_nulls()
    off = shown.filter(~are_dates(shown))
    if not len(off):
        said = "daily bars stand at midnight UTC: {} is not applied to them"
        return plan, (said.format(zone),) if zone is not None and asked else ()
    if zone is None:
        raise what.wrong(
            f"are those of daily bars, but not at midnight UTC (such as "
            f"{off.dt.to_string('%Y-%m-%d %H:%M:%SZ')[0]}): the dates depend on a time zone",
            hint="name the market's: --timezone America/New_York",
        )
    _refuse_evenings(off, zone, what)
    return replace(plan, zone=zone), (f"session dates are those of {zone}",)


def _refuse_evenings(utc: pl.Series, zone: Zone, what: Subject) -> None:
    """Refuses days that begin on the evening before, as those of foreign exchange and futures do:
    none begins on a Friday evening."""
    local = zones.to_wall(utc.dt.replace_time_zone("UTC"), zone)
    evening = local.dt.time()
    if not len(local) or (evening < _EVENING).any() or (local.dt.weekday() == 5).any():
        return
    hours = 24 - evening[0].hour
    ahead = str(replace(zone, ahead=zone.ahead + timedelta(hours=hours)))
    raise what.wrong(
        f"are those of daily bars that begin at {evening[0]:%H:%M} in {zone}, perhaps on the "
        "evening before their session",
        hint=f"if the session is that of the next date: --timezone {ahead}"
        if zone.offset is None
        else "name the market's zone: --timezone America/New_York",
    )
