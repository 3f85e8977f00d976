"""What a bar is: columns, dtypes and intervals. Every other room asks here."""

from loader.bars.intervals import INTERVAL_SECONDS, INTERVALS, grid, is_daily, parse_interval
from loader.bars.schema import COLUMNS, KEY, OPTIONAL, PRICES, SCHEMA, SERIES, TS, VALUES

__all__ = [
    "COLUMNS",
    "INTERVALS",
    "INTERVAL_SECONDS",
    "KEY",
    "OPTIONAL",
    "PRICES",
    "SCHEMA",
    "SERIES",
    "TS",
    "VALUES",
    "grid",
    "is_daily",
    "parse_interval",
]
