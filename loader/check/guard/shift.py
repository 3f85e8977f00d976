"""Whether bars have the values of stored bars of other times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.factors import LEAST

_SHARE: Final = 0.8
_VALUES: Final = list(bars.PRICES)


@dataclass(frozen=True, slots=True)
class Shift:
    """Bars of a group that equal stored ones of other times.

    Attributes:
        bars, matched: how many were looked at, and how many of them do.
        by: how much later the file has them, most often.
    """

    group: int
    bars: int
    matched: int
    by: timedelta


def shifts(hits: pl.DataFrame, stored: pl.DataFrame) -> list[Shift]:
    """The groups that are shifted.

    Args:
        hits: bars that change stored ones, or are new between them: `group`, `window` (ints), ts
            and prices.
        stored: the stored bars around them: `window`, ts, prices. Prices that a window has several
            times tell nothing.
    """
    told = _once(hits, "ts")
    there = _once(stored.rename({"ts": "stored_ts"}), "stored_ts").select(
        "window", "stored_ts", *_VALUES
    )
    matched = (
        told.join(there, on=["window", *_VALUES], how="left")
        .with_columns(by=pl.col("ts") - pl.col("stored_ts"))
        .with_columns(by=pl.when(pl.col("by") != pl.duration()).then(pl.col("by")))
    )
    found = []
    for (group,), rows in matched.group_by("group"):
        by = rows["by"].drop_nulls().value_counts(sort=True)
        number = int(by["count"].sum())
        looked = rows.height
        if (
            looked >= LEAST
            and number >= _SHARE * looked
            and by["count"][:2].sum() >= _SHARE * number
        ):
            found.append(Shift(int(group), looked, number, by["by"][0]))
    return sorted(found, key=lambda shift: shift.group)


def _once(rows: pl.DataFrame, ts: str) -> pl.DataFrame:
    """Those rows with prices that no other row of their window has."""
    return rows.filter(pl.len().over("window", *_VALUES) == 1).sort("window", ts)
