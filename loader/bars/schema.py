"""The dtypes of a bar's columns in Polars."""

from __future__ import annotations

from typing import Final

import polars as pl

from loader.bars import forks  # noqa: F401 - it sees forks from the moment that Polars is there
from loader.bars.columns import TYPES, Type

#: Every instant: UTC, microseconds.
TS: Final = pl.Datetime("us", "UTC")

_DTYPES: Final[dict[Type, pl.DataType]] = {
    "text": pl.String(),
    "timestamptz": TS,
    "double precision": pl.Float64(),
    "bigint": pl.Int64(),
}

#: `ts` is the bar's start, UTC, microseconds; prices in quote currency; volume in units traded.
SCHEMA: Final[dict[str, pl.DataType]] = {name: _DTYPES[kind] for name, kind in TYPES.items()}
