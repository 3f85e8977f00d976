"""Which of a file's columns hold times: whole ones, or a date and a time of day."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars.cells import is_clock, is_date
from loader.bars.numbers import is_text
from loader.dialects.dialect import Dialect, fold

#: Names of columns that hold dates without a time of day.
DAY_WORDS: Final = ("date", "day", "dt", "tradedate", "tradingdate", "tradeday", "dtyyyymmdd")
#: What the keys of rows look like where they are times.
_TIME: Final = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}|^-?[0-9]{9,}$"


def date_and_time(
    frame: pl.DataFrame,
    dialect: Dialect,
    found: list[list[str]],
    outside: list[list[str]],
    names: dict[str, str],
) -> list[list[str]]:
    """The candidates for `ts`, without a time of day that completes the best of them: a date, which
    may stand outside of the rows."""
    words = [fold(word) for word in dialect.columns.get("time_of_day", ())]
    for group in found:
        rest = [other for other in found if other is not group] or outside
        if not rest or fold(group[0]) not in words:
            continue
        if is_clock(frame[group[0]]) and is_date(frame[rest[0][0]]):
            names["time_of_day"] = group[0]
            return rest
    return found


def are_times(column: pl.Series) -> bool:
    """Whether the keys of rows are times, as pandas writes its index, rather than symbols."""
    return is_text(column.dtype) and bool(
        column.head(1_000).cast(pl.String).str.contains(_TIME).fill_null(False).all()
    )
