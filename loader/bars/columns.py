"""The columns of a bar, in the order of the table: the one list that all others derive from.

Imports nothing, so that a command without bars does not wait for Polars.
"""

from __future__ import annotations

from typing import Final, Literal

Type = Literal["text", "timestamptz", "double precision", "bigint"]

KEY: Final = ("provider", "symbol", "interval", "ts")
#: A series: the bars of one provider, symbol and interval.
SERIES: Final = KEY[:3]
PRICES: Final = ("open", "high", "low", "close")

#: Every column by its type in PostgreSQL. `ts` is the start of the bar in UTC; prices are in quote
#: currency, volume in units traded.
TYPES: Final[dict[str, Type]] = {
    "provider": "text",
    "symbol": "text",
    "interval": "text",
    "ts": "timestamptz",
    "open": "double precision",
    "high": "double precision",
    "low": "double precision",
    "close": "double precision",
    "volume": "double precision",
    "vwap": "double precision",
    "trade_count": "bigint",
}

COLUMNS: Final = tuple(TYPES)
#: The values of a bar; these are compared and updated.
VALUES: Final = tuple(name for name in COLUMNS if name not in KEY)
#: Values in quote currency: where a file's prices are multiples of a unit, these are.
PRICED: Final = (*PRICES, "vwap")
#: Values that may be NULL.
OPTIONAL: Final = tuple(name for name in VALUES if name not in PRICES)
