"""What speaks against the times that a file's rows seem to have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from loader.bars.times.stamps import TimePlan
from loader.check.layout import clocks, second_times, trading_dates
from loader.check.layout.split_clocks import refuse_unread_clock
from loader.dialects.dialect import Dialect
from loader.settings import Meaning


def refuse_doubtful_times(
    frame: pl.DataFrame,
    columns: Mapping[str, str],
    dialect: Dialect,
    meaning: Meaning,
    plan: TimePlan,
    shown: pl.Series,
    used: Collection[str],
    where: str,
) -> None:
    """`shown` are the times as written (naive Datetime us). Formats that are known have no doubts
    but those about columns that nobody reads.

    Raises:
        ColumnMismatch: another column completes the times or contradicts them, or their order shows
            that they are not what they seem.
    """
    refuse_unread_clock(frame, columns, shown, used, where)
    if dialect.shapes:
        return
    if "ts" not in meaning.columns:
        second_times.refuse(frame, columns, dialect, shown, used, where)
    if plan.kind == "wall":
        clocks.refuse_twelve_hours(frame, columns, shown, where)
        trading_dates.refuse(frame, columns, shown, where)
