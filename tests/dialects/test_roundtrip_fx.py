"""Bars written in the formats of forex, futures and retail platforms are read back unchanged."""

from __future__ import annotations

import json
import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.settings import Settings
from tests.support.golden import taken_in, written

FIRST = datetime(2017, 1, 1, tzinfo=UTC)
NEW_YORK, CHICAGO, WARSAW = map(ZoneInfo, ("America/New_York", "America/Chicago", "Europe/Warsaw"))
STEPS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


@dataclass(frozen=True)
class Bar:
    """Prices in points of 1e-5; volume a whole number, 0 only where the price stood still."""

    ts: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int

    @property
    def prices(self) -> list[Decimal]:
        return [Decimal(p).scaleb(-5) for p in (self.open, self.high, self.low, self.close)]


@st.composite
def bars(draw: st.DrawFn, step: timedelta) -> list[Bar]:
    """Some in any order, no two of one time, none in an hour that a clock shows twice."""
    places = draw(st.lists(st.integers(0, 3000), min_size=1, max_size=8, unique=True))
    made = []
    for place in places:
        ts = FIRST + place * step
        low, one, other, high = sorted(
            draw(st.lists(st.integers(1, 10**8), min_size=4, max_size=4))
        )
        first, last = draw(st.permutations([one, other]))
        if step == STEPS["1d"] or not any(shown_twice(ts, z) for z in (NEW_YORK, CHICAGO, WARSAW)):
            made.append(Bar(ts, first, high, low, last, draw(st.integers(1, 10**12))))
    return made or [Bar(FIRST, 2, 3, 1, 2, 5)]


def shown_twice(ts: datetime, zone: tzinfo) -> bool:
    """Also the ends of bars."""
    walls = [at.astimezone(zone).replace(tzinfo=None) for at in (ts, ts + timedelta(hours=1))]
    return any(
        wall.replace(tzinfo=zone).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()
        for wall in walls
    )


def text(
    made: list[Bar], stamp: Callable[[Bar], str], rest: Callable[[Bar], list[Any]],
    header: str = "", by: str = ",",
) -> bytes:  # fmt: skip
    return (header + "".join(by.join([stamp(b), *map(str, rest(b))]) + "\n" for b in made)).encode()


def ohlc(b: Bar) -> list[Any]:
    return [f"{price:f}" for price in b.prices]


def ohlcv(b: Bar) -> list[Any]:
    return [*ohlc(b), b.volume]


def clock(form: str, zone: tzinfo = UTC, later: timedelta = timedelta(0)) -> Callable[[Bar], str]:
    """`later` is the distance of the timestamp from the bar's start."""
    return lambda b: (b.ts + later).astimezone(zone).strftime(form)


def server(form: str) -> Callable[[Bar], str]:
    """The clock of a broker's server, seven hours ahead of New York's."""

    def stamp(b: Bar) -> str:
        wall = b.ts.astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(hours=7)
        return wall.strftime(form)

    return stamp


def stooq(made: list[Bar]) -> bytes:
    header = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    stamp = clock("BRK-B.US,60,%Y%m%d,%H%M%S", WARSAW, STEPS["1h"])
    return text(made, stamp, lambda b: [*ohlcv(b), 0], header)


def stooq_2015(made: list[Bar]) -> bytes:
    header = "Date,Time,Open,High,Low,Close,Volume,OpenInt\n"
    stamp = clock("%Y-%m-%d,%H:%M:%S", WARSAW, STEPS["1h"])
    return text(made, stamp, lambda b: [*ohlcv(b), 0], header)


