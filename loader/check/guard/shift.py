"""Whether bars have the values of stored bars of other times."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.check.guard.factors import LEAST
from loader.lazy import dataclass

_SHARE: Final = 0.8
#: Prices of a day are less far from each other than a power of ten from the next: as its logarithm.
_NEAR: Final = 0.15
#: Digits of prices that are compared after a division.
_DIGITS: Final = 9
_VALUES: Final = list(bars.PRICES)


@dataclass(frozen=True, slots=True)
class Shift:
    """Bars of a group that equal stored ones of other times.

    Attributes:
        bars, matched: how many were looked at, and how many of them do.
        by: how much later the file has them, most often.
        scale: the power of ten that the file has them times.
    """

    group: int
    bars: int
    matched: int
    by: timedelta
    scale: float = 1.0


def shifts(hits: pl.DataFrame, stored: pl.DataFrame) -> list[Shift]:
    """The groups that are shifted, and may be in another unit besides.

    Args:
        hits: bars that change stored ones, or are new between them: `group`, `window` (ints), ts
            and prices.
        stored: the stored bars around them: `window`, ts, prices. Prices that a window has several
            times tell nothing.
    """
    found = _of_one_unit(hits, stored)
    for _, rows in _apart(hits, found).group_by("group"):
        if (scale := _scale(rows, stored)) is not None:
            there = stored.with_columns(_rounded(pl.col(_VALUES)))
            own = rows.with_columns(_rounded(pl.col(_VALUES) / scale))
            found += [replace(each, scale=scale) for each in _of_one_unit(own, there)]
    return sorted(found, key=lambda shift: shift.group)


def _of_one_unit(hits: pl.DataFrame, stored: pl.DataFrame) -> list[Shift]:
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
    return found


def _apart(hits: pl.DataFrame, found: list[Shift]) -> pl.DataFrame:
    return hits.filter(~pl.col("group").is_in([shift.group for shift in found]))


def _scale(hits: pl.DataFrame, stored: pl.DataFrame) -> float | None:
    """The power of ten, other than 1, by which the prices of one group are off, if it is one."""
    level = pl.col("close").median()
    levels = hits.group_by("window").agg(own=level).join(
        stored.group_by("window").agg(there=level), on="window"
    )  # fmt: skip
    ratio = levels.select((pl.col("own") / pl.col("there")).median()).item()
    if ratio is None or not 0 < ratio < math.inf:
        return None
    power = round(math.log10(ratio))
    return 10.0**power if power and abs(math.log10(ratio) - power) < _NEAR else None


def _rounded(prices: pl.Expr) -> pl.Expr:
    return prices.round_sig_figs(_DIGITS)


def _once(rows: pl.DataFrame, ts: str) -> pl.DataFrame:
    """Those rows with prices that no other row of their window has."""
    return rows.filter(pl.len().over("window", *_VALUES) == 1).sort("window", ts)
