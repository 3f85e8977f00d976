"""The bar: its key, values, columns and dtypes."""

from __future__ import annotations

from typing import Final

import polars as pl

KEY: Final = ("provider", "symbol", "interval", "ts")
PRICES: Final = ("open", "high", "low", "close")
#: What a bar says; these are compared and updated.
VALUES: Final = (*PRICES, "volume", "vwap", "trade_count")
COLUMNS: Final = (*KEY, *VALUES)
OPTIONAL: Final = ("volume", "vwap", "trade_count")

#: `ts` is the bar's start, UTC, microseconds; prices in quote currency; volume in units traded.
SCHEMA: Final[dict[str, pl.DataType]] = {
    "provider": pl.String(),
    "symbol": pl.String(),
    "interval": pl.String(),
    "ts": pl.Datetime("us", "UTC"),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
    "vwap": pl.Float64(),
    "trade_count": pl.Int64(),
}
