"""Bars written in the formats of engines, brokers and Chinese terminals are read back."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.golden import written

FIRST = datetime(2024, 7, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Bar:
    """A minute or a day; prices are open, high, low, close."""

    ts: datetime
    prices: tuple[Decimal, ...]
    volume: int
    trades: int

    @property
    def ns(self) -> int:
        return int(self.ts.timestamp()) * 10**9

    @property
    def ohlc(self) -> list[str]:
        return [format(price, "f") for price in self.prices]

    def units(self, places: int) -> list[int]:
        return [int(price.scaleb(places)) for price in self.prices]


@st.composite
def bars(draw: st.DrawFn, places: int, daily: bool) -> list[Bar]:
    """Some in any order, no two of one time, minutes of one day in New York and in UTC."""
    steps = st.integers(0, 10_000) if daily else st.integers(240, 1439)
    made = []
    for step in draw(st.lists(steps, min_size=1, max_size=7, unique=True)):
        drawn = draw(st.lists(st.integers(1, 99_999_999), min_size=4, max_size=4))
        low, one, other, high = (Decimal(p).scaleb(-places) for p in sorted(drawn))
        first, last = draw(st.permutations([one, other]))
        ts = FIRST + (timedelta(days=step - 5_000) if daily else timedelta(minutes=step))
        volume = draw(st.integers(1, 10**9))
        made.append(Bar(ts, (first, high, low, last), volume, draw(st.integers(1, 10**6))))
    return made


def table(made: list[Bar], header: str, row: Callable[[Bar], list[Any]]) -> bytes:
    lines = [header, *(",".join(map(str, row(each))) for each in made)]
    return "".join(f"{line}\n" for line in lines if line).encode()


def databento(made: list[Bar], *, prices: bool, times: bool) -> bytes:
    header = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"

    def row(b: Bar) -> list[Any]:
        ts = f"{b.ts:%Y-%m-%dT%H:%M:%S}.000000000Z" if times else b.ns
        return [ts, 33, 2, 6155, *_databento(b, prices), b.volume, "x"]

    return table(made, header, row)


def _databento(b: Bar, decimal: bool) -> list[str]:
    return [f"{price:.9f}" for price in b.prices] if decimal else list(map(str, b.units(9)))


def databento_json(made: list[Bar], *, decimal: bool) -> bytes:
    rows = []
    for b in made:
        head = {"ts_event": str(b.ns), "rtype": 33, "publisher_id": 2, "instrument_id": 6155}
        names = ("open", "high", "low", "close")
        prices = dict(zip(names, _databento(b, decimal), strict=True))
        rows.append(json.dumps({"hd": head, **prices, "volume": str(b.volume), "symbol": "X"}))
    return "\n".join(rows).encode()


def databento_parquet(made: list[Bar]) -> bytes:
    names = ("open", "high", "low", "close")
    prices = {name: [float(b.prices[at]) for b in made] for at, name in enumerate(names)}
    ids = {"rtype": 33, "publisher_id": 2, "instrument_id": 6155}
    columns: dict[str, Any] = {name: [number] * len(made) for name, number in ids.items()}
    columns |= prices | {"volume": [b.volume for b in made], "symbol": ["X"] * len(made)}
    columns["ts_event"] = pa.array([b.ns for b in made], pa.timestamp("ns", "UTC"))
    return parquet(pa.table(columns))


def parquet(made: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(made, stream)
    return stream.getvalue()


def nautilus(made: list[Bar], *, width: int) -> bytes:
    places = 9 if width == 8 else 16
    numbers = [[*b.units(places), b.volume * 10**places] for b in made]
    columns = {
        name: pa.array([row[at].to_bytes(width, "little") for row in numbers], pa.binary(width))
        for at, name in enumerate(("open", "high", "low", "close", "volume"))
    }
    for name, ahead in (("ts_event", 0), ("ts_init", 60 * 10**9)):
        columns[name] = pa.array([b.ns + ahead for b in made], pa.uint64())
    said = {"bar_type": "X-1-MINUTE-LAST-EXTERNAL"}
    return parquet(pa.table(columns).replace_schema_metadata(said))


def zipped(entry: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(entry, data)
    return stream.getvalue()


def lean_minutes(made: list[Bar]) -> bytes:
    """Milliseconds since midnight in New York, prices times 10,000."""

    def row(b: Bar) -> list[Any]:
        local = b.ts.astimezone(NEW_YORK)
        clock = (local.hour * 60 + local.minute) * 60_000
        return [clock, *b.units(4), b.volume]

    return zipped("20240701_x_minute_trade.csv", table(made, "", row))


def lean_days(made: list[Bar]) -> bytes:
    days = table(made, "", lambda b: [f"{b.ts:%Y%m%d %H:%M}", *b.ohlc, b.volume])
    return zipped("x_trade_202409.csv", days)


def ibkr(made: list[Bar]) -> bytes:
    """Every bar is followed by a filler."""
    header = "date,open,high,low,close,volume,average,barCount"
    rows = table(
        made,
        header,
        lambda b: [b.ts.astimezone(NEW_YORK).replace(tzinfo=None), *b.ohlc, f"{b.volume}.0",
                   b.ohlc[3], b.trades],
    )  # fmt: skip
    first, *lines = rows.decode().splitlines()
    filler = "2024-07-01 00:00:00,1,1,1,1,0.0,1,0"
    return "\n".join([first, *(text for line in lines for text in (line, filler))]).encode()


def tradingview(made: list[Bar]) -> bytes:
    def row(b: Bar) -> list[Any]:
        return [b.ts.astimezone(NEW_YORK).isoformat(), *b.ohlc, "", "NaN", b.volume]

    return table(made, "time,open,high,low,close,Plot,Plot,Volume", row)


def tradingview_days(made: list[Bar]) -> bytes:
    return table(made, "time,open,high,low,close", lambda b: [b.ts.date(), *b.ohlc])


def norgate(made: list[Bar]) -> bytes:
    header = "Date,Open,High,Low,Close,Volume,Turnover,Unadjusted Close,Dividend"
    return table(made, header, lambda b: [b.ts.date(), *b.ohlc, b.volume, 1e9, b.ohlc[3], 0.0])


def zipline(made: list[Bar]) -> bytes:
    header = "date,open,high,low,close,volume,dividend,split"
    return table(made, header, lambda b: [b.ts.date(), *b.ohlc, b.volume, 0.0, 1.0])


def hikyuu(made: list[Bar]) -> bytes:
    """Blanks behind the commas of the header, dates and times unpadded."""

    def row(b: Bar) -> list[Any]:
        date = f"{b.ts.year}-{b.ts.month}-{b.ts.day} 0:0:0"
        return [date, *b.ohlc, f"{b.volume}.0000", f"{b.volume}.0000"]

    return table(made, "date, open, high, low, close, amount, count", row)


def tdx(made: list[Bar]) -> bytes:
    return b"".join(
        struct.pack("<IIIIIfII", int(f"{b.ts:%Y%m%d}"), *b.units(2), 1.0, b.volume, 0) for b in made
    )


@dataclass(frozen=True)
class Dump:
    """`says` are provider and symbol; `has` which of volume, vwap (the close) and trades."""

    file: str
    write: Callable[[list[Bar]], bytes]
    says: tuple[str, str]
    places: int = 4
    daily: bool = False
    has: str = "volume"
    lots: int = 1
    options: dict[str, str] = field(default_factory=dict)


OF_DAYS = {"interval": "1d"}
VENUE = ("databento-2", "X")
DUMPS = {
    "databento pretty": Dump("x.csv", lambda m: databento(m, prices=True, times=True), VENUE, 9),
    "databento raw": Dump("x.csv", lambda m: databento(m, prices=False, times=False), VENUE, 9),
    "databento mixed": Dump("x.csv", lambda m: databento(m, prices=True, times=False), VENUE, 9),
    "databento JSON": Dump("x.json", lambda m: databento_json(m, decimal=True), VENUE, 9),
    "databento raw JSON": Dump("x.json", lambda m: databento_json(m, decimal=False), VENUE, 9),
    "databento Parquet": Dump("x.parquet", databento_parquet, VENUE, 9),
    "nautilus narrow": Dump("x.parquet", lambda m: nautilus(m, width=8), ("nautilus", "X"), 8),
    "nautilus wide": Dump("x.parquet", lambda m: nautilus(m, width=16), ("nautilus", "X"), 12),
    "lean minutes": Dump("equity/usa/minute/x/20240701_trade.zip", lean_minutes,
                         ("lean-equity-usa", "X")),
    "lean days": Dump("future/cme/daily/x_trade.zip", lean_days, ("lean-future-cme", "X_202409"),
                      daily=True),
    "ibkr": Dump("x.csv", ibkr, ("ibkr", "X"), has="volume vwap trades", lots=100,
                 options={"symbol": "x", "interval": "1m", "timezone": "America/New_York"}),
    "tradingview": Dump("NASDAQ_X, 1.csv", tradingview, ("tradingview", "NASDAQ:X")),
    "tradingview days": Dump("NASDAQ_X, 1D.csv", tradingview_days, ("tradingview", "NASDAQ:X"),
                             daily=True, has=""),
    "norgate": Dump("X.csv", norgate, ("norgate", "X"), daily=True, options=OF_DAYS),
    "zipline": Dump("daily/x.csv", zipline, ("zipline", "X"), daily=True),
    "hikyuu": Dump("x.csv", hikyuu, ("hikyuu", "X"), daily=True, lots=100,
                   options={"symbol": "x", **OF_DAYS}),
    "tdx": Dump("sh600000.day", tdx, ("tdx", "SH600000"), 2, daily=True),
}  # fmt: skip


@pytest.mark.parametrize("name", DUMPS)
@settings(max_examples=30)
@given(data=st.data())
def test_bars_come_back_as_they_were_written(name: str, data: st.DataObject) -> None:
    dump = DUMPS[name]
    made = data.draw(bars(dump.places, dump.daily))
    loaded = written(dump.file, dump.write(made), 3, **dump.options)
    assert loaded.dialect == name.partition(" ")[0]
    assert loaded.bars == [expected(b, dump) for b in made]
    assert loaded.rejected == {}
    assert loaded.skipped == (len(made) if dump.says[0] == "ibkr" else 0)


def expected(b: Bar, dump: Dump) -> tuple[Any, ...]:
    return (
        *dump.says,
        "1d" if dump.daily else "1m",
        b.ts,
        *map(float, b.prices),
        float(b.volume * dump.lots) if "volume" in dump.has else None,
        float(b.prices[3]) if "vwap" in dump.has else None,
        b.trades if "trades" in dump.has else None,
    )
