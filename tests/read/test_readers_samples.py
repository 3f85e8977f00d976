"""Real vendors' text files: every one opens, and has the rows that the csv module counts."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.read.formats import read
from loader.read.sources import find

#: Lines above the data: a header unless said otherwise.
ABOVE = {
    "ADABTC-1m-2021-11-27.csv": 0,
    "ADABTC-1m-2021-11-28.csv": 0,
    "nt-spy-minute-2011-03.csv": 0,
    "Coinbase_BTCUSD_1h.csv": 2,
    "Coinbase_BTCUSD_d.csv": 2,
}


def text_of(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(archive.namelist()[0])
    return data.decode("utf-8-sig")


def plain_files(samples: Path) -> Iterator[Path]:
    for pattern in ("*.csv", "*.csv.gz", "*.zip"):
        yield from samples.rglob(pattern)


def test_each_has_the_rows_that_the_csv_module_counts(samples: Path) -> None:
    counted, found = {}, {}
    for path in plain_files(samples):
        lines = csv.reader(io.StringIO(text_of(path), newline=""))
        counted[path.name] = sum(map(bool, lines)) - ABOVE.get(path.name, 1)
        with find([str(path)]) as [source], read(source, 1000) as reading:
            found[path.name] = sum(batch.frame.height for batch in reading)
    assert len(found) > 50
    assert found == counted


@pytest.mark.parametrize(
    ("name", "columns", "first"),
    [
        (
            "other/stockindicators_spx.csv",  # a byte order mark
            ("date", "open", "high", "low", "close", "volume"),
            ("1/2/1990", "353.4", "359.69", "351.98", "359.69", "0"),
        ),
        (
            "ccxt/btc_usdt_1h.csv",
            ("index", "symbol", "open", "high", "low", "close", "volume"),
            ("2019-09-30 07:00:00", "BTC/USDT", "7986.86", "8014.21", "7984.26", "7998.49",
             "269.91595799999993"),
        ),
        (
            "cryptodatadownload/Coinbase_BTCUSD_1h.csv",
            ("date", "symbol", "open", "high", "low", "close", "volume_btc", "volume"),
            ("2019-10-17 09-AM", "BTCUSD", "8051", "8056.83", "8021.23", "8035.88", "61.25",
             "492394.56"),
        ),
        (
            "ninjatrader/nt-spy-minute-2011-03.csv",
            tuple(f"column_{n}" for n in range(1, 7)),
            ("20110301 090100", "133.9", "134.01", "133.9", "133.98", "3778"),
        ),
    ],
)  # fmt: skip
def test_columns_and_first_row(
    samples: Path, name: str, columns: tuple[str, ...], first: tuple[str, ...]
) -> None:
    with find([str(samples / name)]) as [source], read(source) as reading:
        assert reading.columns == columns
        assert next(iter(reading)).frame.row(0) == first
