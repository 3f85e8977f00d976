"""The zone of a file's times, and the dates of its daily bars: the plan is settled with them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from loader.bars.times import evenings
from loader.bars.times.plan import Planned, Subject
from loader.bars.times.stamps import NAME_ZONE, NO_ZONE, Stamps, TimePlan, are_dates
from loader.bars.times.zones import Zone


def settled(
    plan: TimePlan,
    stamps: Stamps,
    intervals: pl.Series,
    *,
    daily: pl.Series,
    zone: Zone | None,
    asked: bool,
    own_zone: Zone | None,
    are_ends: bool,
    where: str,
) -> Planned:
    """The plan with its zone, given which of the first batch's bars are `daily` or longer, and
    their `intervals`.

    `zone` is the person's where it is `asked` for, else the dialect's; `own_zone` the one that the
    column carries. `are_ends`: the person or the dialect says that the times are ends.

    Raises:
        ColumnMismatch: a zone is needed and nobody named it, dates stand where times are needed, or
            days may begin on the evening before.
    """
    what = Subject(plan.columns, where)
    plan, notes = _zoned(plan, stamps, daily, zone, own_zone, asked=asked, what=what)
    plan, more = evenings.settled(plan, stamps, intervals, zone, are_ends=are_ends, what=what)
    return plan, more if plan.evenings else notes + more


def _zoned(
    plan: TimePlan,
    stamps: Stamps,
    daily: pl.Series,
    zone: Zone | None,
    own_zone: Zone | None,
    *,
    asked: bool,
    what: Subject,
) -> Planned:
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
        taken = zone if zone is not None and asked and zone.ahead else own_zone
        own = "" if taken is zone else ", the column's own time zone"
        note = f"session dates are those of {taken}{own}"
        return replace(plan, kind="offset", zone=taken), (note,)
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
    return replace(plan, zone=zone), (f"session dates are those of {zone}",)
