"""TradeStation: the bars of version 3 of its API, which are stamped with their ends."""

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLC, Dialect, Shape

DIALECT = Dialect(
    name="tradestation",
    title="TradeStation bars",
    columns={"ts": ("timestamp",), **OHLC, "volume": ("totalvolume",)},
    shapes=(
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?Bars\[\]|\[\]",
            header=("Open", "High", "Low", "Close", "TimeStamp", "TotalVolume", "BarStatus"),
        ),
    ),
    names=(tickers.JSON,),
    left_out={
        **dict.fromkeys(
            ("downticks", "downvolume", "upticks", "upvolume", "unchangedticks",
             "unchangedvolume"), "a part of the ticks or of the volume"
        ),
        "totalticks": "the number of ticks",
        "openinterest": "a bar has no field for it",
        "epoch": "the same time in milliseconds",
        "barstatus": "Open marks the bar that was still running",
        **dict.fromkeys(("isrealtime", "isendofhistory"), "tells how the bar was delivered"),
    },
    stamp="end",
    timezone="America/New_York",
    skip={"the bar that was still running": pl.col("BarStatus").str.to_lowercase() == "open"},
    volume="shares, contracts",
    adjusted="splits",
    traps=(
        "a bar is stamped with its end: the first minute of a session with 13:31 UTC, a day with "
        "the session's close, 21:00 UTC",
        "the bar with BarStatus Open is left out",
        "neither symbol nor interval is in the answer: name the file by ticker, or use --symbol",
    ),
    source="docs.rs of tradestation-api (struct Bar); answers in public clients: a day of MSFT at "
    "2020-11-04T21:00:00Z, first minutes at 13:31",
)  # fmt: skip
