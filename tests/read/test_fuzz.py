"""Damaged files of every container: an error with a place or all rows that the file states, never a
traceback, never gigabytes. `just fuzz MINUTES` goes on for as long as it is given."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import re
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from loader.check.file import Checking
from loader.errors import MdloadError, UnreadableFile
from loader.read.formats import read
from loader.read.formats.known import formats
from loader.read.sources import find
from loader.settings import Settings

MINUTES: Final = float(os.environ.get("MDLOAD_FUZZ_MINUTES", "0"))
#: Of a file, and what one file may add to the memory that the process has taken before.
EXAMPLES: Final = 40
#: Of files that are read in a process of their own.
EXAMPLES_APART: Final = 6
SECONDS: Final = 60.0
MOST_KB: Final = 2 << 20
ROWS: Final = 50
NAMED: Final = Settings(provider="p", interval="1m")
MINUTE: Final = 60_000_000
START: Final = 1_704_153_600_000_000

TIMES = [START + MINUTE * at for at in range(ROWS)]
TABLE = pa.table(
    {
        "ts": pa.array(TIMES, pa.timestamp("us", "UTC")),
        "symbol": pa.array([f"S{at % 3}" for at in range(ROWS)]),
        **{name: [1.0 + at / 10 for at in range(ROWS)] for name in ("open", "close", "volume")},
        "high": [99.0] * ROWS,
        "low": [0.5] * ROWS,
    }
)
TEXT = "ts,symbol,open,high,low,close,volume\n" + "".join(
    f'2024-01-02T00:{at:02}:00Z,"S{at % 3}",1.5,99,0.5,{1 + at},{at}\n' for at in range(ROWS)
)
OBJECTS = [
    {"ts": f"2024-01-02T00:{at:02}:00Z", "symbol": "S", "open": 1.5, "high": 99, "low": 0.5,
     "close": 1 + at, "volume": at}
    for at in range(ROWS)
]  # fmt: skip


def parquet(**options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out, row_group_size=20, **options)
    return out.getvalue()


def arrow(stream: bool, compression: str | None) -> bytes:
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    open_ = pa.ipc.new_stream if stream else pa.ipc.new_file
    with open_(out, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, max_chunksize=20)
    return out.getvalue()


def hdf5(version: str | None) -> bytes:
    names = ("datetime", "openPrice", "highPrice", "lowPrice", "closePrice", "transCount")
    kind = [(name, "<u8") for name in names]
    out = io.BytesIO()
    with h5py.File(out, "w", libver=version) as file:
        rows = np.array([(20240102 * 10_000 + at, 1, 2, 1, 1, 5) for at in range(ROWS)], kind)
        for name in ("SH600000", "SH600001"):
            file.create_dataset(f"data/{name}", data=rows, chunks=(16,), compression="gzip")
    return out.getvalue()


def dbn(version: int = 3, ts_out: bool = False) -> bytes:
    from databento_dbn import Metadata, Schema, SType

    span = SimpleNamespace(start_date=date(2024, 1, 1), end_date=date(2024, 1, 9), symbol="1")
    head = Metadata(
        dataset="XNAS.ITCH", start=START * 1000, stype_in=SType.RAW_SYMBOL,
        stype_out=SType.INSTRUMENT_ID, schema=Schema.OHLCV_1M, symbols=["AAPL"], partial=[],
        not_found=[], mappings=[SimpleNamespace(raw_symbol="AAPL", intervals=[span])],
        version=version, ts_out=ts_out,
    ).encode()  # fmt: skip
    rows = (
        struct.pack("<BBHIQqqqqQ", 16 if ts_out else 14, 0x21, 1, 1, (START + at * MINUTE) * 1000,
                    10**9, 2 * 10**9, 10**9, 10**9, 5) + bytes(8 * ts_out)
        for at in range(ROWS)
    )  # fmt: skip
    return bytes(head) + b"".join(rows)


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def scid() -> bytes:
    days = 45_292 * 86_400_000_000
    rows = (
        struct.pack("<qffffIIII", days + at * MINUTE, 1, 2, 1, 1, 1, 1, 1, 1) for at in range(ROWS)
    )
    return struct.pack("<4sIIHHI36x", b"SCID", 56, 40, 1, 0, 0) + b"".join(rows)


def hst() -> bytes:
    head = struct.pack("<i64s12sii60x", 401, b"", b"EURUSD", 1, 5)
    rows = (
        struct.pack("<qddddqiq", 1_704_153_600 + 60 * at, 1, 2, 1, 1, 5, 1, 1) for at in range(ROWS)
    )
    return head + b"".join(rows)


def packed(write: Callable[[Any], None]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def zipped(out: io.BytesIO) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", TEXT)
        archive.writestr("b.csv", TEXT.replace("S0", "T0"))


def bi5() -> bytes:
    rows = b"".join(struct.pack(">iiiiif", 60 * at, 1, 1, 1, 1, 1.0) for at in range(ROWS))
    return lzma.compress(rows, lzma.FORMAT_ALONE)


LINES = "\n".join(map(json.dumps, OBJECTS)).encode()
DAY = b"".join(
    struct.pack("<IIIIIfII", 20_240_100 + at % 28 + 1, 100, 200, 100, 100, 1.0, 5, 0)
    for at in range(ROWS)
)
#: For each container the name of a file, and ways to write it.
SEEDS: Final[dict[str, tuple[str, list[Callable[[], bytes]]]]] = {
    "parquet": ("a.parquet", [
        lambda: parquet(compression="zstd"),
        lambda: parquet(compression="snappy", data_page_version="2.0", use_dictionary=False),
        lambda: parquet(compression="none", write_page_checksum=True),
    ]),
    "arrow": ("a.arrow", [
        lambda: arrow(False, "zstd"), lambda: arrow(False, None), lambda: arrow(True, "lz4"),
    ]),
    "csv": ("a.csv", [
        TEXT.encode, lambda: TEXT.encode("utf-16"), lambda: gzip.compress(TEXT.encode(), 1),
        lambda: lzma.compress(TEXT.encode()),
        lambda: zstd(TEXT.encode()),
    ]),
    "zip": ("a.zip", [lambda: packed(zipped)]),
    "json": ("a.json", [
        lambda: LINES, lambda: json.dumps(OBJECTS).encode(),
        lambda: json.dumps({"status": "ok", "results": OBJECTS}).encode(),
    ]),
    "hdf5": ("a.h5", [lambda: hdf5(None), lambda: hdf5("latest")]),
    "dbn": ("a.dbn", [
        dbn, lambda: dbn(1), lambda: dbn(2, ts_out=True), lambda: zstd(dbn(ts_out=True)),
    ]),
    "scid": ("a.scid", [scid]),
    "hst": ("EURUSD1.hst", [hst]),
    "tdx": ("sh600000.day", [lambda: DAY]),
    "bi5": ("BID_candles_min_1.bi5", [bi5]),
}  # fmt: skip


def test_every_container_of_bytes_is_here() -> None:
    tables = {"delta", "iceberg"}  # folders; their files are Parquet
    named = {name for each in formats() for name in each.names} - tables
    assert named <= {*SEEDS, "ndjson"}


def rows_of(path: Path) -> int:
    with find([str(path)]) as sources:
        rows = 0
        for source in sources:
            with read(source, 1000) as reading:
                rows += sum(batch.frame.height for batch in reading)
        return rows


@pytest.mark.parametrize("container", SEEDS)
def test_two_files_in_one(container: str, tmp_path: Path) -> None:
    """Refused, or the rows of both: a directory at the end knows only those of the second one."""
    name, ways = SEEDS[container]
    path = tmp_path / name
    for way in ways:
        path.write_bytes(data := way())
        rows = rows_of(path)
        path.write_bytes(data + data)
        with suppress(UnreadableFile):
            assert rows_of(path) >= 2 * rows


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with a few bytes changed, cut out, put in or repeated."""
    found = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(len(found) - 1, 0)))
        match draw(st.sampled_from(["flip", "number", "cut", "end", "insert", "repeat"])):
            case "flip" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "number":
                found[at : at + 4] = draw(st.sampled_from(
                    [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80"]
                ))  # fmt: skip
            case "cut":
                del found[at : at + draw(st.integers(1, 64))]
            case "end":
                del found[at:]
            case "insert":
                found[at:at] = draw(st.binary(min_size=1, max_size=16))
            case _:
                found[at:at] = found[at : at + draw(st.integers(1, 64))]
    return bytes(found)


def peak_kb() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1])


