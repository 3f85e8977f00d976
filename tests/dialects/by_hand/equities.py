"""Real files of equity providers, read independently of the package: csv, json, zipfile,
datetime, zoneinfo and float, row by row."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.golden import Bar, Sample, Unsaid, bar

Row = dict[str, str]
NAMES = ("open", "high", "low", "close", "volume")
NEW_YORK = ZoneInfo("America/New_York")


def day(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def session(text: str) -> datetime:
    """The written date, ignoring clock and offset."""
    return day(datetime.fromisoformat(text).date())


def monday(text: str) -> datetime:
    return session(text) - timedelta(days=session(text).weekday())


def in_new_york(milliseconds: int) -> datetime:
    return day(datetime.fromtimestamp(milliseconds // 1000, NEW_YORK).date())


def records(path: Path) -> Iterator[Row]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (member,) = archive.namelist()
            text = archive.read(member).decode()
    else:
        text = path.read_text()
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return ({name.lower(): cell for name, cell in row.items()} for row in rows)


def table(
    provider: str, symbol: str, interval: str = "1d", stamp: Callable[[str], datetime] = session
) -> Callable[[Path], list[Bar]]:
    """A reading of a CSV with a header, or of a JSON array of objects."""

    def read(path: Path) -> list[Bar]:
        rows: Iterable[Row] = json.loads(path.read_text()) if is_json(path) else records(path)
        return [
            bar((provider, row.get("ticker") or symbol, interval),
                stamp(next(row[name] for name in ("date", "datetime") if name in row)),
                *(row.get(name) for name in NAMES))
            for row in rows
        ]  # fmt: skip

    return read


def is_json(path: Path) -> bool:
    return path.suffix == ".json"


def crypto(path: Path) -> list[Bar]:
    return [
        bar(("tiingo", each["ticker"].upper(), "1d"), instant(row["date"]),
            *(row[name] for name in NAMES), count=row["tradesDone"])
        for each in json.loads(path.read_text())
        for row in each["priceData"]
    ]  # fmt: skip


def aggregates(path: Path) -> list[Bar]:
    answer = json.loads(path.read_text())
    return [
        bar(("polygon-adjusted", row.get("T") or answer["ticker"], "1d"), in_new_york(row["t"]),
            *(row[name] for name in ("o", "h", "l", "c", "v", "vw")), count=row["n"])
        for row in answer["results"]
    ]  # fmt: skip


def open_close(path: Path) -> list[Bar]:
    row = json.loads(path.read_text())
    key = ("polygon-adjusted", row["symbol"], "1d")
    return [bar(key, session(row["from"]), *(row[name] for name in NAMES))]


GOOGL, WEEKS = {"symbol": "GOOGL"}, {"interval": "1w"}
ANSWER = "tiingo/ticker_price_pandas_daily_equivalent_requesting_json_or_csv"
WEEKLY = "tiingo/ticker_price_pandas_weekly"
SAMPLES = [
    Sample("polygon/rest_json/AAPL_range_1_day.json", 2, aggregates),
    Sample("polygon/rest_json/grouped_2005-04-04.json", 1, aggregates),
    Sample("polygon/rest_json/open-close_AAPL_2005-04-01.json", 1, open_close),
    Sample("yahoo_csv/SPY-2011-yahoofinance.csv", 252, table("yahoo", "SPY")),
    Sample("yahoo_csv/yahoofinance-SPY-20200901-20210113.csv", 92, table("yahoo", "SPY")),
    Sample("yfinance/4063-T-1d-bad-stock-split.csv", 22, table("yfinance", "4063.T"),
           {"symbol": "4063.T"}),
    Sample("yfinance/AET-L-1d-100x-error.csv", 23, table("yfinance", "AET.L"),
           {"symbol": "AET.L"}),
    Sample("yfinance/ASAI-L-1h-bad-unit.csv", 20, table("yfinance", "ASAI.L", "1h", instant),
           {"symbol": "ASAI.L"}),
    Sample("yfinance/CALM-1d-no-bad-divs.csv", 662, table("yfinance", "CALM"), {"symbol": "CALM"}),
    Sample("yfinance/EA-15m-no-bad-divs.csv", 319, table("yfinance", "EA", "15m", instant),
           {"symbol": "EA"}),
    Sample("other/mplfinance_Issue101_data.csv", 100, table("alphavantage", "X"), {"symbol": "X"},
           dialect="alphavantage"),
    Sample("tiingo/ticker_price_pandas_daily_csv_0.csv", 10, table("tiingo", "GOOGL"), GOOGL),
    Sample(f"{ANSWER}_0.json", 10, table("tiingo", "GOOGL"), GOOGL),
    Sample(f"{ANSWER}_1.csv", 10, table("tiingo", "GOOGL"), GOOGL),
    Sample("tiingo/ticker_price_0.json", 1, table("tiingo", "GOOGL"), {**GOOGL, "interval": "1d"}),
    Sample(f"{WEEKLY}_0.json", 3, table("tiingo", "GOOGL", "1w", monday), {**GOOGL, **WEEKS}),
    Sample(f"{WEEKLY}_multiple_tickers_csv_0.csv", 3, table("tiingo", "GOOGL", "1w", monday),
           {**GOOGL, **WEEKS}),
    Sample(f"{WEEKLY}_multiple_tickers_csv_1.csv", 3, table("tiingo", "AAPL", "1w", monday),
           {"symbol": "AAPL", **WEEKS}),
    Sample("tiingo/intraday_price_0.json", 13, table("tiingo", "GOOGL", "30m", instant), GOOGL),
    Sample("tiingo/crypto_price_history_0.json", 4, crypto, {"interval": "1d"}),
    Sample("quandl_wiki/QUANDL_ARCHIVE.zip", 916, table("quandl", "")),
    Sample("quandl_wiki/WIKI-AAPL-2011-quandl.csv", 252, table("quandl", "AAPL")),
    Sample("quandl_wiki/WIKI-yhoo-2011-quandl.csv", 252, table("quandl", "YHOO")),
    Sample("yahoo_csv/zipline_BRK-A.csv", 127,
           lambda path: [bar(("zipline", "BRK-A", "1d"), session(row["day"]),
                             *(row[name] for name in NAMES)) for row in records(path)],
           {"provider": "zipline", "symbol": "BRK-A"}, dialect="canonical"),
]  # fmt: skip
UNSAID = [
    Unsaid("other/ffn_wide_close_test_data.csv", "a table of closes?"),
    Unsaid("other/mplfinance_Issue101_data.csv", "the symbol of the bars is not known"),
    Unsaid("tiingo/crypto_price_history_0.json", "the interval of the bars is not known"),
    Unsaid("tiingo/intraday_price_0.json", "the symbol of the bars is not known"),
    Unsaid("tiingo/ticker_price_0.json", "the symbol of the bars is not known"),
    Unsaid("tiingo/ticker_price_pandas_daily_csv_0.csv", "the symbol of the bars is not known"),
    Unsaid("tiingo/ticker_price_pandas_weekly_0.json", "the symbol of the bars is not known"),
    Unsaid("yahoo_csv/zipline_BRK-A.csv", "the provider of the bars is not known"),
    Unsaid("yfinance/4063-T-1d-bad-stock-split.csv", "the symbol of the bars is not known"),
    Unsaid("yfinance/ASAI-L-1h-bad-unit.csv", "the symbol of the bars is not known"),
]  # fmt: skip
