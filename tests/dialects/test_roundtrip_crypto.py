"""Bars written in the formats of crypto providers are read back unchanged."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.settings import Settings
from tests.support.golden import taken_in, written

FIRST = datetime(2017, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Bar:
    """One hour; numbers in their spelling."""

    ts: datetime
    open: str
    high: str
    low: str
    close: str
    volume: str
    trades: int

    @property
    def s(self) -> int:
        return int(self.ts.timestamp())

    @property
    def money(self) -> str:
        return format(Decimal(self.volume) * Decimal(self.close), "f")

    @property
    def ohlcv(self) -> tuple[str, ...]:
        return (self.open, self.high, self.low, self.close, self.volume)


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    """Some in any order, no two of one hour; without volume only where the price stood still."""
    places = draw(st.integers(0, 8))
    hours = draw(st.lists(st.integers(0, 70_000), min_size=1, max_size=8, unique=True))
    made = []
    for hour in hours:
        prices = draw(st.lists(st.integers(1, 99_999_999), min_size=4, max_size=4))
        low, one, other, high = (format(Decimal(p).scaleb(-places), "f") for p in sorted(prices))
        first, last = draw(st.permutations([one, other]))
        volume = draw(st.integers(0 if low == high else 1, 10**12))
        made.append(
            Bar(FIRST + timedelta(hours=hour), first, high, low, last,
                format(Decimal(volume).scaleb(-8), "f"), draw(st.integers(1, 10**6)))
        )  # fmt: skip
    return made


def table(made: list[Bar], row: Callable[[Bar], tuple[Any, ...]], above: str = "") -> bytes:
    lines = (",".join(map(str, row(each))) for each in made)
    return (above + "".join(f"{line}\n" for line in lines)).encode()


def kraken(made: list[Bar]) -> bytes:
    return table(made, lambda b: (b.s, *b.ohlcv, b.trades))


def kraken_rest(made: list[Bar]) -> bytes:
    """The last row is of an hour that had not ended."""
    rows = [[b.s, *b.ohlcv[:4], b.close, b.volume, b.trades] for b in made]
    last = max(b.s for b in made)
    running = [last + 3600, "1", "1", "1", "1", "1", "1", 1]
    answer = {"error": [], "result": {"XBTUSD": [*rows, running], "last": last}}
    return json.dumps(answer).encode()


def kraken_futures(made: list[Bar]) -> bytes:
    rows = [{"time": b.s * 1000, **named(b)} for b in made]
    return json.dumps({"candles": rows, "more_candles": False}).encode()


def coinbase(made: list[Bar]) -> bytes:
    rows = (f"[{b.s},{b.low},{b.high},{b.open},{b.close},{b.volume}]" for b in made)
    return f"[{','.join(rows)}]".encode()


def coinbase_objects(made: list[Bar]) -> bytes:
    order = ("low", "high", "open", "close", "volume")
    rows = [{"start": str(b.s), **{name: named(b)[name] for name in order}} for b in made]
    return json.dumps({"candles": rows}).encode()


def ccxt(made: list[Bar]) -> bytes:
    rows = (f"[{b.s * 1000},{','.join(b.ohlcv)}]" for b in made)
    return f"[{','.join(rows)}]".encode()


def binance(made: list[Bar], unit: int = 1000) -> bytes:
    return table(
        made,
        lambda b: (
            b.s * unit, *b.ohlcv, (b.s + 3600) * unit - 1, b.money, b.trades, b.volume, b.money, 0
        ),
    )  # fmt: skip


def binance_futures(made: list[Bar]) -> bytes:
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
        "taker_buy_quote_volume,ignore\n"
    )
    return header.encode() + binance(made)


def cdd_hours(made: list[Bar]) -> bytes:
    above = (
        "Timestamps are UTC timezone,https://www.CryptoDataDownload.com\n"
        "date,symbol,open,high,low,close,volume_btc,volume\n"
    )
    return table(made, lambda b: (f"{b.ts:%Y-%m-%d %I-%p}", "BTCUSD", *b.ohlcv, b.money), above)


def cdd_unix(made: list[Bar]) -> bytes:
    """Dates four hours off, seconds before 2020 and milliseconds after, counts from 2020 on."""
    above = (
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD,tradecount\n"
    )

    def row(b: Bar) -> tuple[Any, ...]:
        new = b.ts.year >= 2020
        date = f"{b.ts - timedelta(hours=4):%Y-%m-%d %H:%M:%S}"
        stamp = b.s * 1000 if new else f"{b.s}.0"
        return (stamp, date, "BTCUSD", *b.ohlcv, b.money, b.trades if new else "NULL")

    return table(made, row, above)


def cdd_from_to(made: list[Bar]) -> bytes:
    above = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo\n"
    return table(made, lambda b: (f"{b.ts:%Y-%m-%d %H:%M}", "BTCUSD", *b.ohlcv, b.money), above)


def bitstamp(made: list[Bar]) -> bytes:
    above = "Date Time,Open,High,Low,Close,Volume,Adj Close\n"
    return table(made, lambda b: (f"{b.ts:%Y-%m-%d %H:%M:%S}", *b.ohlcv, ""), above)


def okx_spot(made: list[Bar]) -> bytes:
    rows = [[str(b.s * 1000), *b.ohlcv, b.money, b.money, "1"] for b in made]
    return json.dumps({"code": "0", "msg": "", "data": rows}).encode()


def bybit(made: list[Bar]) -> bytes:
    rows = [[str(b.s * 1000), *b.ohlcv, b.money] for b in made]
    result = {"category": "linear", "symbol": "BTCUSD", "list": rows}
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1}).encode()


def tardis(made: list[Bar]) -> bytes:
    return b"".join(
        json.dumps({
            "type": "trade_bar", "symbol": "BTCUSD", "exchange": "bitmex", "name": "hours",
            "interval": 3_600_000, "kind": "time", **named(b), "trades": b.trades,
            "vwap": b.close, "timestamp": f"{b.ts + timedelta(hours=1):%Y-%m-%dT%H:%M:%S.000Z}",
        }).encode() + b"\n"
        for b in made
    )  # fmt: skip


def named(b: Bar) -> dict[str, str]:
    return dict(zip(("open", "high", "low", "close", "volume"), b.ohlcv, strict=True))


@dataclass(frozen=True)
class Dump:
    """`says` are provider and symbol, `has` which of volume, vwap (written as the close) and trades
    are in it."""

    file: str
    write: Callable[[list[Bar]], bytes]
    says: tuple[str, str]
    has: str = "volume"
    options: tuple[str, ...] = ()
    skipped: int = 0


UNSAID = ("symbol", "interval")
DUMPS = [
    Dump("XBTUSD_60.csv", kraken, ("kraken", "XBTUSD"), "volume trades"),
    Dump("ohlc.json", kraken_rest, ("kraken", "XBTUSD"), "volume vwap trades", ("interval",), 1),
    Dump("candles.json", kraken_futures, ("kraken-futures", "BTCUSD"), options=UNSAID),
    Dump("candles.json", coinbase, ("coinbase", "BTCUSD"), options=UNSAID),
    Dump("candles.json", coinbase_objects, ("coinbase", "BTCUSD"), options=UNSAID),
    Dump("candles.json", ccxt, ("binance", "BTCUSD"), options=(*UNSAID, "provider")),
    Dump("BTCUSDT-1h-2024-12.csv", binance, ("binance", "BTCUSDT"), "volume trades"),
    Dump("BTCUSDT-1h-2025-01.csv.gz", lambda made: gzip.compress(binance(made, 10**6)),
         ("binance", "BTCUSDT"), "volume trades"),
    Dump("BTCUSDT-1h-2025-01.csv", binance_futures, ("binance-um", "BTCUSDT"), "volume trades"),
    Dump("Coinbase_BTCUSD_1h.csv", cdd_hours, ("cryptodatadownload-coinbase", "BTCUSD")),
    Dump("Gemini_BTCUSD_1h.csv", cdd_unix, ("cryptodatadownload-gemini", "BTCUSD"), "volume new"),
    Dump("kraken-1h-btc-usd.csv", cdd_from_to, ("cryptodatadownload-kraken", "BTCUSD")),
    Dump("60min-bitstampUSD.csv", bitstamp, ("bitstamp", "BTCUSD")),
    Dump("candles.json", okx_spot, ("okx", "BTCUSD"), options=UNSAID),
    Dump("kline.json", bybit, ("bybit-linear", "BTCUSD"), options=("interval",)),
    Dump("bars.ndjson", tardis, ("tardis-bitmex", "BTCUSD"), "volume vwap trades"),
    Dump("user_data/data/kraken/BTC_USDT-1h.json", ccxt, ("freqtrade-kraken", "BTC/USDT")),
    Dump("user_data/data/kraken/futures/BTC_USDT_USDT-1h-futures.json.gz",
         lambda made: gzip.compress(ccxt(made)), ("freqtrade-kraken", "BTC/USDT:USDT")),
]  # fmt: skip


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"{dump.says[0]}-{dump.file}")
@settings(max_examples=30)
@given(made=bars())
def test_bars_come_back_as_they_were_written(dump: Dump, made: list[Bar]) -> None:
    known = {"provider": dump.says[0], "symbol": "btcusd", "interval": "1h"}
    options = {name: known[name] for name in dump.options}
    loaded = written(dump.file, dump.write(made), 3, **options)
    assert loaded.bars == [expected(b, dump) for b in made]
    assert (loaded.rejected, loaded.skipped) == ({}, dump.skipped)


def expected(b: Bar, dump: Dump) -> tuple[Any, ...]:
    counted = "trades" in dump.has or ("new" in dump.has and b.ts.year >= 2020)
    vwap = float(b.close) if "vwap" in dump.has else None
    trades = b.trades if counted else None
    return (*dump.says, "1h", b.ts, *map(float, b.ohlcv), vwap, trades)


@pytest.mark.parametrize("unit", ["ms", "ns"])
@pytest.mark.parametrize("ending", ["feather", "parquet"])
@settings(max_examples=30)
@given(made=bars())
def test_tables_of_freqtrade_come_back(ending: str, unit: Any, made: list[Bar]) -> None:
    stamps = pl.Series("date", [b.ts for b in made], pl.Datetime(unit, "UTC"))
    names = ("open", "high", "low", "close", "volume")
    values = {name: [float(named(b)[name]) for b in made] for name in names}
    frame = pl.DataFrame(values).insert_column(0, stamps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"ETH_BTC-1h.{ending}"
        frame.write_ipc(path) if ending == "feather" else frame.write_parquet(path)
        loaded = taken_in(path, Settings(provider="binance"), 3)
    assert loaded.dialect == "freqtrade"
    assert loaded.bars == [
        ("binance", "ETH/BTC", "1h", b.ts, *map(float, b.ohlcv), None, None) for b in made
    ]
