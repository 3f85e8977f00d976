"""DBN: metadata written by Databento's library, records by struct."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats import Reading, read
from loader.read.sources import find

BAR = struct.Struct("<BBHIQqqqqQ")
NANOS = 1_000_000_000
#: 2024-07-01 23:59 UTC and the minute after it.
LATE, MIDNIGHT = 1_719_878_340 * NANOS, 1_719_878_400 * NANOS
ES = {"ESU4": [(date(2024, 7, 1), date(2024, 7, 3), "118")]}

Mappings = dict[str, list[tuple[date, date, str]]]


def metadata(
    mappings: Mappings = ES,
    schema: Any = dbn.Schema.OHLCV_1M,
    stype_in: Any = dbn.SType.RAW_SYMBOL,
    stype_out: Any = dbn.SType.INSTRUMENT_ID,
    ts_out: bool = False,
    version: int = 3,
) -> bytes:
    def spans(given: Sequence[tuple[date, date, str]]) -> list[SimpleNamespace]:
        return [SimpleNamespace(start_date=a, end_date=b, symbol=c) for a, b, c in given]

    return dbn.Metadata(
        dataset="GLBX.MDP3",
        start=LATE,
        end=None,
        limit=None,
        stype_in=stype_in,
        stype_out=stype_out,
        schema=schema,
        symbols=list(mappings),
        partial=[],
        not_found=[],
        mappings=[
            SimpleNamespace(raw_symbol=name, intervals=spans(each))
            for name, each in mappings.items()
        ],
        ts_out=ts_out,
        version=version,
    ).encode()


def bar(at: int = LATE, number: int = 118, rtype: int = 33, close: int = 5) -> bytes:
    return BAR.pack(14, rtype, 1, number, at, 2, 9, 1, close, 7)


Reader = Callable[[bytes], tuple[Reading, pl.DataFrame]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.chdir(tmp_path)

    def of(data: bytes) -> tuple[Reading, pl.DataFrame]:
        Path("a.dbn").write_bytes(data)
        with find(["a.dbn"]) as [source], read(source) as reading:
            frames = [batch.frame for batch in reading]
            return reading, pl.concat(frames) if frames else pl.DataFrame()

    return of


def refusal(opened: Reader, data: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        opened(data)
    return caught.value


@pytest.mark.parametrize("version", [1, 2, 3])
def test_bars(opened: Reader, version: int) -> None:
    record = BAR.pack(14, 33, 1, 118, LATE, 5527_250_000_000, 5528 * NANOS, -NANOS, 0, 2**63)
    reading, frame = opened(metadata(version=version) + record)
    assert (reading.container, reading.rows, reading.notes) == ("dbn", 1, ())
    assert dict(reading.metadata) == {
        "dataset": "GLBX.MDP3", "schema": "ohlcv-1m", "stype_in": "raw_symbol",
        "stype_out": "instrument_id", "version": str(version),
    }  # fmt: skip
    assert frame.schema == {
        "ts_event": pl.Datetime("ns", "UTC"), "rtype": pl.UInt8, "publisher_id": pl.UInt16,
        "instrument_id": pl.UInt32, "open": pl.Int64, "high": pl.Int64, "low": pl.Int64,
        "close": pl.Int64, "volume": pl.UInt64, "symbol": pl.String,
    }  # fmt: skip
    at = datetime(2024, 7, 1, 23, 59, tzinfo=UTC)
    assert frame.rows() == [
        (at, 33, 1, 118, 5527_250_000_000, 5528_000_000_000, -1_000_000_000, 0, 2**63, "ESU4")
    ]


def test_undefined_values_are_null(opened: Reader) -> None:
    undefined = BAR.pack(14, 33, 1, 118, 2**64 - 1, *[2**63 - 1] * 4, 0)
    _, frame = opened(metadata() + undefined)
    assert frame.rows() == [(None, 33, 1, 118, None, None, None, None, 0, None)]


def test_no_records(opened: Reader) -> None:
    reading, _ = opened(metadata())
    assert (reading.rows, reading.notes) == (0, ("the file has no rows",))
    assert reading.columns[0] == "ts_event"
    assert reading.columns[-1] == "symbol"


class TestSymbols:
    def test_by_the_day_and_without_the_last(self, opened: Reader) -> None:
        mappings: Mappings = {
            "OLD": [(date(2024, 6, 1), date(2024, 7, 2), "118")],
            "NEW": [(date(2024, 7, 2), date(2024, 7, 3), "118"),
                    (date(2024, 7, 1), date(2024, 7, 2), "119")],
        }  # fmt: skip
        records = [bar(LATE), bar(MIDNIGHT), bar(MIDNIGHT + 86_400 * NANOS), bar(LATE, 119),
                   bar(MIDNIGHT, 119), bar(LATE, 7), bar(LATE)]  # fmt: skip
        _, frame = opened(metadata(mappings) + b"".join(records))
        assert frame["symbol"].to_list() == ["OLD", "NEW", None, "NEW", None, None, "OLD"]
        assert frame["instrument_id"].to_list() == [118, 118, 118, 119, 119, 7, 118]

    def test_asked_for_by_number(self, opened: Reader) -> None:
        mappings: Mappings = {"118": [(date(2024, 7, 1), date(2024, 7, 3), "ESU4")]}
        stypes = {"stype_in": dbn.SType.INSTRUMENT_ID, "stype_out": dbn.SType.RAW_SYMBOL}
        _, frame = opened(metadata(mappings, **stypes) + bar())
        assert frame["symbol"].to_list() == ["ESU4"]

    def test_asked_for_by_name_and_answered_by_another(self, opened: Reader) -> None:
        """No number stands in such mappings, so that no record can be given a name."""
        mappings: Mappings = {"ES.c.0": [(date(2024, 7, 1), date(2024, 7, 3), "ESU4")]}
        stypes = {"stype_in": dbn.SType.CONTINUOUS, "stype_out": dbn.SType.RAW_SYMBOL}
        reading, frame = opened(metadata(mappings, **stypes) + bar())
        assert frame["symbol"].to_list() == [None]
        assert reading.notes == ("its metadata names no instrument, so that symbol is empty",)

    @pytest.mark.parametrize("mappings", [{}, {"ESU4": [(date(2024, 7, 1), date(2024, 7, 3), "")]}])
    def test_none_at_all(self, opened: Reader, mappings: Mappings) -> None:
        reading, frame = opened(metadata(mappings) + bar())
        assert frame["symbol"].to_list() == [None]
        assert reading.notes == ("its metadata names no instrument, so that symbol is empty",)

    def test_two_for_one_bar(self, opened: Reader) -> None:
        span = [(date(2024, 7, 1), date(2024, 7, 2), "118")]
        data = metadata({"ES.c.0": span, "ES.n.0": span, "ESU4": [(*span[0][:2], "4")]})
        assert str(refusal(opened, data + bar())) == (
            "a.dbn calls instrument 118 both 'ES.c.0' and 'ES.n.0' on 2024-07-01, and nothing "
            "tells which of them its bars belong to"
        )
        _, frame = opened(data + bar(LATE, 4))
        assert frame["symbol"].to_list() == ["ESU4"]


class TestRefused:
    @pytest.mark.parametrize(
        ("schema", "what"),
        [
            (dbn.Schema.TRADES, "of the schema trades"),
            (dbn.Schema.MBP_1, "of the schema mbp-1"),
            (None, "of several schemas at once"),
        ],
    )
    def test_no_bars(self, opened: Reader, schema: Any, what: str) -> None:
        error = refusal(opened, metadata(schema=schema))
        assert str(error) == f"a.dbn holds Databento's records {what}, not bars"

    @pytest.mark.parametrize(
        ("record", "what"),
        [
            (bar(rtype=22), "its type is 22 and its length 56"),
            (bar(rtype=32), "its type is 32 and its length 56"),
            (b"\x0c" + bar()[1:], "its type is 33 and its length 48"),
        ],
    )
    def test_a_record_that_is_no_bar(self, opened: Reader, record: bytes, what: str) -> None:
        message = str(refusal(opened, metadata() + bar() * 3 + record))
        assert message == f"a.dbn has a record in row 4 that is not a bar of ohlcv-1m: {what}"

    def test_a_fragment(self, tmp_path: Path) -> None:
        path = tmp_path / "a.dbn.frag"
        path.write_bytes(bar())
        with (
            find([str(path)]) as [source],
            pytest.raises(UnreadableFile, match="is a fragment of Databento's DBN"),
            read(source),
        ):
            pass

    def test_without_the_library(self, opened: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "databento_dbn", None)
        error = refusal(opened, metadata() + bar())
        assert str(error) == "a.dbn is Databento's DBN, which needs the extra"
        assert error.hint == "pip install 'mdload[databento]'"

    def test_a_version_to_come(self, opened: Reader) -> None:
        data = b"DBN\x09" + metadata()[4:]
        assert "a.dbn has metadata that cannot be read: " in str(refusal(opened, data))

    def test_a_number_that_no_instrument_has(self, opened: Reader) -> None:
        data = metadata({"X": [(date(2024, 7, 1), date(2024, 7, 2), "4294967296")]})
        assert "a.dbn has metadata that cannot be read: " in str(refusal(opened, data))

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_cut_short_anywhere(self, opened: Reader, version: int) -> None:
        data = metadata(version=version) + bar()
        for end in range(4, len(data)):
            if end != len(data) - 56:
                assert "it is cut short" in str(refusal(opened, data[:end]))

    def test_cut_short_inside_its_compression(self, opened: Reader) -> None:
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, "zstd") as stream:
            stream.write(metadata() + bar())
        data = out.getvalue().to_pybytes()
        assert opened(data)[1].height == 1
        for end in range(5, len(data)):
            refusal(opened, data[:end])


@settings(max_examples=300)
@given(st.integers(8, 300), st.integers(0, 255))
def test_damaged_metadata_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    data = bytearray(metadata() + bar())
    data[at] = value
    path = tmp_path_factory.mktemp("dbn") / "a.dbn"
    path.write_bytes(data)
    try:
        with find([str(path)]) as [source], read(source) as reading:
            assert sum(batch.frame.height for batch in reading) == 1
    except UnreadableFile:
        pass


PRICES = st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(st.tuples(
        st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1), PRICES, PRICES, PRICES, PRICES,
        st.integers(0, 2**64 - 1),
    )),
    st.booleans(),
)  # fmt: skip
def test_any_numbers(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]], ts_out: bool
) -> None:
    length = 16 if ts_out else 14
    records = [BAR.pack(length, 33, 2, *row) + bytes(8 * ts_out) for row in rows]
    path = tmp_path_factory.mktemp("dbn") / "a.dbn"
    path.write_bytes(metadata(ts_out=ts_out) + b"".join(records))
    with find([str(path)]) as [source], read(source, 3) as reading:
        read_back = [
            row
            for batch in reading
            for row in batch.frame.with_columns(pl.col("ts_event").to_physical()).rows()
        ]
    assert read_back == [
        (at, 33, 2, number, *(None if p == 2**63 - 1 else p for p in prices), volume,
         "ESU4" if number == 118 and 1_719_792_000 <= at // NANOS < 1_719_964_800 else None)
        for number, at, *prices, volume in rows
    ]  # fmt: skip


NAMES = {
    5482: "ESH1", 13340: "QQQ", 5617221: "BRN FMJ0024!", 16783963: "AAPL  250221C00250000",
    6155: "NVDA", 5602: "ESM4", 13743: "NQM4", 118: "ESU4", 4358: "NQU4", 42140878: "ESH6",
}  # fmt: skip


def test_every_sample_has_what_struct_reads(samples: Path) -> None:
    seen = set()
    for path in samples.glob("databento/**/*.dbn*"):
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
        start = 8 + int.from_bytes(data[4:8], "little")
        expected = [
            (at, rtype, publisher, number, *rest, NAMES[number])
            for _, rtype, publisher, number, at, *rest in BAR.iter_unpack(data[start:])
        ]
        with find([str(path)]) as [source], read(source) as reading:
            frames = [b.frame.with_columns(pl.col("ts_event").to_physical()) for b in reading]
        assert [row for frame in frames for row in frame.rows()] == expected
        assert reading.metadata["version"] == str(data[3])
        seen.add((reading.metadata["dataset"], reading.metadata["schema"], len(expected)))
    assert len(seen) > 5
