"""The bar: its key, values, columns and dtypes."""

from __future__ import annotations

from typing import Final

import polars as pl

KEY: Final = ("provider", "symbol", "interval", "ts")
#: A series: the bars of one provider, symbol and interval.
SERIES: Final = KEY[:3]
#: Every instant: UTC, microseconds.
TS: Final = pl.Datetime("us", "UTC")
PRICES: Final = ("open", "high", "low", "close")
#: The values of a bar, which a load compares and updates.
VALUES: Final = (*PRICES, "volume", "vwap", "trade_count")
COLUMNS: Final = (*KEY, *VALUES)
OPTIONAL: Final = ("volume", "vwap", "trade_count")

#: `ts` is the bar's start, UTC, microseconds; prices in quote currency; volume in units traded.
SCHEMA: Final[dict[str, pl.DataType]] = {
    "provider": pl.String(),
    "symbol": pl.String(),
    "interval": pl.String(),
    "ts": TS,
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
    "vwap": pl.Float64(),
    "trade_count": pl.Int64(),
}
