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
    apart = hits.filter(~pl.col("group").is_in([shift.group for shift in found]))
    scales = _scales(apart, stored)
    if scales:
        scaled = apart.filter(pl.col("group").is_in(list(scales)))
        scale = pl.col("group").replace_strict(scales, return_dtype=pl.Float64())
        own = scaled.with_columns(_rounded(pl.col(_VALUES) / scale))
        there = stored.join(own.select("window").unique(), on="window", how="semi")
        there = there.with_columns(_rounded(pl.col(_VALUES)))
        found += [replace(each, scale=scales[each.group]) for each in _of_one_unit(own, there)]
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
    looked = matched.group_by("group").agg(looked=pl.len())
    counts = matched.drop_nulls("by").group_by("group", "by").agg(bars=pl.len())
    number = pl.col("number")
    found = (
        counts.sort("bars", "by", descending=[True, False])
        .group_by("group", maintain_order=True)
        .agg(pl.col("by").first(), number=pl.col("bars").sum(), two=pl.col("bars").head(2).sum())
        .join(looked.filter(pl.col("looked") >= LEAST), on="group")
        .filter(number >= _SHARE * pl.col("looked"), pl.col("two") >= _SHARE * number)
    )
    return [Shift(*row) for row in found.select("group", "looked", "number", "by").iter_rows()]


def _scales(hits: pl.DataFrame, stored: pl.DataFrame) -> dict[int, float]:
    """By group, the power of ten, other than 1, by which its prices are off, if it is one."""
    level = pl.col("close").median()
    own = hits.group_by("group", "window").agg(own=level)
    levels = own.join(stored.group_by("window").agg(there=level), on="window")
    ratios = levels.group_by("group").agg((pl.col("own") / pl.col("there")).median())
    found = {}
    for group, ratio in ratios.iter_rows():
        if ratio is None or not 0 < ratio < math.inf:
            continue
        power = round(math.log10(ratio))
        if power and abs(math.log10(ratio) - power) < _NEAR:
            found[group] = 10.0**power
    return found


def _rounded(prices: pl.Expr) -> pl.Expr:
    return prices.round_sig_figs(_DIGITS)


def _once(rows: pl.DataFrame, ts: str) -> pl.DataFrame:
    """Those rows with prices that no other row of their window has."""
    return rows.filter(pl.len().over("window", *_VALUES) == 1).sort("window", ts)
