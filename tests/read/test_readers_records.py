"""Files of fixed records: bi5, TDX .day, Sierra .scid, MetaTrader .hst; written here by struct."""

from __future__ import annotations

import io
import json
import lzma
import struct
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats import read
from loader.read.formats.format import Opened
from loader.read.formats.known import formats
from loader.read.sources import Source, find

I32, U32 = st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
F32, F64 = st.floats(width=32, allow_nan=False), st.floats(allow_nan=False)
PRICE32 = st.floats(0.25, 1e6, width=32)

SCID_HEADER = struct.pack("<4sIIHHI36s", b"SCID", 56, 40, 1, 0, 0, b"")
COPYRIGHT = b"Copyright 2001-2016, MetaQuotes Software Corp."


def hst_header(version: int, period: int = 60, digits: int = 5) -> bytes:
    parts = (version, COPYRIGHT, b"EURUSD\0junk", period, digits, 1_500_000_000, 0, b"")
    return struct.pack("<i64s12siiii52s", *parts)


@dataclass(frozen=True)
class Read:
    container: str
    rows: int | None
    metadata: dict[str, str]
    notes: tuple[str, ...]
    frame: pl.DataFrame


Reader = Callable[[str, bytes], Read]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """What a file of this name and content reads as."""
    monkeypatch.chdir(tmp_path)

    def of(name: str, data: bytes) -> Read:
        Path(name).write_bytes(data)
        with find([name]) as [source], read(source, 1000) as reading:
            empty = pl.DataFrame(schema=dict.fromkeys(reading.columns, pl.Null))
            frames = [batch.frame for batch in reading]
            frame = pl.concat(frames) if frames else empty
            assert tuple(frame.columns) == reading.columns
            metadata = dict(reading.metadata)
            return Read(reading.container, reading.rows, metadata, reading.notes, frame)

    return of


