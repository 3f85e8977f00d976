"""Tradier: the history and the time and sales of its market API."""

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Shape

_JSON = ("json", "ndjson")

DIALECT = Dialect(
    name="tradier",
    title="Tradier history and time and sales",
    columns={"ts": ("date",), **OHLCV},
    shapes=(
        Shape(
            containers=_JSON,
            place=r"(?:\[\]\.)?history\.day(?:\[\])?",
            header=("date", "open", "high", "low", "close", "volume"),
        ),
        Shape(
            containers=_JSON,
            place=r"(?:\[\]\.)?series\.data(?:\[\])?",
            header=(
                "time",
                "timestamp",
                "price",
                "open",
                "high",
                "low",
                "close",
                "volume",
                "vwap",
            ),
            columns={"ts": ("timestamp",), **OHLCV, "vwap": ("vwap",)},
        ),
    ),
    names=(tickers.JSON,),
    left_out={"time": "the same time in New York", "price": "the middle of high and low"},
    volume="shares",
    adjusted="splits",
    traps=(
        "one day is an object instead of an array of days: it is read as well",
        "weeks and months are dated by their first day",
        "neither symbol nor interval is in the file: name it by ticker, or use --symbol",
    ),
    source="TimeAndSales.kt of tradelimit-com/tradelimit-brokerage-tradier; answers in tests of "
    "public code, of one day among them",
)
