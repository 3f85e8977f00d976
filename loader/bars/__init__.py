"""What a bar is: columns, dtypes and intervals. Every other room asks here.

`SCHEMA` is imported when it is first asked for: it needs Polars, which a command without bars does
not.
"""

from typing import TYPE_CHECKING

from loader.bars.columns import COLUMNS, KEY, OPTIONAL, PRICES, VALUES
from loader.bars.intervals import INTERVAL_SECONDS, INTERVALS, grid, is_daily, parse_interval

if TYPE_CHECKING:
    from loader.bars.schema import SCHEMA

__all__ = [
    "COLUMNS",
    "INTERVALS",
    "INTERVAL_SECONDS",
    "KEY",
    "OPTIONAL",
    "PRICES",
    "SCHEMA",
    "VALUES",
    "grid",
    "is_daily",
    "parse_interval",
]


if not TYPE_CHECKING:  # or a name that does not exist would pass

    def __getattr__(name: str) -> object:
        if name != "SCHEMA":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from loader.bars.schema import SCHEMA  # noqa: PLC0415

        globals()["SCHEMA"] = SCHEMA
        return SCHEMA
