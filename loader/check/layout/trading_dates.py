"""Night sessions of plain tables that stand under the date of the trading day they belong to.

Chinese futures trade from 21:00 to 02:30 and from 09:00 to 15:00, and both sessions have the date
of the second. As times these are wrong: the night is a day late, over a weekend three.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Final

import polars as pl

from loader.bars import numbers
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
    rows = pl.DataFrame([shown.alias("t"), *keys]).with_row_index("row").drop_nulls("t")
    own = [key.name for key in keys]
    rows = rows.with_columns(date=pl.col("t").dt.date())
    if rows.height < _FEWEST or rows["t"].dt.time().n_unique() < _FEWEST:
        return
    found = _evening_first(rows, own) or _monday_nights(rows)
    if found is None and not own:
        found = _nights_by_price(rows, frame, columns)
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
#: Evenings of sessions begin at this hour, day sessions end before the other one.
_NIGHT, _CLOSED = 20, 16
#: Steps between sessions that are so much smaller in one order than in the other show it.
_SMALLER: Final = 0.5


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


def _nights_by_price(
    rows: pl.DataFrame, frame: pl.DataFrame, columns: Mapping[str, str]
) -> str | None:
    """Where prices go on from the day session of one date to the evening of the next, and from that
    evening to the day of its own date, evenings stand before the days of their dates."""
    hour = pl.col("t").dt.hour()
    clocks = rows.select(
        night=(hour >= _NIGHT).any(), day=(hour < _CLOSED).any(), morning=(hour < _DAWN.hour).any(),
        between=((hour >= _CLOSED) & (hour < _NIGHT)).any(),
    ).row(0, named=True)  # fmt: skip
    if not (clocks["night"] and clocks["day"]) or clocks["morning"] or clocks["between"]:
        return None
    prices = {name: numbers.to_float(frame[columns[name]]) for name in ("open", "close")}
    priced = rows.with_columns(prices[name].gather(rows["row"]).alias(name) for name in prices)
    night, time = hour >= _NIGHT, pl.col("t")
    sessions = (
        priced.filter(pl.min_horizontal("open", "close") > 0)
        .group_by("date", night=night)
        .agg(pl.col("open").sort_by(time).first(), pl.col("close").sort_by(time).last())
    )
    days, nights = (
        sessions.filter(pl.col("night") == late).drop("night") for late in (False, True)
    )
    dates = days.join(nights, on="date", suffix="_night").sort("date")
    if dates.height < _FEWEST:
        return None
    before = {name: pl.col(name).shift() for name in ("close", "close_night")}

    def step(opened: str, closed: pl.Expr) -> pl.Expr:
        return (pl.col(opened) / closed).log().abs()

    as_written = (
        step("open_night", pl.col("close")).mean() + step("open", before["close_night"]).mean()
    )
    moved = step("open", pl.col("close_night")).mean() + step("open_night", before["close"]).mean()
    written, ahead = dates.select(as_written.alias("written"), moved.alias("ahead")).row(0)
    if not written or ahead >= _SMALLER * written:
        return None
    return "prices go on from the day of one date to the evening of the next one"
