"""Dates and times of day of plain tables that stand in several columns of numbers: `date,hour`,
`year,month,day,hour,minute`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import polars as pl

from loader.bars.cells import is_clock, is_date
from loader.check.layout.clocks import DAY_WORDS
from loader.dialects.dialect import fold

_HOUR: Final = frozenset(["hour", "hours", "hr", "hh", "hourofday", "starthour"])
_MINUTE: Final = frozenset(["minute", "minutes", "min", "mm", "minuteofhour"])
_SECOND: Final = frozenset(["second", "seconds", "sec", "ss"])
_YEAR: Final = frozenset(["year", "yyyy", "yr"])
_MONTH: Final = frozenset(["month", "mon", "monthofyear"])
_DAY: Final = frozenset(["day", "dayofmonth", "dom", "dd"])
_WHOLE: Final = r"^[0-9]{1,4}(\.0+)?$"


@dataclass(frozen=True, slots=True)
class Split:
    """The columns that make up times, in their order.

    Attributes:
        day: those of year, month and day; none where the table has a column of dates.
        clock: those of hour, minute and second, as far as there are any.
        time: the column to be made of `clock`.
        ends: whether hours run from 1 to 24, and the hour before each is its bar's start.
    """

    day: tuple[str, ...] = ()
    clock: tuple[str, ...] = ()
    time: str = "time"
    ends: bool = False

    @property
    def used(self) -> frozenset[str]:
        return frozenset((*self.day, *self.clock)) - {self.time}

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.day and not self.clock:
            return ()
        made = f"times are made of {', '.join(map(repr, (*self.day, *self.clock)))}"
        ends = ": hours from 1 to 24 are the ends of the bars" if self.ends else ""
        return (made + ends,)


def split_of(frame: pl.DataFrame, asked: Mapping[str, str]) -> Split:
    """What of a table's times is split, by its first rows and the columns that the person asked
    for. Hours are read only where they tell rows of one date apart, or where the person asks."""
    names = {fold(name): name for name in frame.columns}
    day = _day(frame, names) if "ts" not in asked else ()
    dates = [names[word] for word in (fold(asked.get("ts", "")), *DAY_WORDS) if word in names]
    dates = [name for name in dates if name not in day and is_date(frame[name])]
    hour = _one(frame, names, _HOUR, 24)
    named = fold(asked.get("time_of_day", ""))
    if hour is None or (named and named != fold(hour)) or not (day or dates):
        return Split(day)
    clocks = ("time", "timeofday")
    if not named and any(word in names and is_clock(frame[names[word]]) for word in clocks):
        return Split(day)
    date = [pl.col(name) for name in (day or dates[:1])]
    days, hours = (frame.select(pl.struct(*date, *more)).n_unique() for more in ((), (hour,)))
    if not named and hours == days:
        return Split(day)
    minute = _one(frame, names, _MINUTE, 59)
    second = _one(frame, names, _SECOND, 59) if minute is not None else None
    clock = tuple(name for name in (hour, minute, second) if name is not None)
    time = hour if named else next(word for word in clocks if word not in names)
    ends = len(clock) == 1 and _runs_to_24(frame[hour])
    return Split(day, clock, time, ends)


def joined(frame: pl.DataFrame, split: Split) -> pl.DataFrame:
    """`frame` with the dates and times of day (String) that its columns make: `2024-03-04`,
    `09:00`. A cell is null where one of its parts is."""
    if split.day:
        frame = frame.with_columns(_text(split.day, "-", (4, 2, 2)).alias("date"))
    if split.clock:
        hour = _number(split.clock[0])
        if split.ends:
            frame = frame.with_columns((hour - 1).alias(split.time))
            clock: tuple[str | pl.Expr, ...] = (split.time, pl.lit("00"))
        else:
            clock = (*split.clock, pl.lit("00")) if len(split.clock) == 1 else split.clock
        frame = frame.with_columns(_text(clock, ":", (2, 2, 2)).alias(split.time))
    return frame


def _day(frame: pl.DataFrame, names: Mapping[str, str]) -> tuple[str, ...]:
    if any(word in names for word in DAY_WORDS if word not in _DAY):
        return ()
    limits = ((_YEAR, 2200), (_MONTH, 12), (_DAY, 31))
    found = [_one(frame, names, words, most) for words, most in limits]
    parts = tuple(name for name in found if name is not None)
    return parts if len(parts) == len(limits) else ()


def _one(
    frame: pl.DataFrame, names: Mapping[str, str], words: frozenset[str], most: int
) -> str | None:
    """The column called one of `words`, if its cells are whole numbers up to `most`."""
    name = next((names[word] for word in names if word in words), None)
    if name is None or not (frame.schema[name] == pl.String or frame.schema[name].is_numeric()):
        return None
    cells = frame[name].head(1_000).cast(pl.String).str.strip_chars().drop_nulls()
    if not len(cells) or not cells.str.contains(_WHOLE).all():
        return None
    return name if (cells.cast(pl.Float64) <= most).all() else None


def _runs_to_24(hours: pl.Series) -> bool:
    found = hours.to_frame().select(_number(hours.name)).to_series()
    return found.max() == 24 and bool((found >= 1).all())


def _number(name: str) -> pl.Expr:
    cell = pl.col(name).cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "")
    return cell.cast(pl.Int64, strict=False)


def _text(parts: tuple[str | pl.Expr, ...], mark: str, widths: tuple[int, ...]) -> pl.Expr:
    cells = [
        part
        if isinstance(part, pl.Expr)
        else pl.col(part)
        .cast(pl.String)
        .str.strip_chars()
        .str.replace(r"\.0+$", "")
        .str.zfill(width)
        for part, width in zip(parts, widths, strict=False)
    ]
    return reduce(lambda text, cell: text + mark + cell, cells)
