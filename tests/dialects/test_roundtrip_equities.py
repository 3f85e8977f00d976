"""Bars written in the formats of equity providers are read back unchanged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.golden import written

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Bar:
    """`start` is naive, on the clock of New York; midnight for days."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int

    @property
    def prices(self) -> tuple[Decimal, ...]:
        return self.open, self.high, self.low, self.close

    @property
    def day(self) -> str:
        return self.start.date().isoformat()

    @property
    def moment(self) -> datetime:
        return self.start.replace(tzinfo=NEW_YORK)

    @property
    def seconds(self) -> int:
        return int(self.moment.timestamp())


DAYS = st.dates(date(1995, 1, 1), date(2035, 12, 31)).map(lambda day: datetime.combine(day, time()))
#: Minutes at which no clock changes.
MINUTES = st.tuples(DAYS, st.integers(4 * 60, 20 * 60 - 1)).map(
    lambda pair: pair[0] + timedelta(minutes=pair[1])
)
CENTS = st.integers(1, 10**9).map(lambda number: Decimal(number).scaleb(-4))


@st.composite
def bars(draw: st.DrawFn, starts: st.SearchStrategy[datetime]) -> list[Bar]:
    found = []
    for start in draw(st.lists(starts, min_size=1, max_size=6, unique=True)):
        low, one, other, high = sorted(draw(st.tuples(CENTS, CENTS, CENTS, CENTS)))
        found.append(Bar(start, one, high, low, other, draw(st.integers(0, 10**11))))
    return found


