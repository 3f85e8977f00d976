"""Real files of crypto exchanges and collectors, read independently of the package:
csv, json, datetime and float, row by row."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.golden import Bar, Sample, Unsaid, bar


def seconds(text: str | int) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


def milliseconds(text: str | int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))


def cdd(path: Path, provider: str, interval: str, form: str) -> list[Bar]:
    """The table below the banner, if there is one; its seventh column is the volume."""
    lines = path.read_text().splitlines()
    rows = csv.reader(lines[2:] if "CryptoDataDownload" in lines[0] else lines[1:])
    return [
        bar((provider, row[1], interval), datetime.strptime(row[0], form).replace(tzinfo=UTC),
            *row[2:7])
        for row in rows
    ]  # fmt: skip


def bitstamp(path: Path) -> list[Bar]:
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    key = ("bitstamp", "BTCUSD", "30m")
    return [bar(key, datetime.fromisoformat(row[0] + "+00:00"), *row[1:6]) for row in rows]


def binance(path: Path) -> list[Bar]:
    if path.suffix == ".json":
        key, rows = ("binance", "BTCUSDT", "1m"), json.loads(path.read_text())
    else:
        key, rows = ("binance", "ADABTC", "1m"), list(csv.reader(path.read_text().splitlines()))
    return [bar(key, milliseconds(row[0]), *row[1:6], count=row[8]) for row in rows]


def kraken_rest(path: Path) -> list[Bar]:
    """Without the last, which `last` says was not complete."""
    result = json.loads(path.read_text())["result"]
    key = ("kraken", "XBTUSDT", "1m")
    return [
        bar(key, seconds(t), o, h, lo, c, volume, vwap if count else None, count=count)
        for t, o, h, lo, c, vwap, volume, count in result["XBTUSDT"]
        if t <= result["last"]
    ]


def kraken_futures(path: Path) -> list[Bar]:
    names = ("open", "high", "low", "close", "volume")
    key = ("kraken-futures", "PI_XBTUSD", "1h")
    rows = json.loads(path.read_text())["candles"]
    return [bar(key, milliseconds(row["time"]), *(row[name] for name in names)) for row in rows]


def coinbase(path: Path) -> list[Bar]:
    names = ("open", "high", "low", "close", "volume")
    key = ("coinbase", "BTC-USD", "1h")
    rows = json.loads(path.read_text())["candles"]
    return [bar(key, seconds(row["start"]), *(row[name] for name in names)) for row in rows]


def okx(path: Path) -> list[Bar]:
    key = ("okx", "BTC-USDT-SWAP", "1m")
    rows = json.loads(path.read_text())["data"]
    return [bar(key, milliseconds(row[0]), *row[1:5], row[6]) for row in rows if row[8] == "1"]


def tardis(path: Path) -> list[Bar]:
    row = json.loads(path.read_text())
    start = datetime.fromisoformat(row["timestamp"]) - timedelta(milliseconds=row["interval"])
    names = ("open", "high", "low", "close", "volume", "vwap")
    values = (row[name] for name in names)
    return [bar(("tardis-bitmex", "XBTUSD", "10s"), start, *values, count=row["trades"])]


def ccxt_table(path: Path) -> list[Bar]:
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return [
        bar(("binance", row[1], "1h"), datetime.fromisoformat(row[0] + "+00:00"), *row[2:])
        for row in rows
    ]


def dydx(path: Path) -> list[Bar]:
    names = ("open", "high", "low", "close", "baseTokenVolume")
    return [
        bar(("dydx", row["ticker"], "1m"), datetime.fromisoformat(row["startedAt"]),
            *(row[name] for name in names), count=row["trades"])
        for row in json.loads(path.read_text())["result"]["candles"]
    ]  # fmt: skip


SWAP = {"symbol": "BTC-USDT-SWAP", "interval": "1m"}
SAMPLES = [
    Sample("binance/unzipped/ADABTC-1m-2021-11-27.csv", 10, binance),
    Sample("binance/unzipped/ADABTC-1m-2021-11-28.csv", 11, binance),
    Sample("binance/rest_json/http_spot_market_klines.json", 10, binance, {"symbol": "BTCUSDT"}),
    Sample("bitstamp/30min-bitstampUSD-2.csv", 1968, bitstamp),
    Sample("bybit/http_get_klines_linear.json", 1, lambda path: [], {"interval": "1m"},
           rejected={"ts_off_grid": 1}),  # invented: its minute begins at second 39
    Sample("ccxt/btc_usdt_1h.csv", 585, ccxt_table, {"provider": "binance", "timezone": "UTC"},
           dialect="canonical"),
    Sample("coinbase/http_candles.json", 2, coinbase, {"symbol": "BTC-USD", "interval": "1h"}),
    Sample("cryptodatadownload/Coinbase_BTCUSD_1h.csv", 20_111,
           lambda path: cdd(path, "cryptodatadownload-coinbase", "1h", "%Y-%m-%d %I-%p")),
    Sample("cryptodatadownload/Coinbase_BTCUSD_d.csv", 1_770,
           lambda path: cdd(path, "cryptodatadownload-coinbase", "1d", "%Y-%m-%d")),
    Sample("cryptodatadownload/bitfinex-1d-btc-usd.csv", 1_665,
           lambda path: cdd(path, "cryptodatadownload-bitfinex", "1d", "%Y-%m-%d %H:%M")),
    Sample("cryptodatadownload/coinbase-1h-btc-usd.csv", 17_583,
           lambda path: cdd(path, "cryptodatadownload-coinbase", "1h", "%Y-%m-%d %H:%M")),
    Sample("dydx/http_get_candles.json", 3, dydx,
           {"provider": "dydx", "columns": {"ts": "startedAt", "volume": "baseTokenVolume"}},
           dialect="canonical"),
    Sample("kraken/rest_json/http_ohlc.json", 721, kraken_rest, skipped=1),
    Sample("kraken/rest_json/http_futures_candles_trade.json", 3, kraken_futures,
           {"symbol": "PI_XBTUSD", "interval": "1h"}),
    Sample("okx/http_get_candlesticks.json", 2, okx, SWAP, skipped=2),  # both say confirm 0
    Sample("okx/http_get_candlesticks_full.json", 2, okx, SWAP),
    Sample("tardis/bar.json", 1, tardis),
]  # fmt: skip
UNSAID = [
    Unsaid("binance/rest_json/http_spot_market_klines.json", "the symbol of the bars is not known"),
    Unsaid("bybit/http_get_klines_linear.json", "the interval of the bars is not known"),
    Unsaid("ccxt/btc_usdt_1h.csv", "the provider of the bars is not known"),
    Unsaid("coinbase/http_candles.json", "the symbol of the bars is not known"),
    Unsaid("cryptodatadownload/bitstamp_(BTC,ETH,LTC)USD_d.csv", "a wide table, with the bars"),
    Unsaid("kraken/rest_json/http_futures_candles_trade.json",
           "the symbol of the bars is not known"),
    Unsaid("okx/http_get_candlesticks.json", "the symbol of the bars is not known"),
    Unsaid("okx/http_get_candlesticks_full.json", "the symbol of the bars is not known"),
]  # fmt: skip
