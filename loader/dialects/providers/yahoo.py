"""Yahoo Finance: the CSV that its site offered, and the chart answer that its pages use."""

from collections.abc import Mapping

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLC, OHLCV, Dialect, Opening, Shape

_DATES = {"Date": r"\d{4}-\d\d-\d\d"}

_META = "chart.result.meta"
_ZONE = f"{_META}.exchangeTimezoneName"


def _facts(opening: Opening) -> Mapping[str, str]:
    """The zone of the exchange, whose dates days have; an answer names its symbol itself."""
    if _ZONE not in opening.first.columns:
        return opening.facts
    zone = opening.first[_ZONE][0]
    return {"timezone": zone} if zone else {}


DIALECT = Dialect(
    name="yahoo",
    title="Yahoo Finance CSV",
    columns={
        "ts": ("date",),
        **OHLCV,
    },
    shapes=(
        Shape(
            header=("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
            exact=True,
            values=_DATES,
        ),
        Shape(
            header=("Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"),
            exact=True,
            values=_DATES,
            note="the column order of Yahoo's files up to 2017",
        ),
        Shape(
            containers=("json", "ndjson"),
            place=r"(?:\[\]\.)?chart\.result\[\]\.",
            header=("timestamp", *OHLC),
            columns={
                "symbol": (f"{_META}.symbol",),
                "interval": (f"{_META}.dataGranularity",),
                "ts": ("timestamp",),
                **OHLCV,
            },
            skip={
                "a time without trades (all prices null)": pl.all_horizontal(
                    pl.col(name).is_null() for name in OHLC
                ),
                "the bar that was still running, stamped with the last trade": pl.col("timestamp")
                == pl.col(f"{_META}.regularMarketTime"),
            },
        ),
    ),
    names=(
        tickers.CSV,
        r"(?:^|[/!])(?P<symbol>[A-Z^][A-Z0-9.-]*)-\d{4}-yahoofinance\.csv$",
        r"(?:^|[/!])yahoofinance-(?P<symbol>[A-Z^][A-Z0-9.-]*)-\d{8}-\d{8}\.csv$",
    ),
    left_out={"adjclose": "the close adjusted for dividends too, restated after each dividend"},
    facts=_facts,
    symbol_convention="yahoo",
    skip={"days without prices (the word null)": pl.col("Close").str.strip_chars() == "null"},
    volume="shares, adjusted for splits",
    adjusted="splits, not dividends (only Adj Close is)",
    traps=(
        "the last two columns, volume and Adj Close, changed places in 2017",
        "prices of all past dates are restated after each split, Adj Close after each dividend",
        "a chart answer has its times beside its prices; its symbol, zone and interval are in meta",
        "a row of the word null is a day without data",
        "a plain Date,Open,High,Low,Close,Volume is read as canonical: others write it too",
    ),
    source="files of both column orders; readers of backtrader (feeds/yahoo.py); "
    "chart answers in tests of public code, premnirmal/StockTicker issue 241",
)
