"""yfinance: saved results of `download()` and `Ticker.history()`, as CSV or Parquet."""

import ast
import re
from collections.abc import Mapping
from typing import Final

import polars as pl
import polars.selectors as cs

from loader.dialects import tickers
from loader.dialects.dialect import OHLCV, Dialect, Opening, Reshape, Shape

_PRICES: Final = ("Open", "High", "Low", "Close")
_FIELDS: Final = (
    *_PRICES, "Adj Close", "Volume", "Dividends", "Stock Splits", "Capital Gains", "Repaired?",
)  # fmt: skip
_INDEX: Final = ("Date", "Datetime", "index", "__index_level_0__")
_FIELD: Final = "|".join(map(re.escape, _FIELDS))
#: The name in Parquet of a column of `download()`: ('Close', 'AAPL').
_TUPLE: Final = rf"\('(?:{_FIELD})', '[^']+'\)|\('[^']+', '(?:{_FIELD})'\)"
_TABLES: Final = ("parquet", "arrow")
_OFFSET: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
_ACTIONS: Final = "dividends and splits are not stored"


def _facts(opening: Opening) -> Mapping[str, str]:
    """Adds `adjustment`: yfinance drops the column Adj Close when it adjusts prices by it."""
    wide = _wide(opening)
    fields = {field for field, _ in wide.values()} if wide else set(opening.first.columns)
    facts = {} if wide else opening.facts  # the tickers are in the header
    return {**facts, "adjustment": "" if "Adj Close" in fields else "-adjusted"}


def _wide(opening: Opening) -> Mapping[str, tuple[str, str]]:
    """Field and ticker of each column, if the header has several lines or names are tuples."""
    first = opening.first
    names = first.columns[1:]
    if _begins_second_line(opening, "Ticker"):
        return {name: (_stem(name, names), str(first.item(0, name))) for name in names}
    if _begins_second_line(opening, "Price"):
        return {name: (str(first.item(0, name)), _stem(name, names)) for name in names}
    pairs = {n: ast.literal_eval(n) for n in first.columns if re.fullmatch(_TUPLE, n)}
    return {n: (a, b) if a in _FIELDS else (b, a) for n, (a, b) in pairs.items()}


def _begins_second_line(opening: Opening, word: str) -> bool:
    first = opening.first
    other = {"Ticker": "Price", "Price": "Ticker"}[word]
    return first.columns[0] == other and first.height > 0 and first.item(0, 0) == word


def _stem(name: str, names: list[str]) -> str:
    """`Close` for a `Close_2` beside a `Close`."""
    stem = re.sub(r"_\d+$", "", name)
    return stem if stem in names else name


def _long(opening: Opening) -> Reshape:
    """Makes one row per time and ticker, and drops the further lines of the header."""
    wide = _wide(opening)
    each: dict[str, list[pl.Expr]] = {}
    for name, (field, ticker) in wide.items():
        each.setdefault(ticker, [pl.lit(ticker).alias("Ticker")]).append(pl.col(name).alias(field))
    index = [name for name in opening.first.columns if name not in wide][:1]

    def reshape(frame: pl.DataFrame) -> pl.DataFrame:
        for name in index:
            if frame.schema[name] == pl.String():
                is_header = pl.col(name).is_in(["Ticker", "Price", *_INDEX])
                frame = frame.filter(~is_header.fill_null(False))
            frame = frame.rename({name: "Date"})
        frame = _without_nan(frame).with_row_index("row")
        time = ["row", *(["Date"] if index else [])]
        parts = [frame.select(*time, *columns) for columns in each.values()]
        return pl.concat(parts, how="diagonal_relaxed").sort("row", maintain_order=True).drop("row")

    return reshape


def _without_nan(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.float().fill_nan(None))


DIALECT = Dialect(
    name="yfinance",
    title="yfinance tables",
    columns={
        "symbol": ("ticker", "symbol"),
        "ts": ("datetime", "date", "indexlevel0", "index"),
        **OHLCV,
    },
    shapes=(
        Shape(
            header=("Price", "Close", "High", "Low", "Open", "Volume"),
            accept=lambda opening: _begins_second_line(opening, "Ticker"),
            reshape=_long,
        ),
        Shape(
            header=("Ticker",),
            accept=lambda opening: _begins_second_line(opening, "Price"),
            reshape=_long,
        ),
        Shape(
            containers=_TABLES,
            named=rf"{_TUPLE}|{'|'.join(_INDEX)}",
            reshape=_long,
        ),
        Shape(
            containers=("csv", *_TABLES),
            header=("Open", "High", "Low", "Close", "Volume", "Dividends", "Stock Splits"),
            reshape=lambda _: _without_nan,
        ),
        Shape(
            header=("Datetime", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
            exact=True,
        ),
        Shape(
            header=("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
            exact=True,
            values={"Date": _OFFSET},
        ),
    ),
    names=(tickers.CSV, tickers.PARQUET),
    facts=_facts,
    left_out={
        "adjclose": "the close adjusted for dividends too, restated after each dividend",
        **dict.fromkeys(("dividends", "stocksplits", "capitalgains"), _ACTIONS),
        "repaired?": "whether yfinance repaired the row is not stored",
    },
    provider="yfinance{adjustment}",
    symbol_convention="yahoo",
    skip={
        "times at which a ticker has no prices": pl.all_horizontal(
            pl.col(name).is_null() for name in _PRICES
        )
    },
    volume="shares, adjusted for splits",
    adjusted="splits; dividends too if there is no column Adj Close, and then the provider is "
    "yfinance-adjusted",
    traps=(
        "yfinance adjusts for dividends by default (auto_adjust); only the absence of Adj Close "
        "shows it. Such bars are stored as yfinance-adjusted",
        "all past prices are restated after each split, adjusted ones after each dividend",
        "timestamps have the exchange's offset, which DST changes within one file; daily bars "
        "carry midnight there",
        "prices are float32 written in full: 31.950000762939453 means 31.95",
        "Yahoo mixes GBp and GBP: some prices are a hundred times too high in the source",
        "a plain Date,Open,High,Low,Close,Volume is read as canonical: others write it too",
    ),
    source="files of yfinance's own tests; yfinance/multi.py and scrapers/history.py; "
    "tables of pandas 3.1 written as Parquet",
)
