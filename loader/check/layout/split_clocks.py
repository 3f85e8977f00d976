"""Dates and times of day of plain tables that stand in several columns of numbers: `date,hour`,
`year,month,day,hour,minute`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from typing import Final

import polars as pl

from loader.bars.cells import is_clock, is_date
from loader.check.instruments.apart import is_about_row
from loader.check.layout.clocks import DAY_WORDS
from loader.dialects.dialect import fold
from loader.dialects.known import dialects
from loader.dialects.recognition import PLAIN
from loader.errors import ColumnMismatch
from loader.lazy import dataclass, regex

_HOUR: Final = frozenset(["hour", "hours", "hr", "hh", "hourofday", "starthour"])
_HOUR_END: Final = frozenset(["hourending", "hourend", "hourended", "endhour", "he", "houre"])
_MINUTE_OF_DAY: Final = frozenset(["minuteofday", "minutesofday", "minofday", "dayminute"])
_MINUTE: Final = frozenset(["minute", "minutes", "min", "mm", "minuteofhour"])
_SECOND: Final = frozenset(["second", "seconds", "sec", "ss"])
_YEAR: Final = frozenset(["year", "yyyy", "yr"])
_MONTH: Final = frozenset(["month", "mon", "monthofyear"])
_DAY: Final = frozenset(["day", "dayofmonth", "dom", "dd"])
#: Columns that divide a year.
_WITHIN: Final = frozenset(["quarter", "qtr", "q", "week", "weekofyear", "half", "period"])
_WHOLE: Final = r"^[0-9]{1,4}(\.0+)?$"


@dataclass(frozen=True, slots=True)
class Split:
    """The columns that make up times, in their order.

    Attributes:
        day: those of year, month and day, or of the first of them where no other column has times;
            none where the table has a column of dates.
        clock: those of hour, minute and second, as far as there are any.
        time: the column to be made of `clock`.
        ends: whether hours are the ends of their bars: they run from 1 to 24, or are called so.
        minutes: whether `clock` is one column of minutes since midnight.
    """

    day: tuple[str, ...] = ()
    clock: tuple[str, ...] = ()
    time: str = "time"
    ends: bool = False
    minutes: bool = False

    @property
    def used(self) -> frozenset[str]:
        return frozenset((*self.day, *self.clock)) - {self.time}

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.day and not self.clock:
            return ()
        made = f"times are made of {', '.join(map(repr, (*self.day, *self.clock)))}"
        ends = ": hours are the ends of the bars" if self.ends else ""
        return (made + ends,)


def split_of(frame: pl.DataFrame, asked: Mapping[str, str]) -> Split:
    """What of a table's times is split, by its first rows and the columns that the person asked
    for. Hours are read only where they tell rows of one date apart, or where the person asks."""
    names = {fold(name): name for name in frame.columns}
    day = _day(frame, names) if "ts" not in asked else ()
    dates = [names[word] for word in (fold(asked.get("ts", "")), *DAY_WORDS) if word in names]
    dates = [name for name in dates if name not in day and is_date(frame[name])]
    clocks = ("time", "timeofday")
    named = fold(asked.get("time_of_day", ""))
    written = any(word in names and is_clock(frame[names[word]]) for word in clocks)
    if not (day or dates) or (not named and written):
        return Split(day)
    hour = _one(frame, names, _HOUR | _HOUR_END, 24)
    minutes = hour is None and _one(frame, names, _MINUTE_OF_DAY, 1440)
    first = hour or minutes or _clock(frame, names)
    if not first or (named and named != fold(first)):
        return Split(day)
    date = [pl.col(name) for name in (day or dates[:1])]
    days, hours = (frame.select(pl.struct(*date, *more)).n_unique() for more in ((), (first,)))
    if not named and hours == days:
        return Split(day)
    minute = _one(frame, names, _MINUTE, 59) if hour else None
    second = _one(frame, names, _SECOND, 59) if minute else None
    clock = tuple(name for name in (first, minute, second) if name)
    time = first if named else next(word for word in clocks if word not in names)
    ends = bool(hour) and len(clock) == 1 and _are_ends(frame[first])
    return Split(day, clock, time, ends, bool(minutes))


def joined(frame: pl.DataFrame, split: Split) -> pl.DataFrame:
    """`frame` with the dates and times of day (String) that its columns make: `2024-03-04`,
    `09:00`. A cell is null where one of its parts is."""
    if split.day:
        frame = frame.with_columns(_text(split.day, "-", (4, 2, 2)).alias("date"))
    if split.clock:
        frame = frame.with_columns(_clock_text(split).alias(split.time))
    return frame


def _clock_text(split: Split) -> pl.Expr:
    first = _number(split.clock[0])
    if split.minutes:
        return _text((first // 60, first % 60), ":", (2, 2))
    if len(split.clock) > 1:
        return _text(split.clock, ":", (2, 2, 2))
    whole = _text((first - 1 if split.ends else first, pl.lit("00")), ":", (2, 2))
    cell = pl.col(split.clock[0]).cast(pl.String).str.strip_chars()
    # Cells such as 9:00 and 0930 are times of day already.
    return pl.when(cell.str.contains(r"^[0-9]{1,2}(\.0+)?$")).then(whole).otherwise(cell)


def _clock(frame: pl.DataFrame, names: Mapping[str, str]) -> str | None:
    """A column called after hours that holds times of day."""
    name = next((names[word] for word in names if word in _HOUR), None)
    return name if name is not None and is_clock(frame[name]) else None


def _day(frame: pl.DataFrame, names: Mapping[str, str]) -> tuple[str, ...]:
    if any(word in names for word in DAY_WORDS if word not in _DAY):
        return ()
    limits = ((_YEAR, 2200), (_MONTH, 12), (_DAY, 31))
    found = [_one(frame, names, words, most) for words, most in limits]
    parts = tuple(name for name in found if name is not None)
    if len(parts) == len(limits):
        return parts
    alone = names.keys().isdisjoint(
        set(map(fold, dialects()[PLAIN].columns["ts"])) - _YEAR - _MONTH
    )
    if not alone or found[0] is None or (found[1] is None and not names.keys().isdisjoint(_WITHIN)):
        return ()
    return (found[0],) if found[1] is None else (found[0], found[1])


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


def _are_ends(hours: pl.Series) -> bool:
    found = hours.to_frame().select(_number(hours.name)).to_series()
    named = fold(hours.name) in _HOUR_END
    return (named or found.max() == 24) and bool((found >= 1).all())


def _number(name: str) -> pl.Expr:
    cell = pl.col(name).cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "")
    return cell.cast(pl.Int64, strict=False)


def _text(parts: tuple[str | pl.Expr, ...], mark: str, widths: tuple[int, ...]) -> pl.Expr:
    cells = [
        (_number(part) if isinstance(part, str) else part).cast(pl.String).str.zfill(width)
        for part, width in zip(parts, widths, strict=False)
    ]
    return reduce(lambda text, cell: text + mark + cell, cells)


#: Names of columns that may hold times of day.
_TIMELIKE: Final = regex(r".*(?:hour|minute|time|clock|hhmm).*")


def refuse_unread_clock(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    times: pl.Series,
    used: Collection[str],
    where: str,
) -> None:
    """Refuses rows of one time that a column called after times of day tells apart.

    Raises:
        ColumnMismatch: there is such a column, and it is not read.
    """
    taken = (*columns.values(), *used)
    free = [n for n in frame.columns if n not in taken and _TIMELIKE.fullmatch(fold(n))]
    if "time_of_day" in columns or not free:
        return
    keys = [frame[columns[key]].alias(key) for key in ("symbol", "interval") if key in columns]
    key = pl.DataFrame([times.alias("time"), *keys])
    rows = frame.height
    if key.n_unique() > 0.5 * rows:
        return
    for name in free:
        if is_about_row(name) or key.with_columns(frame[name].alias("other")).n_unique() < rows:
            continue
        clock = is_clock(frame[name])
        raise ColumnMismatch.at(
            where,
            f"the rows have only {key.n_unique():,} times in {rows:,}, which column {name!r} tells "
            "apart: it may hold their times of day",
            column=name,
            hint=f"read it: --column time_of_day={name!r}" if clock else
            f"write {name!r} as times of day such as 09:30",
        )  # fmt: skip
