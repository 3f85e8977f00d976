"""Real files of forex and futures platforms and retail sites, read independently of the package:
csv, json, lzma, struct, datetime and zoneinfo, row by row."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.golden import Bar, Sample, Unsaid, bar

MINUTE = timedelta(minutes=1)
NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def epoch(text: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))


def lines(path: Path, delimiter: str = ",") -> list[list[str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.reader(text.splitlines(), delimiter=delimiter))


def barchart(path: Path) -> list[Bar]:
    """Time, Open, High, Low, Last, Change, Volume."""
    key = ("barchart", "J6H20", "1d")
    return [bar(key, utc(r[0], "%m/%d/%Y"), *r[1:5], r[6]) for r in lines(path)[1:]]


def google(path: Path) -> list[Bar]:
    key = ("google", "ORCL", "1d")
    rows = [row for row in lines(path)[1:] if "-" not in row]
    return [bar(key, utc(row[0], "%d-%b-%y"), *row[1:]) for row in rows]


def metatrader(path: Path) -> list[Bar]:
    """The server's clock is seven hours ahead of New York's."""
    found = []
    for date, clock, *values in lines(path)[1:]:
        there = datetime.strptime(f"{date} {clock}", "%Y.%m.%d %H:%M") - timedelta(hours=7)
        ts = there.replace(tzinfo=NEW_YORK).astimezone(UTC)
        found.append(bar(("metatrader4", "EURUSD", "1h"), ts, *values))
    return found


def ninjatrader(path: Path) -> list[Bar]:
    key = ("ninjatrader", "SPY", "1m")
    return [bar(key, utc(r[0], "%Y%m%d %H%M%S") - MINUTE, *r[1:]) for r in lines(path, ";")]


def sixe(path: Path) -> list[Bar]:
    key = ("ninjatrader", "6EH4.XCME", "1m")
    rows = lines(path, "," if path.suffix == ".gz" else ";")[1:]
    return [bar(key, utc(row[0], "%Y-%m-%d %H:%M:%S") - MINUTE, *row[1:6]) for row in rows]


def node(path: Path) -> list[Bar]:
    symbol, word, _ = path.name.split("-", 2)
    key = ("dukascopy-bid", symbol.upper(), {"d1": "1d", "h1": "1h"}[word])
    if path.suffix == ".csv":
        return [bar(key, epoch(row[0]), *row[1:]) for row in lines(path)[1:]]
    rows = json.loads(path.read_text())
    return [bar(key, epoch(r["timestamp"]), r["open"], r["high"], r["low"], r["close"])
            for r in rows]  # fmt: skip


def plain_node(path: Path) -> list[Bar]:
    key = ("dukascopy-bid", "EURUSD", "1d")
    return [bar(key, epoch(row[0]), *row[1:]) for row in lines(path)[1:]]


def bi5(path: Path) -> list[Bar]:
    """Without flat bars of no volume; a folder's month counts from 0."""
    year_on = path.parts[next(i for i, part in enumerate(path.parts) if part.isdecimal()) :]
    year, *rest = map(int, year_on[:-1])
    month, day = [*rest, *[0, 1][len(rest) :]]
    start = datetime(year, month + 1, day, tzinfo=UTC)
    symbol = path.parts[-len(year_on) - 1]
    interval = {"min": "1m", "hour": "1h", "day": "1d"}[path.name.split("_")[2]]
    unit = {"EURUSD": 100_000, "BTCUSD": 10}[symbol]
    found = []
    for seconds, o, c, low, h, volume in struct.iter_unpack(
        ">5if", lzma.decompress(path.read_bytes())
    ):
        if volume == 0 and o == c == low == h:
            continue
        prices = (Decimal(point) / unit for point in (o, h, low, c))
        ts = start + timedelta(seconds=seconds)
        found.append(bar(("dukascopy-bid", symbol, interval), ts, *prices, volume))
    return found