def metatrader5(made: list[Bar]) -> bytes:
    names = ["DATE", "TIME", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD"]
    header = "\t".join(f"<{name}>" for name in names) + "\n"
    data = text(made, server("%Y.%m.%d\t%H:%M:%S"), lambda b: [*ohlcv(b), 0, 7], header, "\t")
    return data.decode().encode("utf-16")


def histdata(made: list[Bar]) -> bytes:
    stamp = clock("%Y%m%d %H%M%S", later=-timedelta(hours=5))
    return text(made, stamp, lambda b: [*ohlc(b), 0], by=";")


def histdata_metatrader(made: list[Bar]) -> bytes:
    return text(made, clock("%Y.%m.%d,%H:%M", later=-timedelta(hours=5)), lambda b: [*ohlc(b), 0])


def ninjatrader(made: list[Bar]) -> bytes:
    return text(made, clock("%Y%m%d %H%M%S", later=STEPS["1m"]), ohlcv, by=";")


def barchart(made: list[Bar]) -> bytes:
    def rest(b: Bar) -> list[Any]:
        return [*(f"{price:E}" for price in b.prices), "0.1", "+0.3%", b.volume]

    header = "Time,Open,High,Low,Latest,Change,%Change,Volume\n"
    footer = b'"Downloaded from Barchart.com as of 05-06-2026 07:29pm CDT"'
    return text(made, clock("%Y-%m-%d %H:%M", CHICAGO), rest, header) + footer


def investing(made: list[Bar]) -> bytes:
    header = '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"\n'

    def rest(b: Bar) -> list[Any]:
        o, h, low, c = (f'"{price:,f}"' for price in b.prices)
        return [c, o, h, low, f'"{Decimal(b.volume).scaleb(-6):f}M"', '"-1.5%"']

    return text(made, clock('"%b %d, %Y"'), rest, header)


def node(made: list[Bar]) -> bytes:
    header = "timestamp,open,high,low,close,volume\n"
    return text(made, lambda b: str(int(b.ts.timestamp()) * 1000), ohlcv, header).rstrip()


def duka(made: list[Bar]) -> bytes:
    def rest(b: Bar) -> list[Any]:
        o, h, low, c = ohlc(b)
        return [o, c, h, low]

    return text(made, clock("%Y-%m-%d %H:%M:%S"), rest)


def feed(made: list[Bar]) -> bytes:
    """Differences from row to row, the first from the base before the rows."""
    columns = {"opens": "open", "highs": "high", "lows": "low", "closes": "close"}
    values = {many: [getattr(b, one) for b in made] for many, one in columns.items()}
    values["times"] = [int(b.ts.timestamp()) // 3600 for b in made]
    deltas = {
        name: [0, *(new - old for old, new in pairwise(column))] for name, column in values.items()
    }
    first = dict(zip(columns.values(), map(float, made[0].prices), strict=True))
    document = {"timestamp": values["times"][0] * 3_600_000, "multiplier": 1e-05, **first,
                "shift": 3_600_000, **deltas, "volumes": [b.volume for b in made]}  # fmt: skip
    return json.dumps(document).encode()


def bi5(made: list[Bar]) -> bytes:
    rows = (
        struct.pack(">5if", int((b.ts - FIRST).total_seconds()), b.open, b.close, b.low, b.high, 1)
        for b in made
    )
    return lzma.compress(b"".join(rows), format=lzma.FORMAT_ALONE)


@dataclass(frozen=True)
class Dump:
    """`says` are provider and symbol; `volume` is what is read of a bar's, None for its own."""

    file: str
    write: Callable[[list[Bar]], bytes]
    says: tuple[str, str]
    interval: str = "1h"
    volume: str = "its own"
    options: dict[str, str] = field(default_factory=dict)
    skipped: int = 0


SERVER = {"timezone": "America/New_York+7h"}
MT4 = {**SERVER, "symbol": "EURUSD", "interval": "1h"}
HOURS, DAYS = {"interval": "1h"}, {"interval": "1d"}
KIBOT = {"dialect": "kibot"}  # a few dates may not show that the month stands first
DUMPS = [
    Dump("brk-b.us.txt", stooq, ("stooq", "BRK.B")),
    Dump("aapl.us.txt", stooq_2015, ("stooq", "AAPL"), options=HOURS),
    Dump("EURUSD60.csv", lambda made: text(made, server("%Y.%m.%d,%H:%M"), ohlcv),
         ("metatrader4", "EURUSD"), options=MT4),
    Dump("EURUSD60.csv", lambda made: text(made, server("%Y.%m.%d,%H:%M"), ohlcv,
         "Date,Time,Open,High,Low,Close,Volume\n"), ("metatrader4", "EURUSD"), options=MT4),
    Dump("XAUUSD_H1.csv", metatrader5, ("metatrader5", "XAUUSD"), options=SERVER),
    Dump("DAT_ASCII_EURUSD_M1_2017.csv", histdata, ("histdata", "EURUSD"), "1m", "none"),
    Dump("DAT_MT_EURUSD_M1_2017.csv", histdata_metatrader, ("histdata", "EURUSD"), "1m", "none"),
    Dump("ES 12-17.Bid.txt", ninjatrader, ("ninjatrader-bid", "ES 12-17"), "1m",
         options={"interval": "1m"}),
    Dump("MSFT.txt", lambda made: text(made, clock("%m/%d/%Y,%H:%M", NEW_YORK), ohlcv),
         ("kibot", "MSFT"), options={**HOURS, **KIBOT}),
    Dump("MSFT.txt", lambda made: text(made, clock("%m/%d/%Y"), ohlcv), ("kibot", "MSFT"), "1d",
         options=KIBOT),
    Dump("AAPL_full_1hour_adjsplit.txt",
         lambda made: text(made, clock("%Y-%m-%d %H:%M:%S", NEW_YORK), ohlcv),
         ("firstrate-adjsplit", "AAPL")),
    Dump("ES_full_1day_continuous_ratio_adjusted.txt",
         lambda made: text(made, clock("%Y-%m-%d"), lambda b: [*ohlcv(b), 12345]),
         ("firstrate-continuous-ratio-adjusted", "ES"), "1d"),
    Dump("msft_intraday-60min_historical-data-03-17-2025.csv", barchart, ("barchart", "MSFT"),
         skipped=1),
    Dump("BTC_USD Historical Data.csv", investing, ("investing", "BTC_USD"), "1d", options=DAYS),
    Dump("google.csv", lambda made: text(made, clock("%d-%b-%y"), ohlcv,
         "Date,Open,High,Low,Close,Volume\n"), ("google", "ORCL"), "1d",
         options={"symbol": "ORCL", **DAYS}),
    Dump("eurusd-h1-ask-2017-01-01-2017-02-01.csv", node, ("dukascopy-ask", "EURUSD")),
    Dump("EURUSD-2017_01_01-2017_06_01.csv", duka, ("dukascopy-ask", "EURUSD"), volume="none",
         options=HOURS),
    Dump("candles-hour-EUR-USD-BID-2017-1.json", feed, ("dukascopy-bid", "EURUSD")),
    Dump("EURUSD/2017/00/BID_candles_hour_1.bi5", bi5, ("dukascopy-bid", "EURUSD"), volume="one"),
]  # fmt: skip


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"{dump.says[0]}-{dump.file}")
@settings(max_examples=30)
@given(data=st.data())
def test_bars_come_back_as_they_were_written(dump: Dump, data: st.DataObject) -> None:
    made = data.draw(bars(STEPS[dump.interval]))
    loaded = written(dump.file, dump.write(made), 3, **dump.options)
    assert loaded.bars == [expected(b, dump) for b in made]
    assert (loaded.rejected, loaded.skipped) == ({}, dump.skipped)


def expected(b: Bar, dump: Dump) -> tuple[Any, ...]:
    volume = {"its own": float(b.volume), "none": None, "one": 1.0}[dump.volume]
    return (*dump.says, dump.interval, b.ts, *map(float, b.prices), volume, None, None)


@pytest.mark.parametrize("ending", ["", "\r\n", "\n\n"])
def test_a_header_alone_is_no_rows(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "aapl.us.txt"
    path.write_text(
        f"<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>{ending}"
    )
    loaded = taken_in(path, Settings(), 3)
    assert (loaded.bars, loaded.skipped, dict(loaded.rejected)) == ([], 0, {})


def test_a_number_in_a_name_is_no_interval_where_the_bars_say_another(tmp_path: Path) -> None:
    """GER30 is an index: its hours are not half-hours of GER."""
    path = tmp_path / "GER30.csv"
    hours = (f"2019.03.11,{hour:02}:00,11480.5,11499,11470,11490,40" for hour in range(4, 14))
    path.write_text("\n".join(hours))
    loaded = taken_in(path, Settings(timezone="UTC+2", symbol="GER30"), 1_000)
    assert {(symbol, interval) for _, symbol, interval, *_ in loaded.bars} == {("GER30", "1h")}
