"""The times and intervals of JForex's CSV, for the dialect of Dukascopy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from loader.dialects.dialect import Opening, Reshape

#: Words in the files' names, as `EURUSD_Candlestick_1_Hour_BID_…`; `M` is minutes in any case.
INTERVALS: Final = {
    **{f"{n}_{m}": f"{n}m" for n in (1, 2, 3, 5, 10, 15, 30) for m in "Mm"},
    **{f"{n}_{h}": f"{n}h" for n in (1, 2, 4, 6, 8, 12) for h in ("Hour", "HOUR", "hour", "h")},
    **{f"{n}_{s}": f"{n}s" for n in (1, 5, 10, 15, 30) for s in "Ss"},
    **dict.fromkeys(("1_D", "1_d"), "1d"),
    **dict.fromkeys(("1_Week", "1_WEEK", "1_week"), "1w"),
    **dict.fromkeys(("1_Month", "1_MONTH", "1_month"), "1mo"),
    "1 Min": "1m", **{f"{n} Mins": f"{n}m" for n in (2, 3, 5, 10, 15, 30)},
    "1 Hour": "1h", "Hourly": "1h", **{f"{n} Hours": f"{n}h" for n in (2, 4, 6, 8, 12)},
    **{f"{n} Secs": f"{n}s" for n in (5, 10, 15, 30)}, "1 Sec": "1s",
    "Daily": "1d", "Weekly": "1w", "Monthly": "1mo",
}  # fmt: skip
#: The clocks that the platform's manager of historical data names in its header.
PLATFORM_CLOCKS: Final = {
    "Time (UTC)": "UTC", "Time (GMT)": "UTC", "Time (EET)": "Europe/Athens",
}  # fmt: skip


def without_blanks(opening: Opening) -> Reshape:
    """Names of columns without the blank that the platform writes behind the last one."""
    return lambda frame: frame.rename(str.strip)


def jforex_times(column: str) -> Callable[[Opening], Reshape]:
    """Writes `16.08.2025 00:00:00.000 GMT+0900`, which is as local as it says, and the same without
    an offset, which is GMT, as instants: `2025-08-15T15:00:00.000000Z`."""
    text = pl.col(column).cast(pl.String).str.strip_chars()
    wall = text.str.extract(r"^([0-9.]+ [0-9:]+)").str.to_datetime(
        "%d.%m.%Y %H:%M:%S", strict=False, time_unit="us"
    )
    fraction = text.str.extract(r"^[0-9.]+ [0-9:]+\.([0-9]{3})").cast(pl.Int64).fill_null(0)
    offset = text.str.extract(r"GMT([+-][0-9]{1,4})$")
    digits = offset.str.slice(1)
    hours = pl.when(digits.str.len_chars() < 3).then(digits).otherwise(digits.str.slice(0, 2))
    minutes = pl.when(digits.str.len_chars() < 3).then(pl.lit("0")).otherwise(digits.str.slice(2))
    ahead = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64)
    signed = pl.when(offset.str.starts_with("-")).then(-ahead).otherwise(ahead).fill_null(0)
    known = text.str.contains(r"^[0-9.]+ [0-9:]+(\.[0-9]{3})?( GMT([+-][0-9]{1,4})?)?$")
    instant = wall + pl.duration(milliseconds=fraction) - pl.duration(minutes=signed)
    written = pl.when(known).then(instant.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    return lambda _: lambda frame: frame.with_columns(pl.coalesce(written, text).alias(column))