def feed(path: Path) -> list[Bar]:
    said = json.loads(path.read_text(), parse_float=Decimal)
    unit, shift = said["multiplier"], said["shift"]
    key = ("dukascopy-bid", "".join(path.name.split("-")[2:4]), {60_000: "1m"}.get(shift, "1d"))
    at = [round(said[name] / unit) for name in ("open", "high", "low", "close")]
    ms, found = said["timestamp"], []
    rows = zip(*(said[n] for n in ("times", "opens", "highs", "lows", "closes", "volumes")),
               strict=True)  # fmt: skip
    for step, *deltas, volume in rows:
        ms += step * shift
        at = [price + delta for price, delta in zip(at, deltas, strict=True)]
        found.append(bar(key, epoch(ms), *(price * unit for price in at), volume))
    return found


NODE = "dukascopy/dukascopy-node_out"
SAMPLES = [
    Sample("barchart/jpyusd_barchartdotcom.csv", 519, barchart, {"symbol": "J6H20"}),
    Sample("custom_csv/6EH4.XCME_1min_bars.csv", 9, sixe, dialect="ninjatrader"),
    Sample("custom_csv/6EH4.XCME_1min_bars_20240101_20240131.csv.gz", 29_996, sixe,
           dialect="ninjatrader"),
    Sample("dukascopy/BTCUSD/2020/BID_candles_day_1.bi5", 366, bi5, skipped=2),
    Sample("dukascopy/BTCUSD/2023/01/19/BID_candles_min_1.bi5", 1_440, bi5, skipped=3),
    Sample("dukascopy/EURUSD/2018/BID_candles_day_1.bi5", 365, bi5, skipped=52),
    Sample("dukascopy/EURUSD/2019/00/BID_candles_hour_1.bi5", 744, bi5, skipped=214),
    Sample("dukascopy/EURUSD/2019/01/BID_candles_hour_1.bi5", 672, bi5, skipped=192),
    Sample("dukascopy/EURUSD/2019/01/04/BID_candles_min_1.bi5", 1_440, bi5),
    Sample("dukascopy/jetta_json/candles-day-BTC-USD-BID-2020.json", 364, feed),
    Sample("dukascopy/jetta_json/candles-minute-EUR-USD-BID-2026-7-10.json", 1_258, feed),
    Sample(f"{NODE}/basic-csv.output.csv", 24, plain_node,
           {"provider": "dukascopy-bid", "symbol": "eurusd"}, dialect="canonical"),
    Sample(f"{NODE}/btcusd-d1-bid-2022-01-01-2023-02-20.json", 415, node),
    Sample(f"{NODE}/btcusd-h1-bid-2023-01-01-2023-02-20.json", 1_200, node),
    Sample(f"{NODE}/eurusd-d1-bid-2017-01-01-2020-01-01.csv", 938, node),
    Sample("google_finance/orcl-2010-googlefinance.csv", 252, google, {"symbol": "ORCL"},
           dialect="google"),
    Sample("google_finance/orcl-2010-googlefinance-malformed.csv", 252, google,
           {"symbol": "ORCL"}, dialect="google", rejected={"price_missing": 1}),
    Sample("metatrader/mt4_with_header/EURUSD60.csv", 3_728, metatrader,
           {"timezone": "America/New_York+7h"}, dialect="metatrader4"),
    Sample("ninjatrader/nt-spy-minute-2011-03.csv", 17_577, ninjatrader, {"symbol": "SPY"}),
]  # fmt: skip
UNSAID = [
    Unsaid("barchart/jpyusd_barchartdotcom.csv", "the symbol of the bars is not known"),
    Unsaid(f"{NODE}/basic-csv.output.csv", "the provider of the bars is not known"),
    Unsaid("fxcm/gbpusd-m1-bid-2012.csv", "the provider of the bars is not known"),
    Unsaid("google_finance/orcl-2010-googlefinance.csv", "the symbol of the bars is not known"),
    Unsaid("metatrader/mt4_with_header/EURUSD60.csv", "are local, and no time zone"),
    Unsaid("ninjatrader/nt-spy-minute-2011-03.csv", "the symbol of the bars is not known"),
]  # fmt: skip
