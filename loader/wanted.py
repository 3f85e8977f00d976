"""What a query is to look for, handed over as JSON: see `wanted_set` in sql/stored.sql."""

from __future__ import annotations

import polars as pl


def wanted_json(wanted: pl.DataFrame) -> str:
    """Rows as an array of objects; times become text that PostgreSQL reads exactly."""
    stamps = [name for name, dtype in wanted.schema.items() if isinstance(dtype, pl.Datetime)]
    return wanted.with_columns(pl.col(stamps).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")).write_json()
