"""Compares text dialects with plain CSV: the cost to read and check the same bars in each.

No database, because a dialect's cost arises before it. Processor time of this process, all threads;
minimum of several interleaved rounds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.made_bars import Stretch, Universe
from loader import bars
from loader.check.file import Checking
from loader.read.formats import read
from loader.read.sources import find
from loader.settings import Settings

_HEADS = ("form", "dialect", "bytes/bar", "CPU µs/bar", "of plain CSV")
_OHLC = ("open", "high", "low", "close")
_OHLCV = (*_OHLC, "volume")
_SAID = {"provider": "bench", "symbol": "AAPL"}
PLAIN = "plain CSV"
_DAYS = 20_000


@dataclass(frozen=True)
class Form:
    """A text file of bars: `columns` are expressions over made bars; their names are the header.

    `daily`: one bar a day; other files have minutes, without the repeated hour of a DST change.
    """

    file: str
    columns: tuple[str | pl.Expr, ...]
    options: dict[str, Any] = field(default_factory=dict)
    header: bool = True
    separator: str = ","
    daily: bool = False


def _stamp(name: str, form: str, zone: str = "UTC", later: str = "0m") -> pl.Expr:
    at = pl.col("ts").dt.offset_by(later).dt.convert_time_zone(zone)
    return at.dt.strftime(form).alias(name)


def _epoch(name: str, unit: Any, later: str = "0m") -> pl.Expr:
    return pl.col("ts").dt.offset_by(later).dt.epoch(unit).alias(name)


def _text(name: str, text: str) -> pl.Expr:
    return pl.lit(text).alias(name)


def _capitals(*names: str) -> tuple[pl.Expr, ...]:
    return tuple(pl.col(name).alias(name.capitalize()) for name in names)


def _in_brackets(*names: str) -> tuple[pl.Expr, ...]:
    return tuple(pl.col(name).alias(f"<{name.upper()}>") for name in names)


def _whole(name: str = "volume") -> pl.Expr:
    return pl.col("volume").cast(pl.Int64).alias(name)


def _grouped(name: str, price: str, before: str = "") -> pl.Expr:
    """Writes two decimals, with groups of three digits."""
    cents = pl.format(f"{before}{{}}", pl.col(price).round(2).cast(pl.Decimal(18, 2)))
    return cents.str.replace(r"(\d)(\d{3})\.", "$1,$2.").alias(name)


_ISO = _stamp("ts", "%Y-%m-%dT%H:%M:%SZ")
_DAY, _US_DAY = _stamp("Date", "%Y-%m-%d"), _stamp("Date", "%m/%d/%Y")
_KLINE = (
    *_OHLCV, _epoch("close_time", "ms", "1m"), pl.col("volume").alias("quote_volume"),
    "trade_count", pl.col("volume").alias("taker"), pl.col("volume").alias("taker_quote"),
    pl.lit(0).alias("ignore"),
)  # fmt: skip
_NY, _SERVER = "America/New_York", {"timezone": "America/New_York+7h"}
_ADJUSTED = tuple(_text(f"Adj. {name.capitalize()}", "100.25") for name in _OHLCV)
FORMS: dict[str, Form] = {
    PLAIN: Form("bars.csv", (_ISO, *_OHLCV), {**_SAID, "interval": "1m"}),
    "plain CSV of days": Form("bars.csv", (_DAY, *_OHLCV), {**_SAID, "interval": "1d"}, daily=True),
    "polygon": Form("us_stocks_sip/minute_aggs_v1/bars.csv", (
        _text("ticker", "AAPL"), _whole(), "open", "close", "high", "low",
        _epoch("window_start", "ns"), pl.col("trade_count").alias("transactions"))),
    "databento": Form("xnas.ohlcv-1m.csv", (
        _stamp("ts_event", "%Y-%m-%dT%H:%M:%S.000000000Z"), pl.lit(33).alias("rtype"),
        pl.lit(2).alias("publisher_id"), pl.lit(1).alias("instrument_id"),
        *(pl.format("{}0000000", pl.col(n).cast(pl.Decimal(18, 2))).alias(n) for n in _OHLC),
        _whole(), _text("symbol", "AAPL"))),
    "binance": Form("BTCUSDT-1m-2024-01.csv", (_epoch("open_time", "ms"), *_KLINE), header=False),
    "kraken": Form("XBTUSD_1.csv", (_epoch("time", "s"), *_OHLCV, "trade_count"), header=False),
    "cryptodatadownload": Form("Gemini_BTCUSD_minute.csv", (
        _epoch("unix", "ms"), _stamp("date", "%Y-%m-%d %H:%M:%S"), _text("symbol", "BTC/USD"),
        *_OHLC, pl.col("volume").alias("Volume BTC"), pl.col("volume").alias("Volume USD"))),
    "cryptodatadownload by the hour": Form("Coinbase_BTCUSD_1h.csv", (
        _stamp("date", "%Y-%m-%d %I-%p"), _text("symbol", "BTCUSD"), *_OHLC,
        pl.col("volume").alias("volume_btc"), "volume")),
    "bitstamp": Form("1min-bitstampUSD.csv", (
        _stamp("Date Time", "%Y-%m-%d %H:%M:%S"), *_capitals(*_OHLCV), _text("Adj Close", ""))),
    "stooq": Form("aapl.us.txt", (
        _text("<TICKER>", "AAPL.US"), _text("<PER>", "5"),
        _stamp("<DATE>", "%Y%m%d", "Europe/Warsaw", "5m"),
        _stamp("<TIME>", "%H%M%S", "Europe/Warsaw", "5m"), *_in_brackets(*_OHLC),
        _whole("<VOL>"), pl.lit(0).alias("<OPENINT>")), {"check_grid": False}),
    "yahoo": Form("AAPL.csv", (
        _DAY, *_capitals(*_OHLC), _text("Adj Close", "100.25"), _whole("Volume")),
        daily=True),
    "yfinance": Form("AAPL.csv", (
        _stamp("Datetime", "%Y-%m-%d %H:%M:%S%:z", _NY), *_capitals(*_OHLC), _whole("Volume"),
        pl.lit(0.0).alias("Dividends"), pl.lit(0.0).alias("Stock Splits"))),
    "alphavantage": Form("AAPL.csv", (
        _stamp("timestamp", "%Y-%m-%d"), *_OHLC, _text("adjusted close", "100.25"), _whole(),
        pl.lit("0.0000").alias("dividend amount"), pl.lit("1.0").alias("split coefficient")),
        daily=True),
    "tiingo": Form("AAPL.csv", (
        _stamp("date", "%Y-%m-%d"), "close", "high", "low", "open", _whole(),
        *(_text(f"adj{n.capitalize()}", "100.25") for n in ("close", "high", "low", "open")),
        pl.lit(1000).alias("adjVolume"), pl.lit(0.0).alias("divCash"),
        pl.lit(1.0).alias("splitFactor")), daily=True),
    "eodhd": Form("AAPL.US.csv", (
        _stamp("date", "%Y-%m-%d"), *_OHLC, _text("adjusted_close", "100.25"), _whole()),
        daily=True),
    "ibkr": Form("bars.csv", (
        _stamp("date", "%Y-%m-%d %H:%M:%S", _NY), *_OHLCV, pl.col("vwap").alias("average"),
        pl.col("trade_count").alias("barCount")), {"symbol": "AAPL", "timezone": _NY}),
    "firstrate": Form("AAPL_full_1min_adjsplit.txt", (
        _stamp("time", "%Y-%m-%d %H:%M:%S", _NY), *_OHLC, _whole()), header=False),
    "kibot": Form("AAPL.txt", (
        _stamp("date", "%m/%d/%Y", _NY), _stamp("time", "%H:%M", _NY), *_OHLC, _whole()),
        header=False),
    "histdata": Form("DAT_ASCII_EURUSD_M1_2024.csv", (
        _stamp("time", "%Y%m%d %H%M%S", "Etc/GMT+5"), *_OHLC, pl.lit(0).alias("volume")),
        separator=";", header=False),
    "dukascopy": Form("eurusd-m1-bid-2024-01-01-2025-01-01.csv", (
        _epoch("timestamp", "ms"), *_OHLCV)),
    "metatrader4": Form("EURUSD1.csv", (
        _stamp("date", "%Y.%m.%d", "Europe/Athens"), _stamp("time", "%H:%M", "Europe/Athens"),
        *_OHLC, _whole()), _SERVER, header=False),
    "metatrader5": Form("EURUSD_M1.csv", (
        _stamp("<DATE>", "%Y.%m.%d", "Europe/Athens"),
        _stamp("<TIME>", "%H:%M:%S", "Europe/Athens"), *_in_brackets(*_OHLC), _whole("<TICKVOL>"),
        pl.lit(0).alias("<VOL>"), pl.lit(7).alias("<SPREAD>")), _SERVER, separator="\t"),
    "lean": Form("equity/usa/hour/aapl.csv", (
        _stamp("time", "%Y%m%d %H:%M", _NY),
        *((pl.col(n) * 10_000).round().cast(pl.Int64).alias(n) for n in _OHLC), _whole()),
        {"check_grid": False}, header=False),
    "quandl": Form("WIKI-AAPL.csv", (
        _DAY, *_capitals(*_OHLCV), pl.lit(0.0).alias("Ex-Dividend"),
        pl.lit(1.0).alias("Split Ratio"), *_ADJUSTED), daily=True),
    "norgate": Form("AAPL.csv", (
        _DAY, *_capitals(*_OHLCV), _text("Turnover", "100000.0"),
        _text("Unadjusted Close", "100.25"), pl.lit(0.0).alias("Dividend")), daily=True),
    "twelvedata": Form("twelvedata_AAPL.csv", (
        _stamp("datetime", "%Y-%m-%d %H:%M:%S", _NY), *_OHLC, _whole()),
        {"symbol": "AAPL", "timezone": _NY}, separator=";"),
    "finnhub": Form("AAPL.csv", (
        pl.col("close").alias("c"), pl.col("high").alias("h"), pl.col("low").alias("l"),
        pl.col("open").alias("o"), _text("s", "ok"), _epoch("t", "s"), _whole("v"))),
    "tradingview": Form("BATS_AAPL, 1.csv", (
        _stamp("time", "%Y-%m-%dT%H:%M:%S%:z", _NY), *_OHLC, pl.col("vwap").alias("Plot"),
        _whole("Volume"))),
    "ninjatrader": Form("ES 03-24.Last.txt", (
        _stamp("time", "%Y%m%d %H%M%S", later="1m"), *_OHLC, _whole()), separator=";",
        header=False),
    "zipline": Form("daily/AAPL.csv", (
        _stamp("date", "%Y-%m-%d"), *_OHLC, _whole(), pl.lit(0.0).alias("dividend"),
        pl.lit(1.0).alias("split")), daily=True),
    "barchart": Form("aapl_daily_historical-data-05-06-2026.csv", (
        _stamp("Time", "%m/%d/%Y"), *_capitals("open", "high", "low"),
        pl.col("close").alias("Last"), pl.lit(0.5).alias("Change"), _whole("Volume")), daily=True),
    "investing": Form("AAPL Historical Data.csv", (
        _US_DAY, *(_grouped(n, p) for n, p in zip(
            ("Price", "Open", "High", "Low"), ("close", "open", "high", "low"), strict=True)),
        pl.format("{}K", (pl.col("volume") / 1000).round(2)).alias("Vol."),
        _text("Change %", "0.45%")), {"interval": "1d"}, daily=True),
    "nasdaq": Form("AAPL.csv", (
        _US_DAY, _grouped("Close/Last", "close", "$"), _whole("Volume"),
        *(_grouped(n.capitalize(), n, "$") for n in ("open", "high", "low"))), daily=True),
    "google": Form("google/AAPL.csv", (
        _stamp("Date", "%d-%b-%y"), *_capitals(*_OHLC), _whole("Volume")),
        {"symbol": "AAPL"}, daily=True),
    "hikyuu": Form("day.csv", (
        _stamp("date", "%Y-%-m-%-d 0:0:0"), *_OHLC, _text("amount", "1000.0"),
        pl.col("volume").alias("count")), {"symbol": "SH600000", "interval": "1d"}, daily=True),
}  # fmt: skip


def measured(rows: int, rounds: int, folder: Path) -> Iterator[str]:
    """Yields the lines of a Markdown table.

    Raises:
        AssertionError: not all bars of a form were good.
    """
    paths = {
        name: write(form, rows, folder / str(n)) for n, (name, form) in enumerate(FORMS.items())
    }
    taken: dict[str, str] = {}
    least = dict.fromkeys(FORMS, float("inf"))
    for _ in range(rounds):
        for name, form in FORMS.items():
            before = time.process_time()
            taken[name] = taken_in(paths[name], form, rows)
            least[name] = min(least[name], time.process_time() - before)
    yield f"| {' | '.join(_HEADS)} |"
    yield "|---|---|--:|--:|--:|"
    for name, seconds in least.items():
        size, each = paths[name].stat().st_size / rows, seconds / rows * 1e6
        yield f"| {name} | {taken[name]} | {size:.0f} | {each:.2f} | {least[PLAIN] / seconds:.2f} |"


def write(form: Form, rows: int, folder: Path) -> Path:
    path = folder / form.file
    path.parent.mkdir(parents=True, exist_ok=True)
    universe = Universe(rows, 1)
    made = pl.concat(Stretch(universe, 0, universe.bars).frames())
    if form.daily:  # the same days repeatedly
        days = (pl.int_range(rows, dtype=pl.Int64) % _DAYS) * 86_400_000_000
        made = made.with_columns(days.cast(pl.Datetime("us", "UTC")).alias("ts"))
    made.select(form.columns).write_csv(path, include_header=form.header, separator=form.separator)
    return path


def taken_in(path: Path, form: Form, rows: int) -> str:
    """Reads and checks a file as a load does, and returns the dialect's name."""
    settings = Settings(**form.options)
    good = 0
    with find([str(path)]) as (source,), read(source, settings.batch_rows) as reading:
        checking = Checking(reading, source, settings)
        for piece in checking.pieces():
            good += piece.good.select(bars.COLUMNS).height
    if good != rows or checking.layout is None:
        raise AssertionError(f"{path} has {good:,} good bars of {rows:,}")
    return checking.layout.dialect.name
