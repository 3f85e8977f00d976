"""Real files of engines, brokers and exchanges' binary formats, read independently of the package:
struct, csv, json, Fraction and zoneinfo, record by record."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import h5py
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.golden import Bar, Sample, Unsaid, bar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Instruments as the metadata of their files names them; each has one name in a file.
NAMES = {
    118: "ESU4", 4358: "NQU4", 5482: "ESH1", 5602: "ESM4", 6155: "NVDA", 13340: "QQQ",
    13743: "NQM4", 5617221: "BRN FMJ0024!", 16783963: "AAPL  250221C00250000", 42140878: "ESH6",
}  # fmt: skip
RTYPES = {33: "1m", 34: "1h", 35: "1d"}


def date(number: int) -> datetime:
    return datetime.strptime(str(number), "%Y%m%d").replace(tzinfo=UTC)


def dbn(path: Path) -> list[Bar]:
    """The metadata's length follows the version; records of 56 bytes follow the metadata."""
    packed = path.suffix == ".zst"
    data = pa.input_stream(path, compression="zstd").read() if packed else path.read_bytes()
    start = 8 + int.from_bytes(data[4:8], "little")
    rows = []
    for _, rtype, publisher, number, ns, *prices, volume in struct.iter_unpack(
        "<BBHIQqqqqQ", data[start:]
    ):
        key = (f"databento-{publisher}", NAMES[number], RTYPES[rtype])
        values = (Fraction(price, 10**9) for price in prices)
        rows.append(bar(key, EPOCH + timedelta(microseconds=ns // 1000), *values, volume))
    return rows


def nautilus(path: Path) -> list[Bar]:
    scale = 10**9 if "64-bit" in path.parts else 10**16
    return [
        bar(
            ("nautilus", "ADABTC.BINANCE", "1m"),
            EPOCH + timedelta(microseconds=row["ts_event"] // 1000),
            *(
                Fraction(int.from_bytes(row[name], "little"), scale)
                for name in ("open", "high", "low", "close", "volume")
            ),
        )
        for row in pq.read_table(path).to_pylist()
    ]


def ibkr_csv(path: Path) -> list[Bar]:
    zone = ZoneInfo("Europe/Madrid")
    return [
        bar(
            ("ibkr", "SPY", "5m"),
            datetime.fromisoformat(row["Date"]).replace(tzinfo=zone).astimezone(UTC),
            row["Open"], row["High"], row["Low"], row["Close"], int(row["Volume"]) * 100,
            row["VWAP"], count=row["TradeCount"],
        )
        for row in csv.DictReader(path.read_text().splitlines())
        if (row["Volume"], row["TradeCount"]) != ("0", "0")
    ]  # fmt: skip


def ibkr_json(path: Path) -> list[Bar]:
    return [
        bar(
            ("ibkr", "AAPL", "1m"),
            datetime.fromisoformat(row["date"] + "-03:00").astimezone(UTC),
            row["open"], row["high"], row["low"], row["close"], row["volume"] * 100,
            row["average"], count=row["barCount"],
        )
        for row in map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
    ]  # fmt: skip


def zipline(path: Path) -> list[Bar]:
    _, *rows = csv.reader(gzip.decompress(path.read_bytes()).decode().splitlines())
    key = ("zipline", path.name.split(".")[0], "1d")
    return [bar(key, datetime.fromisoformat(row[0]).replace(tzinfo=UTC), *row[1:6]) for row in rows]


def tdx(path: Path) -> list[Bar]:
    return [
        bar(("tdx", "SH600000", "1d"), date(day), *(Fraction(p, 100) for p in prices), volume)
        for day, *prices, _, volume, _ in struct.iter_unpack("<IIIIIfII", path.read_bytes())
    ]


def hikyuu_csv(path: Path) -> list[Bar]:
    _, *rows = csv.reader(path.read_text().splitlines())
    return [
        bar(
            ("hikyuu", "SH000001", "1d"),
            datetime.strptime(row[0], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC),
            *row[1:5],
            Fraction(row[6]) * 100,
        )
        for row in rows
    ]


def hikyuu_hdf5(path: Path) -> list[Bar]:
    rows = []
    with h5py.File(path) as file:
        for name in sorted(file["data"]):
            for close, stamp, high, low, start, _, lots in file["data"][name][:].tolist():
                prices = (Fraction(price, 1000) for price in (start, high, low, close))
                rows.append(bar(("hikyuu", name, "1d"), date(stamp // 10**4), *prices, lots * 100))
    return rows


MADRID = {"symbol": "spy", "timezone": "Europe/Madrid"}
STARTS = {"stamp": "start"}
SAMPLES = [
    Sample("databento/EQUS.MINI/test_data.ohlcv-1d.dbn.zst", 1, dbn),
    Sample("databento/GLBX.MDP3/test_data.ohlcv-1d.dbn.zst", 1, dbn),
    Sample("databento/GLBX.MDP3/test_data.ohlcv-1h.dbn.zst", 4, dbn),
    Sample("databento/GLBX.MDP3/test_data.ohlcv-1m.dbn.zst", 4, dbn),
    Sample("databento/IFEU.IMPACT/test_data.ohlcv-1h.dbn.zst", 4, dbn),
    Sample("databento/OPRA.PILLAR/test_data.ohlcv-1m.dbn.zst", 4, dbn),
    Sample("databento/XNAS.ITCH/test_data.ohlcv-1d.dbn.zst", 1, dbn),
    Sample("databento/XNAS.ITCH/test_data.ohlcv-1m.dbn.zst", 4, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1d.v1.dbn.zst", 0, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1d.v3.dbn.zst", 0, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1m.dbn", 2, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1m.v1.dbn.zst", 2, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1m.v2.dbn.zst", 2, dbn),
    Sample("databento/dbn_versions/test_data.ohlcv-1m.v3.dbn.zst", 2, dbn),
    Sample("databento/futures_ohlcv-1m_2024-05-09T09-55_2024-05-09T10-05.dbn.zst", 20, dbn),
    Sample("databento/futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst", 60, dbn),
    Sample("databento/futures_ohlcv-1m_2026-01-09T20-55_2026-01-09T21-05.dbn.zst", 10, dbn),
    Sample("hikyuu/sh_day.h5", 12_922, hikyuu_hdf5),
    Sample("hikyuu/test_day_data.csv", 100, hikyuu_csv, {"symbol": "SH000001"}),
    Sample("ibkr/ib-spy-5min-20120627.csv", 166, ibkr_csv, MADRID, skipped=21),
    Sample("ibkr/ib-spy-5min-20120628.csv", 168, ibkr_csv, MADRID, skipped=8),
    Sample("ibkr/nautilus_bars.json.gz", 405, ibkr_json, {"symbol": "AAPL", "timezone": "UTC-3"}),
    Sample("nautilus_parquet/64-bit/bars.parquet", 10, nautilus, STARTS),
    Sample("nautilus_parquet/128-bit/bars.parquet", 10, nautilus, STARTS),
    Sample("tdx/vipdoc/sh/lday/sh600000.day", 6_119, tdx),
    Sample("zipline_csvdir/daily/AAPL.csv.gz", 754, zipline),
    Sample("zipline_csvdir/daily/KO.csv.gz", 754, zipline),
]  # fmt: skip
UNSAID = [
    Unsaid("hikyuu/test_day_data.csv", "the symbol of the bars is not known", "--symbol"),
    Unsaid("ibkr/nautilus_bars.json.gz", "no time zone is given", "--timezone",
           {"symbol": "AAPL"}),
    Unsaid("nautilus_parquet/64-bit/bars.parquet", "the starts or the ends of the bars",
           "--stamp start or --stamp end"),
]  # fmt: skip
