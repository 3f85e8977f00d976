"""Night sessions of plain tables that stand under the date of the trading day they belong to.

Chinese futures trade from 21:00 to 02:30 and from 09:00 to 15:00, and both sessions have the date
of the second. As times these are wrong: the night is a day late, over a weekend three.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Final

import polars as pl

from loader.errors import ColumnMismatch

#: Evening sessions begin at this hour at the earliest, day sessions before noon.
_EVENING, _NOON = 16, 12
_MONDAY, _FRIDAY, _SATURDAY = 1, 5, 6
#: The share of the dates that have to be so.
_MOST: Final = 0.5
#: A night ends at this time at the latest, and so much later the day session begins.
_DAWN: Final = time(6, 30)
_PAUSE: Final = 150
_HOUR: Final = 60
#: Names of columns that have the date of the calendar beside that of the trading day.
_CALENDAR_NAMES: Final = "ActionDay"


def refuse(frame: pl.DataFrame, columns: Mapping[str, str], shown: pl.Series, where: str) -> None:
    """`shown` are the local clocks of intraday bars (naive Datetime us).

    Raises:
        ColumnMismatch: evenings stand before mornings under one date, or nights of Mondays have no
            evening before.
    """
    names = ("provider", "symbol", "interval")
    keys = [frame[columns[name]].alias(name) for name in names if name in columns]
    rows = pl.DataFrame([shown.alias("t"), *keys]).drop_nulls("t")
    own = [key.name for key in keys]
    rows = rows.with_columns(date=pl.col("t").dt.date())
    if rows.height < _FEWEST or rows["t"].dt.time().n_unique() < _FEWEST:
        return
    found = _evening_first(rows, own) or _monday_nights(rows)
    if found is None:
        return
    raise ColumnMismatch.at(
        where,
        f"{found}: night sessions seem to have the date of the trading day that they belong to, "
        "not their own",
        column=columns["ts"],
        hint=f"name a column with the dates of the calendar, such as {_CALENDAR_NAMES} (--column "
        "ts=NAME --column time_of_day=NAME), or correct them in the file; if the times are right, "
        "sort the rows by time",
    )


_FEWEST: Final = 4


def _evening_first(rows: pl.DataFrame, own: list[str]) -> str | None:
    """The rows of most dates begin in the evening and go on in the night or morning before."""
    if rows["t"].is_sorted() or rows["t"].is_sorted(descending=True):
        return None
    step = pl.col("t").diff()
    steps = rows.with_columns(step=step.over(own) if own else step)["step"]
    falling = (steps.dt.total_microseconds() < 0).sum() > (steps.dt.total_microseconds() > 0).sum()
    rows = rows.reverse() if falling else rows
    group = [*own, "date"]
    if rows.select(pl.struct(*own, "t").is_duplicated().any()).item():
        return None
    clock = pl.col("t").dt.hour()
    back = pl.col("t") < pl.col("t").shift().over(group)
    turns = (
        rows.with_columns(
            back=back, before=pl.col("t").shift().over(group), hour=clock, late=clock >= _EVENING
        )
        .group_by(group, maintain_order=True)
        .agg(
            turns=pl.col("back").sum(),
            first=pl.col("hour").first(),
            after=pl.col("t").filter(pl.col("back")).first(),
            before=pl.col("before").filter(pl.col("back")).first(),
        )
    )
    fits = (
        (pl.col("turns") == 1)
        & (pl.col("first") >= _EVENING)
        & (pl.col("before").dt.hour() >= _EVENING)
        & (pl.col("after").dt.hour() < _NOON)
    )
    nights = turns.filter(fits.fill_null(False))
    if nights.is_empty() or nights.height < _MOST * turns.height:
        return None
    before, after = nights.select("before", "after").row(0)
    return f"{before:%H:%M} is followed by {after:%H:%M} under one date, {after:%Y-%m-%d}"


def _monday_nights(rows: pl.DataFrame) -> str | None:
    """Nights that end before a long pause are there on Mondays, evenings on Fridays, and nothing on
    Saturdays and Sundays."""
    days = rows["date"].dt.weekday()
    minute = rows["t"].dt.hour().cast(pl.Int32) * _HOUR + rows["t"].dt.minute()
    on_monday = minute.filter(days == _MONDAY)
    fridays = minute.filter(days == _FRIDAY)
    evening = _EVENING * _HOUR
    if (days >= _SATURDAY).any() or not len(on_monday) or not (fridays >= evening).any():
        return None
    dawn = _DAWN.hour * _HOUR + _DAWN.minute
    night = on_monday.filter(on_monday <= dawn)
    if not len(night) or int(night.min()) >= _HOUR:  # type: ignore[arg-type]
        return None
    later = minute.filter(minute > int(night.max()))  # type: ignore[arg-type]
    if not len(later) or int(later.min()) - int(night.max()) < _PAUSE:  # type: ignore[arg-type]
        return None
    last = int(night.max())  # type: ignore[arg-type]
    return (
        f"Mondays have times from 00:00 to {last // _HOUR:02}:{last % _HOUR:02}, Fridays have "
        "evenings, and weekends have nothing"
    )
