"""From the ends of bars to their starts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

import polars as pl

from loader import bars
from loader.bars.words import constant

_MINUTE: Final = timedelta(minutes=1)
#: From here on a time is the end of its minute.
_LAST_SECOND: Final = timedelta(seconds=59)
_LONGER: Final = {"1w": "1w", "1mo": "1mo", "3mo": "1q", "1y": "1y"}


def to_starts(
    ts: pl.Series, interval: pl.Series, *, midnight_ends: Collection[str] = ()
) -> pl.Series:
    """The starts of the bars that end at `ts` (Datetime us UTC).

    An intraday bar starts its length before; 09:30:59 is the end of 09:30. A daily bar has its
    session's date, which is the same for both. What is longer is dated by its last session: a week
    starts on that week's Monday, a month, quarter or year on its first day, three days two days
    before. Null stays null. Bars of the intervals `midnight_ends` have the midnight after their
    last session: that is a day before.
    """
    frame = pl.DataFrame([ts.alias("ts"), interval.alias("interval")])
    words = [word for word in frame["interval"].unique() if word is not None]
    if len(words) == 1:
        return frame.select(_start(words[0], words[0] in midnight_ends).alias("ts")).to_series()
    start = pl.lit(None, dtype=ts.dtype)
    for word in words:
        own = _start(word, word in midnight_ends)
        start = pl.when(pl.col("interval") == word).then(own).otherwise(start)
    if not words:
        return constant(None, len(ts), ts.dtype)
    return frame.select(start.alias("ts")).to_series()


def _start(interval: str, midnight_ends: bool) -> pl.Expr:
    ts = pl.col("ts")
    if not bars.is_daily(interval):
        length = timedelta(seconds=bars.INTERVAL_SECONDS[interval])
        if length < _MINUTE:
            return ts - length
        late = ts - ts.dt.truncate("1m") >= _LAST_SECOND
        return pl.when(late).then(ts.dt.truncate("1m") + _MINUTE).otherwise(ts) - length
    if midnight_ends:
        ts = ts - timedelta(days=1)
    if interval == "1d":
        return ts
    return ts - timedelta(days=2) if interval == "3d" else ts.dt.truncate(_LONGER[interval])
