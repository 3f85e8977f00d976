"""Reads a file of bars into a frame: Parquet as it is, CSV with explicit dtypes."""

from __future__ import annotations

import polars as pl

_SCHEMA = {
    "provider": pl.String(), "symbol": pl.String(), "interval": pl.String(),
    "ts": pl.Datetime("us", "UTC"), "open": pl.Float64(), "high": pl.Float64(),
    "low": pl.Float64(), "close": pl.Float64(), "volume": pl.Float64(), "vwap": pl.Float64(),
    "trade_count": pl.Int64(),
}  # fmt: skip


def read(path: str) -> pl.DataFrame:
    if path.endswith(".parquet"):
        return pl.read_parquet(path)
    return pl.read_csv(path, schema=_SCHEMA)