def refusal(opened: Reader, name: str, data: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        opened(name, data)
    return caught.value


def rows_of(container: str, data: bytes, batch_rows: int = 1000) -> list[tuple[Any, ...]]:
    """Read without a disk, for Hypothesis."""
    raw: Any = io.BytesIO(data)
    source = Source(Path("f"), "f", None, len(data))
    [form] = [each for each in formats() if container in each.names]
    with ExitStack() as stack:
        stream = stack.enter_context(io.BufferedReader(raw))
        reading = form.read(Opened(stream, source, (), batch_rows, stack))
        rows = [row for batch in reading for row in batch.frame.rows()]
    assert reading.rows == len(rows)
    return rows


class TestBi5:
    RECORDS = struct.pack(">5if", 0, 114543, 114569, 114542, 114570, 293.75) + struct.pack(
        ">5if", 60, 114569, 114575, 114565, 114580, 0.0
    )

    def test_candles(self, opened: Reader) -> None:
        found = opened("BID_candles_min_1.bi5", lzma.compress(self.RECORDS, lzma.FORMAT_ALONE))
        assert (found.container, found.rows, found.notes) == ("bi5", None, ())
        assert found.frame.schema == {
            "seconds": pl.Int32, "open": pl.Int32, "close": pl.Int32, "low": pl.Int32,
            "high": pl.Int32, "volume": pl.Float32,
        }  # fmt: skip
        assert found.frame.rows() == [
            (0, 114543, 114569, 114542, 114570, 293.75),
            (60, 114569, 114575, 114565, 114580, 0.0),
        ]

    def test_a_name_without_suffix(self, opened: Reader) -> None:
        data = lzma.compress(self.RECORDS, lzma.FORMAT_ALONE)
        assert opened("ASK_candles_hour_1", data).container == "bi5"

    @pytest.mark.parametrize("data", [b"", lzma.compress(b"", lzma.FORMAT_ALONE)])
    def test_no_bytes_are_a_time_without_trading(self, opened: Reader, data: bytes) -> None:
        found = opened("BID_candles_min_1.bi5", data)
        assert (found.container, found.rows, found.notes) == ("bi5", 0, ("the file has no rows",))
        assert found.frame.columns == ["seconds", "open", "close", "low", "high", "volume"]

    @pytest.mark.parametrize("data", [b"", lzma.compress(bytes(20), lzma.FORMAT_ALONE)])
    def test_ticks(self, opened: Reader, data: bytes) -> None:
        error = refusal(opened, "09h_ticks.bi5", data)
        assert str(error) == "09h_ticks.bi5 holds Dukascopy's ticks, not bars"

    def test_in_an_archive_with_an_empty_day(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "dump.zip", "w") as archive:
            for day, data in (("03", b""), ("04", lzma.compress(self.RECORDS, lzma.FORMAT_ALONE))):
                archive.writestr(f"EURUSD/2019/01/{day}/BID_candles_min_1.bi5", data)
            archive.writestr("README.txt", "by hand")
        with find([str(tmp_path / "dump.zip")]) as sources:
            assert [source.name.partition("!")[2] for source in sources] == [
                "EURUSD/2019/01/03/BID_candles_min_1.bi5",
                "EURUSD/2019/01/04/BID_candles_min_1.bi5",
            ]
            heights = []
            for source in sources:
                with read(source) as reading:
                    assert reading.container == "bi5"
                    heights.append(sum(batch.frame.height for batch in reading))
        assert heights == [0, 2]

    def test_it_is_compressed(self, opened: Reader) -> None:
        assert "is not a table" in str(refusal(opened, "BID_candles_min_1.bi5", self.RECORDS))

    def test_damaged(self, opened: Reader) -> None:
        data = bytearray(lzma.compress(self.RECORDS * 500, lzma.FORMAT_ALONE))
        data[20:40] = bytes(20)
        assert "a.bi5 is damaged" in str(refusal(opened, "a.bi5", bytes(data)))

    def test_cut_short_anywhere(self, opened: Reader) -> None:
        data = lzma.compress(self.RECORDS, lzma.FORMAT_ALONE)
        for end in range(1, len(data)):
            refusal(opened, "a.bi5", data[:end])

    def test_half_a_record_inside(self, opened: Reader) -> None:
        data = lzma.compress(self.RECORDS[:40], lzma.FORMAT_ALONE)
        assert str(refusal(opened, "a.bi5", data)) == (
            "a.bi5 ends in the middle of row 2, after 16 of its 24 bytes: it is cut short"
        )

    @given(st.lists(st.tuples(I32, I32, I32, I32, I32, F32)), st.integers(1, 9))
    def test_any_numbers(self, rows: list[tuple[Any, ...]], batch_rows: int) -> None:
        data = b"".join(struct.pack(">5if", *row) for row in rows)
        assert rows_of("bi5", data, batch_rows) == rows


class TestTdx:
    RECORDS = struct.pack("<5IfII", 19991110, 2950, 2980, 2700, 2775, 4859102208.0, 174085000, 0)

    def test_days(self, opened: Reader) -> None:
        found = opened("sh600000.day", self.RECORDS)
        assert (found.container, found.rows) == ("tdx", 1)
        assert found.frame.schema == {
            "date": pl.UInt32, "open": pl.UInt32, "high": pl.UInt32, "low": pl.UInt32,
            "close": pl.UInt32, "amount": pl.Float32, "volume": pl.UInt32,
        }  # fmt: skip
        row = (19991110, 2950, 2980, 2700, 2775, 4859102208.0, 174085000)
        assert found.frame.rows() == [row]

    def test_compressed(self, opened: Reader) -> None:
        found = opened("sh600000.day.xz", lzma.compress(self.RECORDS))
        assert (found.container, found.rows, found.frame.height) == ("tdx", None, 1)

    def test_text_of_that_name_is_text(self, opened: Reader) -> None:
        assert opened("a.day", b"date,open\n2024-01-02,1\n2024-01-03,2\n").container == "csv"

    @pytest.mark.parametrize("name", ["sh600000.lc1", "sh600000.lc5", "sh600000.LC"])
    def test_minutes(self, opened: Reader, name: str) -> None:
        assert "one of TDX's minute files" in str(refusal(opened, name, bytes(32)))

    def test_something_else_of_that_name(self, opened: Reader) -> None:
        assert "row 1 has 7 for a date" in str(
            refusal(opened, "a.day", struct.pack("<8I", *[7] * 8))
        )

    def test_prices_as_floats(self, opened: Reader) -> None:
        data = struct.pack("<I4fIIf", 20200102, 3480.0, 3512.0, 3470.0, 3500.0, 12, 34, 0.0)
        assert "with prices as floats" in str(refusal(opened, "28#AL8.day", data))

    def test_cut_short_anywhere(self, opened: Reader) -> None:
        for end in range(33, 64):
            assert str(refusal(opened, "a.day", (self.RECORDS * 2)[:end])) == (
                f"a.day ends in the middle of row 2, after {end - 32} of its 32 bytes: "
                "it is cut short"
            )

    @given(st.lists(st.tuples(st.integers(19900101, 20991231), st.integers(0, 2**29), U32, U32, U32,
                              F32, U32)))  # fmt: skip
    def test_any_numbers(self, rows: list[tuple[Any, ...]]) -> None:
        data = b"".join(struct.pack("<5IfII", *row, 65536) for row in rows)
        assert rows_of("tdx", data) == rows


class TestScid:
    #: 2020-01-02 14:30 UTC: 43,832 days and 14.5 hours after 1899-12-30.
    MICROS = (43_832 * 86_400 + 52_200) * 1_000_000
    REST = (3240.25, 3241.5, 3239.75, 3241.0, 12, 34, 15, 19)
    ROW = struct.pack("<q4f4I", MICROS, *REST)

    def test_bars(self, opened: Reader) -> None:
        found = opened("ESH20.scid", SCID_HEADER + self.ROW)
        assert (found.container, found.rows) == ("scid", 1)
        assert found.frame.schema == {
            "datetime": pl.Datetime("us", "UTC"),
            **dict.fromkeys(["open", "high", "low", "close"], pl.Float32),
            **dict.fromkeys(["num_trades", "total_volume", "bid_volume", "ask_volume"], pl.UInt32),
        }
        assert found.frame.rows() == [(datetime(2020, 1, 2, 14, 30, tzinfo=UTC), *self.REST)]

    def test_stamps_that_are_days(self, opened: Reader) -> None:
        data = struct.pack("<d4f4I", 43_832 + 52_201 / 86_400, *self.REST)
        found = opened("ESH20.scid", SCID_HEADER + data)
        assert found.frame["datetime"].to_list() == [datetime(2020, 1, 2, 14, 30, 1, tzinfo=UTC)]

    @pytest.mark.parametrize("stamp", [-1, 10**17 + 1, 2**63 - 1])
    def test_stamps_that_are_none(self, opened: Reader, stamp: int) -> None:
        found = opened("a.scid", SCID_HEADER + struct.pack("<q4f4I", stamp, *self.REST))
        assert found.frame["datetime"].to_list() == [None]

    @pytest.mark.parametrize("mark", [0.0, -1.99900095e37, -1.99900197e37])
    def test_ticks(self, opened: Reader, mark: float) -> None:
        tick = struct.pack("<q4f4I", self.MICROS, mark, 3241.5, 3241.25, 3241.5, 1, 2, 0, 2)
        assert str(refusal(opened, "a.scid", SCID_HEADER + self.ROW + tick * 2)) == (
            "a.scid holds ticks, not bars, from about row 1"
        )

    def test_by_content(self, opened: Reader) -> None:
        assert opened("file", SCID_HEADER + self.ROW).container == "scid"

    def test_a_longer_header(self, opened: Reader) -> None:
        data = struct.pack("<4sIIHHI44s", b"SCID", 64, 40, 1, 0, 0, b"") + self.ROW
        assert opened("a.scid", data).rows == 1

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ((56, 32, 1, 0, 0), "its records 32, where Sierra Chart writes 56 and 40"),
            ((8, 40, 1, 0, 0), "its header has 8 bytes"),
            ((56, 40, 1, 0, 7), "its times are UTC only from row 8 on"),
        ],
    )
    def test_other_headers(self, opened: Reader, header: tuple[int, ...], message: str) -> None:
        data = struct.pack("<4sIIHHI36s", b"SCID", *header, b"") + self.ROW
        assert message in str(refusal(opened, "a.scid", data))

    def test_cut_short_anywhere(self, opened: Reader) -> None:
        data = SCID_HEADER + self.ROW
        for end in range(6, len(data)):
            if end != len(SCID_HEADER):
                assert "it is cut short" in str(refusal(opened, "a.scid", data[:end]))
        assert opened("a.scid", SCID_HEADER).rows == 0

    @given(st.lists(st.tuples(
        st.datetimes(datetime(1900, 1, 1), datetime(2099, 1, 1)),
        PRICE32, PRICE32, PRICE32, PRICE32, U32, U32, U32, U32,
    )))  # fmt: skip
    def test_any_numbers(self, rows: list[tuple[Any, ...]]) -> None:
        micro = timedelta(microseconds=1)
        packed = (((row[0] - datetime(1899, 12, 30)) // micro, *row[1:]) for row in rows)
        data = SCID_HEADER + b"".join(struct.pack("<q4f4I", *row) for row in packed)
        assert rows_of("scid", data) == [(row[0].replace(tzinfo=UTC), *row[1:]) for row in rows]


class TestHst:
    #: 2014-06-02 13:00.
    NEW = struct.pack("<q4dqiq", 1_401_714_000, 1.3602, 1.3611, 1.36, 1.361, 4321, 12, 99)
    OLD = struct.pack("<i5d", 1_401_714_000, 1.3602, 1.36, 1.3611, 1.361, 4321.0)

    def test_version_401(self, opened: Reader) -> None:
        found = opened("EURUSD60.hst", hst_header(401) + self.NEW)
        assert (found.container, found.rows) == ("hst", 1)
        assert found.metadata == {
            "version": "401", "symbol": "EURUSD", "period": "60", "digits": "5",
        }  # fmt: skip
        assert found.frame.schema == {
            "time": pl.Int64, "open": pl.Float64, "high": pl.Float64, "low": pl.Float64,
            "close": pl.Float64, "volume": pl.Int64, "spread": pl.Int32, "real_volume": pl.Int64,
        }  # fmt: skip
        assert found.frame.rows() == [(1401714000, 1.3602, 1.3611, 1.36, 1.361, 4321, 12, 99)]

    def test_version_400_has_the_low_before_the_high(self, opened: Reader) -> None:
        found = opened("EURUSD60.hst", hst_header(400) + self.OLD)
        assert found.metadata["version"] == "400"
        assert found.frame.schema == {
            "time": pl.Int32, "open": pl.Float64, "high": pl.Float64, "low": pl.Float64,
            "close": pl.Float64, "volume": pl.Float64,
        }  # fmt: skip
        assert found.frame.rows() == [(1401714000, 1.3602, 1.3611, 1.36, 1.361, 4321.0)]

    def test_other_versions(self, opened: Reader) -> None:
        error = refusal(opened, "EURUSD60.hst", hst_header(405) + self.NEW)
        assert "version 400 or 401: its first four bytes are 405" in str(error)

    @pytest.mark.parametrize(("version", "row"), [(401, NEW), (400, OLD)])
    def test_cut_short_anywhere(self, opened: Reader, version: int, row: bytes) -> None:
        data = hst_header(version) + row
        for end in range(3, len(data)):
            if end != 148:
                assert "it is cut short" in str(refusal(opened, "a.hst", data[:end]))
        assert opened("a.hst", data[:148]).rows == 0

    @given(st.lists(st.tuples(I64, F64, F64, F64, F64, I64, I32, I64)))
    def test_any_numbers(self, rows: list[tuple[Any, ...]]) -> None:
        data = hst_header(401) + b"".join(struct.pack("<q4dqiq", *row) for row in rows)
        assert rows_of("hst", data) == rows


def test_more_than_a_block_in_even_batches(tmp_path: Path) -> None:
    rows = [(20240102, n, n + 1, n + 2, n + 3, 0.5, n) for n in range(150_000)]
    path = tmp_path / "a.day"
    path.write_bytes(b"".join(struct.pack("<5IfII", *row, 0) for row in rows))
    with find([str(path)]) as [source], read(source, 40_000) as reading:
        batches = list(reading)
    assert [batch.frame.height for batch in batches] == [40_000, 40_000, 40_000, 30_000]
    assert [batch.location.start_row for batch in batches] == [1, 40_001, 80_001, 120_001]
    assert pl.concat(batch.frame for batch in batches).rows() == rows


@pytest.fixture(scope="module")
def golden(samples: Path) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = json.loads((samples / "GOLDEN.json").read_text())
    return facts


class TestSamples:
    def test_every_bi5_has_what_struct_reads(self, samples: Path) -> None:
        seen = 0
        for path in samples.glob("dukascopy/**/*.bi5"):
            data = path.read_bytes()
            plain = lzma.decompress(data) if data else b""
            with find([str(path)]) as [source], read(source) as reading:
                assert reading.container == "bi5"
                rows = [row for batch in reading for row in batch.frame.rows()]
            assert rows == list(struct.iter_unpack(">5if", plain))
            seen += 1
        assert seen == 7

    @pytest.mark.parametrize(
        ("name", "scale"),
        [
            ("dukascopy/EURUSD/2018/BID_candles_day_1.bi5", 100_000),
            ("dukascopy/EURUSD/2019/01/BID_candles_hour_1.bi5", 100_000),
            ("dukascopy/BTCUSD/2020/BID_candles_day_1.bi5", 10),
            ("tdx/vipdoc/sh/lday/sh600000.day", 100),
        ],
    )
    def test_the_facts_hold(
        self, samples: Path, golden: dict[str, dict[str, Any]], name: str, scale: int
    ) -> None:
        facts = golden[name]
        with find([str(samples / name)]) as [source], read(source) as reading:
            frame = pl.concat(batch.frame for batch in reading)
        assert frame.height == facts["rows"]
        for row, key in ((0, "first"), (-1, "last")):
            prices = [frame[column][row] for column in ("open", "high", "low", "close")]
            assert prices == [round(float(text) * scale) for text in facts[key][1:5]]
            assert frame["volume"][row] == float(facts[key][5])
        assert frame["low"].min() == round(float(facts["min_low"]) * scale)
        assert frame["high"].max() == round(float(facts["max_high"]) * scale)
        total = frame["volume"].cast(pl.Float64).sum()
        assert total == pytest.approx(float(facts["sum_volume"]), rel=1e-12)

    def test_tdx_has_what_struct_reads(self, samples: Path) -> None:
        path = samples / "tdx/vipdoc/sh/lday/sh600000.day"
        expected = [row[:7] for row in struct.iter_unpack("<5IfII", path.read_bytes())]
        with find([str(path)]) as [source], read(source) as reading:
            assert [row for batch in reading for row in batch.frame.rows()] == expected
