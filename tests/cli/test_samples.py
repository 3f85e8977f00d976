"""Real vendor files through the command line into PostgreSQL, against an independent reading with
the csv module, datetime, zoneinfo and float, row by row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import math
import shlex
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from click.testing import CliRunner, Result

from loader.cli import root
from tests.conftest import database

Stamp = Callable[[str], datetime]
Cli = Callable[..., Result]


def day(form: str) -> Stamp:
    """A session date, ignoring any clock beside it."""
    return lambda text: datetime.combine(datetime.strptime(text, form).date(), time(), UTC)


def local(form: str, zone: tzinfo) -> Stamp:
    return lambda text: datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC)


def offset(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def offset_day(text: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)


def end_of_minute(text: str) -> datetime:
    return UTC_TIME(text) - timedelta(minutes=1)


def epoch_ms(text: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))


def monday(text: str) -> datetime:
    """The start of a week that its last day names."""
    return ISO(text) - timedelta(days=ISO(text).weekday())


ISO, US = day("%Y-%m-%d"), day("%m/%d/%Y")
UTC_TIME = local("%Y-%m-%d %H:%M:%S", UTC)
MADRID = local("%Y-%m-%d %H:%M:%S", ZoneInfo("Europe/Madrid"))
CAPITALS = "Date Open High Low Close Volume"
SMALL = "date open high low close volume"


@dataclass(frozen=True)
class Sample:
    """`columns` are those of ts, open, high, low, close, volume, vwap and trade count; `-` is none.
    `symbol` is the column of the symbols."""

    path: str
    rows: int
    stamp: Stamp
    columns: str
    interval: str = "1d"
    args: str = ""
    symbol: str | None = None
    rejected: int = 0


SAMPLES = [
    Sample("yahoo_csv/SPY-2011-yahoofinance.csv", 252, ISO, CAPITALS),
    Sample("yahoo_csv/yahoofinance-SPY-20200901-20210113.csv", 92, ISO, CAPITALS),
    Sample("yahoo_csv/zipline_BRK-A.csv", 127, ISO, "day open high low close volume"),
    Sample("yfinance/4063-T-1d-bad-stock-split.csv", 22, offset_day, CAPITALS),
    Sample("yfinance/AET-L-1d-100x-error.csv", 23, offset_day, CAPITALS),
    Sample("yfinance/ASAI-L-1h-bad-unit.csv", 20, offset, f"Datetime{CAPITALS[4:]}", "1h"),
    Sample("yfinance/CALM-1d-no-bad-divs.csv", 662, offset_day, f"Datetime{CAPITALS[4:]}"),
    Sample("yfinance/EA-15m-no-bad-divs.csv", 319, offset, f"Datetime{CAPITALS[4:]}", "15m"),
    Sample("barchart/jpyusd_barchartdotcom.csv", 519, US, "Time Open High Low Last Volume"),
    Sample("bitstamp/30min-bitstampUSD-2.csv", 1968, UTC_TIME, f"Date_Time{CAPITALS[4:]}", "30m"),
    Sample("ccxt/btc_usdt_1h.csv", 585, UTC_TIME, "_ open high low close volume", "1h",
           "--timezone UTC", symbol="symbol"),
    Sample("cryptodatadownload/bitfinex-1d-btc-usd.csv", 1665, day("%Y-%m-%d %H:%M"),
           "Date Open High Low Close VolumeFrom", symbol="Symbol"),
    Sample("cryptodatadownload/bitfinex-1d-btc-usd.csv", 1665, day("%Y-%m-%d %H:%M"),
           "Date Open High Low Close VolumeTo", args="--column volume=VolumeTo",
           symbol="Symbol"),
    Sample("cryptodatadownload/coinbase-1h-btc-usd.csv", 17583, local("%Y-%m-%d %H:%M", UTC),
           "Date Open High Low Close VolumeFrom", "1h", symbol="Symbol"),
    Sample("cryptodatadownload/Coinbase_BTCUSD_d.csv", 1770, ISO,
           "date open high low close volume_btc", symbol="symbol"),
    Sample("cryptodatadownload/Coinbase_BTCUSD_1h.csv", 20111,
           local("%Y-%m-%d %I-%p", UTC), "date open high low close volume_btc", "1h",
           symbol="symbol"),
    Sample("cryptodatadownload/Coinbase_BTCUSD_1h.csv", 20111,
           local("%Y-%m-%d %I-%p", UTC), "date open high low close volume_btc", "1h",
           "--dialect canonical --timezone UTC --time-format '%Y-%m-%d %I-%p' "
           "--column volume=volume_btc", symbol="symbol"),
    Sample("custom_csv/6EH4.XCME_1min_bars.csv", 9, end_of_minute,
           "timestamp_utc open high low close volume", "1m"),
    Sample("custom_csv/6EH4.XCME_1min_bars_20240101_20240131.csv.gz", 29996, end_of_minute,
           "timestamp_utc open high low close volume", "1m"),
    Sample("dukascopy/dukascopy-node_out/basic-csv.output.csv", 24, epoch_ms,
           "timestamp open high low close volume"),
    Sample("dukascopy/dukascopy-node_out/eurusd-d1-bid-2017-01-01-2020-01-01.csv", 938, epoch_ms,
           "timestamp open high low close volume"),
    Sample("fxcm/gbpusd-m1-bid-2012.csv", 30117, offset, "timestamp open high low close -", "1m"),
    Sample("google_finance/orcl-2010-googlefinance.csv", 252, day("%d-%b-%y"), CAPITALS),
    Sample("google_finance/orcl-2010-googlefinance-malformed.csv", 252, day("%d-%b-%y"), CAPITALS,
           rejected=1),
    Sample("hikyuu/test_day_data.csv", 100, day("%Y-%m-%d %H:%M:%S"),
           "date open high low close count", args="--volume-factor 1"),
    Sample("ibkr/ib-spy-5min-20120627.csv", 166, MADRID, f"{CAPITALS} VWAP TradeCount", "5m",
           "--timezone Europe/Madrid --volume-factor 1 --keep-skipped"),
    Sample("ibkr/ib-spy-5min-20120628.csv", 168, MADRID, f"{CAPITALS} VWAP TradeCount", "5m",
           "--timezone Europe/Madrid --volume-factor 1 --keep-skipped"),
    Sample("metatrader/mt4_with_header/EURUSD60.csv", 3728,
           local("%Y.%m.%d %H:%M", ZoneInfo("Europe/Athens")), "Date+Time" + CAPITALS[4:], "1h",
           "--timezone Europe/Athens"),
    Sample("metatrader/mt4_with_header/EURUSD60.csv", 3728,
           local("%Y.%m.%d %H:%M", timezone(timedelta(hours=2))), "Date+Time" + CAPITALS[4:], "1h",
           "--timezone UTC+2"),
    Sample("other/mplfinance_Issue101_data.csv", 100, ISO, SMALL),
    Sample("other/mplfinance_SP500_NOV2019_Hist.csv", 20, US, CAPITALS),
    Sample("other/mplfinance_SP500_NOV2019_IDay.csv", 1563,
           local("%m/%d/%Y %H:%M", ZoneInfo("America/New_York")), CAPITALS, "1m",
           "--timezone America/New_York --time-format '%m/%d/%Y %H:%M'"),
    Sample("other/mplfinance_issue142_data.csv", 41, UTC_TIME, CAPITALS, "1h", "--timezone UTC"),
    Sample("other/mplfinance_issue568.csv", 205, day("%d-%b-%y"), CAPITALS),
    Sample("other/mplfinance_pr451data.csv", 123, ISO, CAPITALS),
    Sample("other/mplfinance_so75737197_data.csv", 40, UTC_TIME,
           "Start_Date Open_Price High_Price Low_Price Close_Price Volume", "15m",
           "--timezone UTC"),
    Sample("other/pandas_ta_SPY_D.csv", 5241, ISO, SMALL),
    Sample("other/pandas_ta_sample.csv", 100, ISO, SMALL),
    Sample("other/stockindicators_bad.csv", 502, US, SMALL, args="--max-rejects 100%",
           rejected=165),
    Sample("other/stockindicators_bitcoin.csv", 1246, ISO, SMALL),
    Sample("other/stockindicators_penny.csv", 533, ISO, SMALL),
    Sample("other/stockindicators_spx.csv", 8111, US, SMALL),
    Sample("other/stockindicators_toobig.csv", 1246, US, SMALL),
    Sample("quandl_wiki/QUANDL_ARCHIVE.zip", 916, ISO, SMALL, symbol="ticker"),
    Sample("quandl_wiki/WIKI-AAPL-2011-quandl.csv", 252, ISO, CAPITALS),
    Sample("quandl_wiki/WIKI-yhoo-2011-quandl.csv", 252, ISO, CAPITALS),
    Sample("tiingo/ticker_price_pandas_daily_csv_0.csv", 10, ISO, SMALL),
    Sample("tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_0.csv", 3, monday, SMALL, "1w",
           "--interval 1w"),
    Sample("tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_1.csv", 3, monday, SMALL, "1w",
           "--interval weekly"),
    Sample("zipline_csvdir/daily/AAPL.csv.gz", 754, ISO, SMALL),
    Sample("zipline_csvdir/daily/KO.csv.gz", 754, ISO, SMALL),
]  # fmt: skip

Bar = tuple[str, str, datetime, float, float, float, float, float | None, float | None, int | None]


def by_hand(path: Path, sample: Sample) -> tuple[list[Bar], int]:
    """The bars of a file in order of key, the last of a key winning, and its number of rows."""
    banner, lines = text_of(path).split("\n", 1)
    text = io.StringIO(lines if "CryptoDataDownload" in banner else f"{banner}\n{lines}")
    records = csv.reader(text, delimiter=";" if ";" in banner else ",")
    header = [name.strip().replace(" ", "_") or "_" for name in next(records)]
    bars: dict[tuple[str, datetime], Bar] = {}
    rows = 0
    for record in filter(None, records):
        rows += 1
        cells = dict(zip(reversed(header), reversed(record), strict=True))  # the first of a name
        names = sample.columns.split()
        try:
            ts = sample.stamp(" ".join(cells[part] for part in names[0].split("+")).strip())
            prices = [float(cells[name]) for name in names[1:5]]
            volume = None if names[5] == "-" else float(cells[names[5]])
        except ValueError:
            continue
        vwap, count = None, None
        if len(names) > 6:
            vwap, count = float(cells[names[6]]), int(cells[names[7]])
        o, h, low, c = prices
        if not 0 < low <= min(o, c) <= max(o, c) <= h < math.inf or (volume or 0) < 0:
            continue
        symbol = cells[sample.symbol] if sample.symbol else "X"
        bars[symbol, ts] = (symbol, sample.interval, ts, o, h, low, c, volume, vwap, count)
    return [bars[key] for key in sorted(bars)], rows


def text_of(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (member,) = archive.namelist()
            data = archive.read(member)
    return data.decode("utf-8-sig")


@pytest.fixture(scope="module")
def store(server_url: str, template: str) -> Iterator[str]:
    """URL of one database for all of these files: each has a provider of its own."""
    with database(server_url, template) as url:
        yield url


@pytest.fixture
def cli() -> Iterator[Cli]:
    """Runs the command in this process, to avoid a hundred process starts."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = list(logging.getLogger().handlers)
    loggers = [logging.getLogger(name) for name in ("loader", "loader.said")]
    levels = [logger.level for logger in loggers]
    runner = CliRunner()
    yield lambda *args: runner.invoke(root, list(map(str, args)), standalone_mode=False)
    logging.captureWarnings(False)
    logging.getLogger().handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.path} {s.args}".strip())
