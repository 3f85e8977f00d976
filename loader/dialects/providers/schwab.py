"""Charles Schwab, and TD Ameritrade before: the price history of its market data API."""

from loader.dialects.dialect import OHLCV, Dialect, Shape

DIALECT = Dialect(
    name="schwab",
    title="Schwab price history",
    columns={"symbol": ("symbol",), "ts": ("datetime",), **OHLCV},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?candles\[\]",
            header=("open", "high", "low", "close", "volume", "datetime", "symbol", "empty"),
            values={"datetime": r"\d{12,13}"},
        ),
    ),
    left_out={
        "empty": "tells whether there are no candles",
        "previousclose": "the close before the first candle",
        "previousclosedate": "of the close before the first candle",
        "previousclosedateiso8601": "of the close before the first candle",
        "datetimeiso8601": "the same time as text",
    },
    timezone="America/Chicago",
    volume="shares",
    adjusted="splits",
    traps=(
        "days are stamped at midnight of Chicago, 05:00 or 06:00 UTC: the date is that of Chicago",
        "the interval is not in the answer",
        "pre-market and after-hours bars are in it if they were asked for",
    ),
    source="CandleList.json in the tests of the crate schwab_api; docs.rs of schwab-sdk",
)