def text(header: str, rows: Sequence[Sequence[object]], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return file.getvalue()


def yahoo(given: list[Bar]) -> str:
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    return text(header, [(bar.day, *bar.prices, 1, bar.volume) for bar in given])


def old_yahoo(given: list[Bar]) -> str:
    header = "Date,Open,High,Low,Close,Volume,Adj Close"
    return text(header, [(bar.day, *bar.prices, bar.volume, 1) for bar in given])


def history(given: list[Bar]) -> str:
    header = "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits"
    return text(
        header, [(bar.moment.isoformat(" "), *bar.prices, bar.volume, 0.0, 0.0) for bar in given]
    )


def download(given: list[Bar]) -> str:
    """By price, in UTC: the header has three lines."""
    return text("Price,Close,High,Low,Open,Volume", [
        ("Ticker", *["AAPL"] * 5),
        ("Datetime", *[""] * 5),
        *((bar.moment.astimezone(UTC).isoformat(" "), bar.close, bar.high, bar.low, bar.open,
           bar.volume) for bar in given),
    ])  # fmt: skip


def download_by_ticker(given: list[Bar]) -> str:
    """With another ticker beside it that has no bars."""
    return text("Ticker,MSFT,MSFT,MSFT,MSFT,MSFT,AAPL,AAPL,AAPL,AAPL,AAPL", [
        ("Price", *["Open", "High", "Low", "Close", "Volume"] * 2),
        ("Date", *[""] * 10),
        *((bar.day, *[""] * 5, *bar.prices, bar.volume) for bar in given),
    ])  # fmt: skip


def alphavantage(given: list[Bar]) -> str:
    header = "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient"
    return text(header, [(bar.day, *bar.prices, 1, bar.volume, 0, 1.0) for bar in given])


def alphavantage_json(given: list[Bar]) -> str:
    words = ("1. open", "2. high", "3. low", "4. close", "5. volume")
    about = {"2. Symbol": "AAPL", "4. Interval": "1min", "6. Time Zone": "US/Eastern"}
    return json.dumps({
        "Meta Data": about,
        "Time Series (1min)": {
            str(bar.start): dict(zip(words, map(str, (*bar.prices, bar.volume)), strict=True))
            for bar in given
        },
    })  # fmt: skip


def tiingo(given: list[Bar]) -> str:
    header = (
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,"
        "splitFactor"
    )
    return text(header, [
        (bar.day, bar.close, bar.high, bar.low, bar.open, bar.volume, 1, 1, 1, 1, 1, 0.0, 1.0)
        for bar in given
    ])  # fmt: skip


def tiingo_json(given: list[Bar]) -> str:
    rows = csv.DictReader(io.StringIO(tiingo(given)))
    rewritten = (
        f'{{"date": "{row.pop("date")}T00:00:00.000Z", '
        + ", ".join(f'"{name}": {cell}' for name, cell in row.items())
        + "}"
        for row in rows
    )
    return f"[{','.join(rewritten)}]"


def eodhd(given: list[Bar]) -> str:
    header = "Date,Open,High,Low,Close,Adjusted_close,Volume"
    return text(header, [(bar.day, *bar.prices, 1, bar.volume) for bar in given])


def alpaca(given: list[Bar]) -> str:
    rows = (
        f'{{"t":"{bar.moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}","o":{bar.open},"h":{bar.high},'
        f'"l":{bar.low},"c":{bar.close},"v":{bar.volume},"n":1,"vw":{bar.low}}}'
        for bar in given
    )
    return f'{{"bars":{{"AAPL":[{",".join(rows)}]}},"next_page_token":null}}'


def finnhub(given: list[Bar]) -> str:
    def column(name: str) -> str:
        return f"[{','.join(str(getattr(bar, name)) for bar in given)}]"

    return (
        f'{{"c":{column("close")},"h":{column("high")},"l":{column("low")},"o":{column("open")},'
        f'"s":"ok","t":{column("seconds")},"v":{column("volume")}}}'
    )


def finnhub_csv(given: list[Bar]) -> str:
    return text(",c,h,l,o,s,t,v", [
        (number, bar.close, bar.high, bar.low, bar.open, "ok", bar.seconds, bar.volume)
        for number, bar in enumerate(given)
    ])  # fmt: skip


def twelvedata(given: list[Bar]) -> str:
    about = {"symbol": "AAPL", "interval": "1min", "exchange_timezone": "America/New_York"}
    values = [
        {"datetime": str(bar.start), "open": str(bar.open), "high": str(bar.high),
         "low": str(bar.low), "close": str(bar.close), "volume": str(bar.volume)}
        for bar in given
    ]  # fmt: skip
    return json.dumps({"meta": about, "values": values, "status": "ok"})


def twelvedata_csv(given: list[Bar]) -> str:
    rows = [(bar.start, *bar.prices, bar.volume) for bar in given]
    return text("datetime,open,high,low,close,volume", rows, ";")


def wiki(given: list[Bar]) -> str:
    header = (
        "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_open,adj_high,adj_low,"
        "adj_close,adj_volume"
    )
    return text(header, [
        ("AAPL", bar.day, *bar.prices, f"{bar.volume}.0", 0.0, 1.0, 1, 1, 1, 1, 1) for bar in given
    ])  # fmt: skip


def chris(given: list[Bar]) -> str:
    header = "Date,Open,High,Low,Last,Change,Settle,Volume,Previous Day Open Interest"
    return text(header, [
        (bar.day, bar.open, bar.high, bar.low, bar.low, "", bar.close, f"{bar.volume}.0", 7.0)
        for bar in given
    ])  # fmt: skip


def nasdaq(given: list[Bar]) -> str:
    header = "Date,Close/Last,Volume,Open,High,Low"
    return text(header, [
        (f"{bar.start:%m/%d/%Y}", f"${bar.close:,}", bar.volume, f"${bar.open:,}",
         f"${bar.high:,}", f"${bar.low:,}")
        for bar in given
    ])  # fmt: skip


def flat_file(given: list[Bar]) -> str:
    header = "ticker,volume,open,close,high,low,window_start,transactions"
    return text(header, [
        ("BRK.B", bar.volume, bar.open, bar.close, bar.high, bar.low, bar.seconds * 10**9, 1)
        for bar in given
    ])  # fmt: skip


@dataclass(frozen=True)
class Dump:
    """`key` is the key in the store; `interval` is the option, if the file does not have it."""

    name: str
    write: Callable[[list[Bar]], str]
    key: tuple[str, str]
    interval: str = "1d"
    options: dict[str, Any] = field(default_factory=dict)


DUMPS = [
    Dump("AAPL.csv", yahoo, ("yahoo", "AAPL")),
    Dump("BRK-B.csv", old_yahoo, ("yahoo", "BRK.B")),
    Dump("AAPL.csv", history, ("yfinance-adjusted", "AAPL")),
    Dump("table.csv", download, ("yfinance-adjusted", "AAPL"), "1m"),
    Dump("table.csv", download_by_ticker, ("yfinance-adjusted", "AAPL")),
    Dump("AAPL.csv", alphavantage, ("alphavantage", "AAPL")),
    Dump("answer.json", alphavantage_json, ("alphavantage", "AAPL"), "1m"),
    Dump("AAPL.csv", tiingo, ("tiingo", "AAPL")),
    Dump("AAPL.json", tiingo_json, ("tiingo", "AAPL")),
    Dump("AAPL.US.csv", eodhd, ("eodhd", "AAPL")),
    Dump("answer.json", alpaca, ("alpaca", "AAPL"), "1m"),
    Dump("answer.json", alpaca, ("alpaca", "AAPL")),
    Dump("AAPL.json", finnhub, ("finnhub", "AAPL"), "1m"),
    Dump("AAPL.csv", finnhub_csv, ("finnhub", "AAPL"), "1d", {"timezone": "America/New_York"}),
    Dump("answer.json", twelvedata, ("twelvedata", "AAPL"), "1m"),
    Dump("twelvedata/AAPL.csv", twelvedata_csv, ("twelvedata", "AAPL"), "1m",
         {"timezone": "America/New_York"}),
    Dump("WIKI_PRICES.csv", wiki, ("quandl", "AAPL")),
    Dump("CHRIS-CME_ES1.csv", chris, ("quandl", "CME_ES1")),
    Dump("AAPL.csv", nasdaq, ("nasdaq", "AAPL")),
    Dump("bars.csv", flat_file, ("polygon", "BRK.B"), "1m"),
    Dump("bars.csv", flat_file, ("polygon", "BRK.B")),
]  # fmt: skip


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"{dump.write.__name__}-{dump.interval}")
@settings(max_examples=15)
@given(data=st.data())
def test_bars_come_back(dump: Dump, data: st.DataObject) -> None:
    made = data.draw(bars(DAYS if dump.interval == "1d" else MINUTES))
    loaded = written(dump.name, dump.write(made), 1_000, interval=dump.interval, **dump.options)
    assert not loaded.rejected
    assert [bar[:9] for bar in loaded.bars] == [
        (*dump.key, dump.interval, started(bar, dump.interval),
         *map(float, bar.prices), float(bar.volume))
        for bar in made
    ]  # fmt: skip


def started(bar: Bar, interval: str) -> datetime:
    return bar.start.replace(tzinfo=UTC) if interval == "1d" else bar.moment.astimezone(UTC)