def processor_seconds() -> float:
    """Of this process and of those that it started; a busy machine does not count."""
    return sum(os.times()[:4])


def judge(path: Path) -> str:
    """Reads and checks a file as a load does; `read` or the kind of the error."""
    with find([str(path)]) as sources:
        for source in sources:
            try:
                with read(source, 1000) as reading:
                    rows = sum(batch.frame.height for batch in reading)
                    assert reading.rows in (None, rows)
                with read(source, 1000) as reading:
                    checking = Checking(reading, source, NAMED)
                    last = max((piece.last_row for piece in checking.pieces()), default=0)
                    assert last <= rows
            except MdloadError as error:
                if "Too many open files" in str(error):  # what HDF5 needs is imported too late
                    raise
                return type(error).__name__
    return "read"


@pytest.mark.parametrize("container", SEEDS)
def test_damage(container: str, tmp_path: Path) -> None:
    name, ways = SEEDS[container]
    data = [way() for way in ways]
    path = tmp_path / name
    for each in data:  # what is not damaged can be read
        path.write_bytes(each)
        with find([str(path)]) as sources:
            for source in sources:
                with read(source, 1000) as reading:
                    assert sum(batch.frame.height for batch in reading) in (ROWS, 2 * ROWS)
    before = peak_kb()
    outcomes: dict[str, int] = {}
    slowest = 0.0

    examples = EXAMPLES_APART if container == "hdf5" and not MINUTES else EXAMPLES

    def run(number: int) -> None:
        @seed(number)
        @settings(max_examples=examples, database=None, phases=[Phase.generate, Phase.shrink])
        @given(st.sampled_from(data).flatmap(damage))
        def one(damaged: bytes) -> None:
            nonlocal slowest
            path.write_bytes(damaged)
            began = processor_seconds()
            outcome = judge(path)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            slowest = max(slowest, processor_seconds() - began)

        one()

    until = time.monotonic() + 60 * MINUTES / len(SEEDS)
    number = int(time.time()) if MINUTES else 1  # other damage in each run by hand
    run(number)
    while time.monotonic() < until:
        number += 1
        run(number)
    assert slowest < SECONDS
    assert peak_kb() - before < MOST_KB
    if MINUTES:
        taken = (peak_kb() - before) >> 10
        apart = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        print(
            f"\n{container}: {sum(outcomes.values()):,} files, slowest {slowest:.1f} s, {taken} MB "
            f"more, {apart} MB in a process of its own: {outcomes}",
            file=sys.stderr,
        )
