"""Yahoo Finance: the CSV that its site offered."""

import polars as pl

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Shape

_DATES = {"Date": r"\d{4}-\d\d-\d\d"}

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
    ),
    names=(
        tickers.CSV,
        r"(?:^|[/!])(?P<symbol>[A-Z^][A-Z0-9.-]*)-\d{4}-yahoofinance\.csv$",
        r"(?:^|[/!])yahoofinance-(?P<symbol>[A-Z^][A-Z0-9.-]*)-\d{8}-\d{8}\.csv$",
    ),
    left_out={"adjclose": "the close adjusted for dividends too, restated after each dividend"},
    symbol_convention="yahoo",
    skip={"days without prices (the word null)": pl.col("Close").str.strip_chars() == "null"},
    volume="shares, adjusted for splits",
    adjusted="splits, not dividends (only Adj Close is)",
    traps=(
        "the last two columns, volume and Adj Close, changed places in 2017",
        "prices of all past dates are restated after each split, Adj Close after each dividend",
        "a row of the word null is a day without data",
        "a plain Date,Open,High,Low,Close,Volume is read as canonical: others write it too",
    ),
    source="files of both column orders; readers of backtrader (feeds/yahoo.py)",
)