def test_every_bar_is_as_read_by_hand(sample: Sample, samples: Path, store: str, cli: Cli) -> None:
    path = samples / sample.path
    provider = f"{sample.path} {sample.args}".strip()[-128:]
    symbol = [] if sample.symbol else ["--symbol", "x"]
    args = ("-q", "backfill", path, "--provider", provider, *symbol, *shlex.split(sample.args),
            "--json")  # fmt: skip
    ran = cli("--database", store, *args)
    assert ran.return_value == 0, (ran.exception, ran.stderr)
    expected, rows = by_hand(path, sample)
    told = json.loads(ran.stdout)
    assert rows == sample.rows == told["rows_read"]
    assert told["rows_failed"] == sample.rejected
    assert told["rows_inserted"] == len(expected) == rows - sample.rejected - told["rows_duplicate"]
    with psycopg.connect(store) as connection:
        stored = connection.execute(
            'SELECT symbol, "interval", ts, open, high, low, close, volume, vwap, trade_count '
            "FROM bars_ohlcv WHERE provider = %s ORDER BY symbol, ts",
            (provider,),
        ).fetchall()
    assert stored == expected

    again = cli("--database", store, *args, "--force")
    assert json.loads(again.stdout)["rows_unchanged"] == len(expected)


@pytest.mark.parametrize(
    ("path", "args", "code", "message", "hint"),
    [
        ("cryptodatadownload/Coinbase_BTCUSD_1h.csv", "--dialect canonical", 3,
         "one of them is money", "volume_btc"),
        ("cryptodatadownload/bitstamp_(BTC,ETH,LTC)USD_d.csv", "", 3, "a wide table", "one series"),
        ("cryptodatadownload/coinbase-1h-btc-usd.csv", "--dialect canonical", 3,
         "no time zone is given", "--timezone"),
        ("nautilus_parquet/64-bit/bars.parquet", "", 3, "the starts or the ends of the bars",
         "--stamp start"),
        ("other/ffn_wide_close_test_data.csv", "", 3, "a table of closes?", "a bar has"),
        ("other/mplfinance_SP500_NOV2019_IDay.csv", "--timezone America/New_York", 3,
         "nothing shows which is the month", "--time-format '%m/%d/%Y %H:%M'"),
        ("other/mplfinance_SP500_NOV2019_IDay.csv",
         "--timezone America/New_York --time-format '%m/%d/%Y %H:%M' --interval 1d", 3,
         "the spacing of the bars is 1m", "--interval 1m"),
        ("other/mplfinance_so60982755.csv", "", 3, "the steps between them vary", "--interval 1m"),
        ("other/mplfinance_so60982755.csv", "--interval 1m", 4, "15 of 19 rows were rejected",
         "--max-rejects"),
        ("other/stockindicators_bad.csv", "", 4, "165 of 502 rows were rejected", "--max-rejects"),
        ("tiingo/ticker_price_pandas_weekly_multiple_tickers_csv_0.csv", "", 3,
         "too few steps between them to tell: 2", "--interval 1w"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused(
    path: str, args: str, code: int, message: str, hint: str,
    samples: Path, store: str, cli: Cli,
) -> None:  # fmt: skip
    ran = cli("--database", store, "backfill", samples / path, "--provider", "refused",
              "--symbol", "X", "--json", *shlex.split(args))  # fmt: skip
    assert ran.return_value == code
    (file,) = json.loads(ran.stdout)["files"]
    assert message in file["error"]
    assert hint in file["hint"]
    with psycopg.connect(store) as connection:
        kept: Any = connection.execute("SELECT 1 FROM bars_ohlcv WHERE provider = 'refused'")
        assert kept.fetchall() == []
