"""From the ends of bars to their starts."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from loader import bars
from loader.bars.words import constant


def to_starts(ts: pl.Series, interval: pl.Series, *, midnight_ends: bool = False) -> pl.Series:
    """The starts of the bars that end at `ts` (Datetime us UTC).

    An intraday bar starts its length before. A daily bar has its session's date, which is the same
    for both. What is longer is dated by its last session: a week starts on that week's Monday, a
    month, quarter or year on its first day, three days two days before. Null stays null. Where a
    day's end is the midnight after it (`midnight_ends`), the daily bar is of the day before.
    """
    frame = pl.DataFrame([ts.alias("ts"), interval.alias("interval")])
    words = [word for word in frame["interval"].unique() if word is not None]
    if len(words) == 1:
        return frame.select(_start(words[0], midnight_ends).alias("ts")).to_series()
    start = pl.lit(None, dtype=ts.dtype)
    for word in words:
        start = (
            pl.when(pl.col("interval") == word).then(_start(word, midnight_ends)).otherwise(start)
        )
    if not words:
        return constant(None, len(ts), ts.dtype)
    return frame.select(start.alias("ts")).to_series()


def _start(interval: str, midnight_ends: bool) -> pl.Expr:
    ts = pl.col("ts")
    if not bars.is_daily(interval):
        return ts - timedelta(seconds=bars.INTERVAL_SECONDS[interval])
    if interval == "1d":
        return ts - timedelta(days=1) if midnight_ends else ts
    if interval == "3d":
        return ts - timedelta(days=2)
    return ts.dt.truncate({"1w": "1w", "1mo": "1mo", "3mo": "1q", "1y": "1y"}[interval])
