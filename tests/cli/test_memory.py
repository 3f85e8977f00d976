"""Small files that ask for gigabytes, through the real command: how much memory it takes."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import environment
from tests.support.sql import fetch

#: What a load of so few rows takes anyway is 130 MB; before, these took from 900 to 5,900.
MOST_MB = 600
HEAD = "ts,symbol,open,high,low,close,volume,note\n"
ROW = "2024-01-02T00:{:02}:00Z,AAA,1,2,0.5,1,1,"
OBJECT = {"ts": "2024-01-02T00:00:00Z", "symbol": "AAA", "open": 1, "high": 2, "low": 0.5,
          "close": 1, "volume": 1}  # fmt: skip
#: Runs mdload and says on stderr how much memory it took, in kB.
MEASURED = (
    "import resource, subprocess, sys\n"
    "ran = subprocess.run([sys.executable, '-m', 'loader', *sys.argv[1:]])\n"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(ran.returncode)"
)


def table(rows: int, **further: Any) -> pa.Table:
    start = datetime(2024, 1, 2, tzinfo=UTC)
    times = [start + timedelta(minutes=at) for at in range(rows)]
    columns: dict[str, Any] = {
        "ts": pa.array(times, pa.timestamp("us", "UTC")), "symbol": ["AAA"] * rows,
        **dict.fromkeys(("open", "close", "volume"), pa.array([1.0] * rows)),
        "high": [2.0] * rows, "low": [0.5] * rows,
    }  # fmt: skip
    return pa.table(columns | further)


def repeated(word: str, rows: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [word])


def dictionary(path: Path) -> None:
    note = repeated("x" * 20_000, 150_000)  # 3 GB, spelled out
    pq.write_table(table(150_000, note=note), path, compression="zstd")


def cell(path: Path) -> None:
    note = pa.array(["y" * 300_000_000, *["z"] * 9], pa.large_string())
    pq.write_table(table(10, note=note), path, compression="zstd")


def arrow(path: Path) -> None:
    made = table(150_000, note=pa.array(["x" * 5000]).take(pa.array([0] * 150_000)))
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(path, made.schema, options=options) as file:
        file.write_table(made)


def arrow_stream(path: Path) -> None:
    made = table(150_000, note=pa.array(["x" * 5000]).take(pa.array([0] * 150_000)))
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(path, made.schema, options=options) as file:
        file.write_table(made)


def arrow_dictionary(path: Path) -> None:
    made = table(150_000, note=repeated("x" * 20_000, 150_000))
    with pa.ipc.new_file(path, made.schema) as file:
        file.write_table(made)


def line(path: Path) -> None:
    long = {**OBJECT, "ts": "2024-01-02T00:01:00Z", "note": "y" * 200_000_000}
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(f"{json.dumps(OBJECT)}\n{json.dumps(long)}\n")


def elements(path: Path) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(f"{json.dumps(OBJECT)}\n{json.dumps(OBJECT)[:-1]}, " + '"note": [')
        file.write("1," * 30_000_000 + "1]}\n")


def text(path: Path) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(HEAD + ROW.format(0) + "a\n" + ROW.format(1) + "y" * 200_000_000 + "\n")


def blank(path: Path) -> None:
    with gzip.open(path, "wt") as file:
        file.write(HEAD + ROW.format(0) + "a\n")
        for _ in range(300):
            file.write("\n" * 1_000_000)


def chunk(path: Path) -> None:
    kind = np.dtype([(name, "f8") for name in ("datetime", "open", "high", "low", "close")])
    with h5py.File(path, "w") as file:
        made = file.create_dataset("data/sh600000", (30_000_000,), kind, compression="gzip",
                                   chunks=(30_000_000,))  # fmt: skip
        made[:10] = np.zeros(10, kind)


def window(path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29, "preset": 0}]
    with lzma.open(path, "wt", filters=filters) as file:
        file.write(HEAD + ROW.format(0) + "a\n")


def wide(path: Path) -> None:
    columns = {f"c{number}": pa.nulls(10, pa.float64()) for number in range(20_000)}
    pq.write_table(table(10, **columns), path)


def metadata(path: Path) -> None:
    path.write_bytes(b"DBN\x03\xff\xff\xff\xff" + b"\0" * 100)


CASES: list[tuple[Callable[[Path], None], str, int, str]] = [
    (dictionary, "a.parquet", 0, ""),
    (cell, "a.parquet", 3, "a page of column 'note' in row group 1 unpacks to 286 MB in one piece"),
    (arrow, "a.arrow", 3, "one of its record batches unpacks to"),
    (arrow_stream, "b.arrow", 3, "one of its record batches unpacks to"),
    (arrow_dictionary, "c.arrow", 0, ""),
    (line, "a.ndjson.gz", 3, "has a string of more than 1,048,576 characters in line 2, column"),
    (elements, "b.ndjson.gz", 3, "JSON value of more than 10,000,000 elements in line 2"),
    (text, "a.csv.gz", 3, "row 2 does not end within 16,777,216 bytes"),
    (blank, "b.csv.gz", 0, ""),
    (chunk, "a.h5", 3, "a chunk of /data/sh600000 unpacks to 1,144 MB in one piece"),
    (window, "a.csv.xz", 3, "compressed with a window so large"),
    (wide, "wide.parquet", 3, "has 20,007 columns, where a table may have 20,000"),
    (metadata, "a.dbn", 3, "says that its metadata has 4,294,967,295 bytes"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory was taken")
@pytest.mark.parametrize(
    ("write", "name", "code", "words"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_a_small_file_takes_little_memory(
    database_url: str,
    home: Path,
    tmp_path: Path,
    write: Callable[[Path], None],
    name: str,
    code: int,
    words: str,
) -> None:
    path = tmp_path / name
    write(path)
    assert path.stat().st_size < 25 << 20
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, "backfill", path, "--provider=demo", "--interval=1m"],
        env=environment(home, {"MDLOAD_DATABASE_URL": database_url}),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    *said, peak = ran.stderr.splitlines()
    assert ran.returncode == code, ran.stderr
    assert words in " ".join(said)
    assert int(peak.removeprefix("peak ")) < MOST_MB << 10
    loaded = {"a.parquet": 150_000, "c.arrow": 150_000, "b.csv.gz": 1}
    assert fetch(database_url, "SELECT count(*) FROM bars_ohlcv") == [
        (0 if code else loaded[name],)
    ]
