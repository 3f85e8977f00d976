"""The definition of a bar: columns, dtypes and intervals. All other rooms use it.

`SCHEMA` and `TS` are imported when first asked for: they need Polars, which a command without bars
does not.
"""

from typing import TYPE_CHECKING

from loader.bars.columns import COLUMNS, KEY, OPTIONAL, PRICED, PRICES, SERIES, VALUES
from loader.bars.intervals import INTERVAL_SECONDS, INTERVALS, grid, is_daily, parse_interval

if TYPE_CHECKING:
    from loader.bars.schema import SCHEMA, TS

__all__ = [
    "COLUMNS",
    "INTERVALS",
    "INTERVAL_SECONDS",
    "KEY",
    "OPTIONAL",
    "PRICED",
    "PRICES",
    "SCHEMA",
    "SERIES",
    "TS",
    "VALUES",
    "grid",
    "is_daily",
    "parse_interval",
]


if not TYPE_CHECKING:  # or a name that does not exist would pass

    def __getattr__(name: str) -> object:
        if name not in ("SCHEMA", "TS"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from loader.bars import schema  # noqa: PLC0415

        globals().update(SCHEMA=schema.SCHEMA, TS=schema.TS)
        return globals()[name]
