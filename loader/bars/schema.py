"""The dtypes of a bar's columns in Polars."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars.columns import TYPES, Type

_DTYPES: Final[dict[Type, pl.DataType]] = {
    "text": pl.String(),
    "timestamptz": pl.Datetime("us", "UTC"),
    "double precision": pl.Float64(),
    "bigint": pl.Int64(),
}

#: `ts` is the bar's start, UTC, microseconds; prices in quote currency; volume in units traded.
SCHEMA: Final[dict[str, pl.DataType]] = {name: _DTYPES[kind] for name, kind in TYPES.items()}
