"""Two columns of a plain table that could both be the time of its bars, and disagree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars.cells import is_date
from loader.bars.times import plan as timeplan
from loader.bars.times import stamps
from loader.bars.times.spacing import infer
from loader.check.instruments.apart import is_about_row
from loader.check.instruments.next_steps import quoted
from loader.dialects.dialect import Dialect, fold
from loader.errors import ColumnMismatch, SettingsError
from loader.lazy import regex

#: Names of columns with the day or time of a row's bar, beside those of the dialect.
_BAR_TIMES: Final = regex(
    r"(?:trad(?:e|ing)|bar|session|price|market|quote|business|value|candle|kline)"
    r"(?:date|day|time|datetime|timestamp|dt|ts)"
)
_SAMPLE: Final = 1_000
#: A bar's times and those of its day may lie so far apart, or as far as the bar is long.
_NEAR: Final = timedelta(days=2)
_MOST: Final = 0.5


def refuse(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    dialect: Dialect,
    shown: pl.Series,
    used: Collection[str],
    where: str,
) -> None:
    """`shown` are the times of the bars, as written (naive Datetime us).

    Raises:
        ColumnMismatch: another column is called like the time of a bar, and is about other days.
    """
    series = [frame[columns[key]] for key in ("provider", "symbol") if key in columns]
    near: timedelta | None = None
    for name, other in _others(frame, columns, dialect, used):
        if near is None:
            near = max(_NEAR, timedelta(seconds=1.1 * _length(shown, series)))
        if _differ((other - shown).abs() > near):
            longer = _length(other, series) > _length(shown, series)
            raise _which(columns["ts"], name, (shown, other), where, other_first=longer)


def refuse_other_days(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    dialect: Dialect,
    days: pl.Series,
    used: Collection[str],
    where: str,
) -> None:
    """`days` are the dates of daily bars (Datetime us UTC), as they would be stored.

    Raises:
        ColumnMismatch: another column is called like the date of a bar, and has other dates.
    """
    days = days.dt.replace_time_zone(None)
    for name, other in _others(frame, columns, dialect, used):
        if is_date(frame[name]) and _differ(other.dt.truncate("1d") != days):
            raise _which(columns["ts"], name, (days, other), where, other_first=True)


def _others(
    frame: pl.DataFrame, columns: Mapping[str, str], dialect: Dialect, used: Collection[str]
) -> Iterator[tuple[str, pl.Series]]:
    """Columns that are called like the time of a bar, with their times as written."""
    words = {fold(word) for word in dialect.columns["ts"]}
    for name in frame.columns:
        folded = fold(name)
        known = folded in words or _BAR_TIMES.fullmatch(folded)
        if name in (*columns.values(), *used) or not known or is_about_row(name):
            continue
        times = _times(frame, name) if folded else None
        if times is not None:
            yield name, times


def _differ(apart: pl.Series) -> bool:
    known = apart.drop_nulls()
    return len(known) > 0 and float(known.mean() or 0) >= _MOST  # type: ignore[arg-type]


def _which(
    own: str, name: str, times: tuple[pl.Series, pl.Series], where: str, *, other_first: bool
) -> ColumnMismatch:
    at = int((times[0].dt.date() != times[1].dt.date()).fill_null(False).arg_max() or 0)
    first, second = (each.dt.to_string("%Y-%m-%d")[at] for each in times)
    one, two = (name, own) if other_first else (own, name)
    return ColumnMismatch.at(
        where,
        f"columns {own!r} and {name!r} could both be the time of a bar, and have different days "
        f"(such as {first} and {second})",
        column=own,
        hint=f"say which: --column ts={quoted(one)}, or --column ts={quoted(two)}",
    )


def _length(times: pl.Series, series: list[pl.Series]) -> int:
    found = infer(times, series)
    return bars.INTERVAL_SECONDS[found.interval] if found.interval else found.usual


def _times(frame: pl.DataFrame, name: str) -> pl.Series | None:
    """The times of a column as written, of the first rows; None where they are no whole times."""
    head = frame.select(pl.col(name).head(_SAMPLE))
    try:
        plan, _ = timeplan.plan(head, (name,), None, "")
        read = stamps.read(stamps.cells(head, plan), plan).shown
    except (ColumnMismatch, SettingsError):
        return None
    filled = len(read) - read.null_count()
    if not filled or filled * 2 < len(head[name].drop_nulls()):
        return None
    longer = pl.Series(name, [None], dtype=read.dtype).new_from_index(0, frame.height - len(read))
    return pl.concat([read, longer])
