"""Parquet: every dtype a bar file has arrives with its exact values, whatever the row groups."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats import Reading, read
from loader.read.formats.containers import parquet
from loader.read.sources import Source, find

SOURCE = Source(Path("f.parquet"), "f.parquet", None, 0)

UTC, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("America/New_York")
NOON = datetime(2024, 7, 1, 12)
NOON_UTC = NOON.replace(tzinfo=UTC)


def written(table: pa.Table, **options: Any) -> pa.BufferReader:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, **options)
    return pa.BufferReader(out.getvalue())


def opened(array: pa.Array, **options: Any) -> Reading:
    return parquet.read(written(pa.table({"x": array}), **options), SOURCE, 1000)


def test_what_the_schema_says_without_notes_of_pandas_and_arrow() -> None:
    said = {b"bar_type": b"X.Y-1-MINUTE", b"pandas": b"{}", b"\xff": b"\xfe"}
    table = pa.table({"x": [1]}).replace_schema_metadata(said)
    reading = parquet.read(written(table), SOURCE, 1000)
    assert dict(reading.metadata) == {"bar_type": "X.Y-1-MINUTE", "\ufffd": "\ufffd"}
    assert dict(opened(pa.array([1])).metadata) == {}


@pytest.mark.parametrize(("bits", "scale"), [(64, 10**9), (128, 10**16)])
def test_integers_of_any_width_as_nautilus_keeps_them(samples: Path, bits: int, scale: int) -> None:
    path = samples / f"nautilus_parquet/{bits}-bit/bars.parquet"
    with find([str(path)]) as [source], read(source) as reading:
        [batch] = reading
    assert reading.metadata["bar_type"] == "ADABTC.BINANCE-1-MINUTE-LAST-EXTERNAL"
    assert reading.metadata["price_precision"] == "8"
    expected = pq.read_table(path)
    for name in ("open", "high", "low", "close", "volume"):
        assert batch.frame.schema[name] == pl.Binary()
        assert batch.frame[name].to_list() == expected[name].to_pylist()
        assert set(map(len, batch.frame[name])) == {bits // 8}
    first = [int.from_bytes(cell, "little", signed=True) for cell in batch.frame.row(0)[:5]]
    assert first == [
        scale * price // 10**6 for price in (2853, 2854, 2851, 2854, 3_630_420_000_000)
    ]


@pytest.mark.parametrize(
    ("kind", "value", "dtype", "expected"),
    [
        (pa.int8(), -1, pl.Int8(), -1),
        (pa.int32(), 100, pl.Int32(), 100),
        (pa.int64(), 2**63 - 1, pl.Int64(), 2**63 - 1),
        (pa.uint64(), 2**64 - 1, pl.UInt64(), 2**64 - 1),
        (pa.float32(), 0.5, pl.Float32(), 0.5),
        (pa.float64(), 0.1, pl.Float64(), 0.1),
        (pa.bool_(), True, pl.Boolean(), True),
        (pa.decimal128(18, 8), Decimal("0.12345678"), pl.Decimal(18, 8), Decimal("0.12345678")),
        (pa.decimal128(38, 9), Decimal("1e28"), pl.Decimal(38, 9), Decimal("1e28")),
        (pa.decimal32(9, 2), Decimal("1.25"), pl.Decimal(9, 2), Decimal("1.25")),
        (pa.decimal256(50, 2), Decimal("1e40"), pl.String(), f"1{'0' * 40}.00"),
        (pa.string(), "NA", pl.String(), "NA"),
        (pa.large_string(), "AAPL", pl.String(), "AAPL"),
        (pa.binary(4), b"abcd", pl.Binary(), b"abcd"),
        (pa.date32(), date(2024, 7, 1), pl.Date(), date(2024, 7, 1)),
        (pa.date64(), date(2024, 7, 1), pl.Date(), date(2024, 7, 1)),
        (pa.time64("us"), time(9, 30), pl.Time(), time(9, 30)),
        (pa.timestamp("ms"), NOON, pl.Datetime("ms"), NOON),
        (pa.timestamp("us"), NOON, pl.Datetime("us"), NOON),
        (pa.timestamp("ns"), NOON, pl.Datetime("ns"), NOON),
        (pa.timestamp("s"), NOON, pl.Datetime("ms"), NOON),
        (pa.timestamp("us", "UTC"), NOON_UTC, pl.Datetime("us", "UTC"), NOON_UTC),
        (pa.timestamp("ns", "+00:00"), NOON_UTC, pl.Datetime("ns", "UTC"), NOON_UTC),
        (
            pa.timestamp("ns", "America/New_York"),
            NOON.replace(tzinfo=NEW_YORK),
            pl.Datetime("ns", "America/New_York"),
            NOON.replace(tzinfo=NEW_YORK),
        ),
        (
            pa.timestamp("us", "-05:00"),
            NOON.replace(tzinfo=timezone(timedelta(hours=-5))),
            pl.Datetime("us", "Etc/GMT+5"),
            datetime(2024, 7, 1, 17, tzinfo=UTC),
        ),
        (pa.list_(pa.int64()), [1, 2], pl.List(pl.Int64()), [1, 2]),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_each_type(kind: Any, value: Any, dtype: pl.DataType, expected: Any) -> None:
    reading = opened(pa.array([value, None], kind))
    [batch] = reading
    assert batch.frame.schema == {"x": dtype}
    assert batch.frame["x"].to_list() == [expected, None]
    assert reading.notes == ()


@pytest.mark.parametrize("index", [pa.int8(), pa.uint32()], ids=str)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_a_dictionary_is_its_values(index: Any, kind: Any) -> None:
    array = pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None, 1], index), pa.array(["MSFT", "AAPL"], kind)
    )
    [batch] = opened(array)
    assert batch.frame.to_dict(as_series=False) == {"x": ["AAPL", "MSFT", None, "AAPL"]}
    assert batch.frame.schema == {"x": pl.String()}


def test_a_dictionary_of_one_batch_is_not_that_of_the_next() -> None:
    frame = pl.DataFrame({"x": ["a", "b", "c", "a", "d"]}, schema={"x": pl.Categorical()})
    file = written(frame.to_arrow(), row_group_size=2)
    batches = list(parquet.read(file, SOURCE, 2))
    assert [b.frame["x"].to_list() for b in batches] == [["a", "b"], ["c", "a"], ["d"]]


def test_old_96_bit_timestamps_do_not_wrap() -> None:
    far = datetime(9999, 12, 31)  # "never", as Spark writes it; as nanoseconds it is in 1816
    array = pa.array([NOON, far], pa.timestamp("us"))
    [batch] = opened(array, use_deprecated_int96_timestamps=True)
    assert batch.frame["x"].to_list() == [NOON, far]


def test_a_zone_without_a_name_keeps_its_instants() -> None:
    reading = opened(pa.array([NOON_UTC], pa.timestamp("us", "+05:30")))
    assert reading.notes == (
        "column 'x': its time zone '+05:30' has no name in the time zone database: taken as UTC",
    )
    [batch] = reading
    assert batch.frame["x"].to_list() == [NOON_UTC]


def test_columns_of_one_name() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["x", "x", " y "])
    reading = parquet.read(written(table), SOURCE, 1000)
    assert reading.columns == ("x", "x_2", "y")
    assert reading.notes == ("column 2 is called 'x' like one before it: here 'x_2'",)
    [batch] = reading
    assert batch.frame.to_dict(as_series=False) == {"x": [1], "x_2": [2], "y": [3]}


def test_a_column_that_cannot_be_held_is_left_out_with_a_note() -> None:
    table = pa.table({"x": [1], "deep": pa.array([[Decimal(1)]], pa.list_(pa.decimal256(40, 0)))})
    reading = parquet.read(written(table), SOURCE, 1000)
    assert reading.columns == ("x",)
    [note] = reading.notes
    assert note.startswith("column 'deep': left out, its type list<")
    assert [batch.frame.rows() for batch in reading] == [[(1,)]]


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.none(), st.text(max_size=5))),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
)
def test_any_row_groups_come_in_even_batches(
    rows: list[tuple[int | None, str]], group: int, batch_rows: int, dictionary: bool
) -> None:
    table = pa.table(
        {
            "n": pa.array([n for n, _ in rows], pa.int64()),
            "s": pa.array([s for _, s in rows], "str"),
        }
    )
    file = written(table, row_group_size=group, use_dictionary=dictionary)
    reading = parquet.read(file, SOURCE, batch_rows)
    assert (reading.container, reading.rows, reading.columns) == ("parquet", len(rows), ("n", "s"))
    batches = list(reading)
    assert [row for batch in batches for row in batch.frame.rows()] == rows
    assert [b.frame.height for b in batches[:-1]] == [batch_rows] * (len(batches) - 1)
    assert [(b.location.batch, b.location.start_row) for b in batches] == [
        (number, 1 + number * batch_rows) for number in range(len(batches))
    ]
    assert all(batch.frame.n_chunks() == 1 for batch in batches)


class TestDamage:
    @pytest.fixture
    def refusal(self, tmp_path: Path) -> Callable[[bytes], str]:
        def of(data: bytes) -> str:
            path = tmp_path / "f.parquet"
            path.write_bytes(data)
            with (
                pytest.raises(UnreadableFile) as caught,
                find([str(path)]) as [source],
                read(source, 100) as reading,
            ):
                list(reading)
            assert "get the file again" in (caught.value.hint or "")
            return str(caught.value).removeprefix(f"{path} ")

        return of

    @pytest.fixture
    def data(self) -> bytes:
        out = io.BytesIO()
        pq.write_table(
            pa.table({"x": range(1000)}), out, row_group_size=500, write_page_checksum=True
        )
        return out.getvalue()

    def test_a_file_that_is_cut_short(self, refusal: Callable[[bytes], str], data: bytes) -> None:
        assert refusal(data[:-20]).startswith("is damaged or cut short: ")
        assert refusal(data[:100]).startswith("is damaged or cut short: ")

    def test_a_page_that_changed(self, refusal: Callable[[bytes], str], data: bytes) -> None:
        half = len(data) // 2
        changed = data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
        assert refusal(changed).startswith("is damaged or cut short after row ")


def test_text_that_is_no_utf_8() -> None:
    latin = pa.array(["Z\xfcrich".encode("latin-1")] * 2).view(pa.string())
    with pytest.raises(UnreadableFile, match=r"after row 0: In column 0: .*Invalid UTF8"):
        list(opened(latin))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_are_the_text_that_they_are(kind: Any) -> None:
    cells = [b"KO", None, "\u00c5B".encode()]
    [batch] = opened(pa.array(cells, pa.binary()).cast(kind))
    assert batch.frame.to_series().to_list() == ["KO", None, "\u00c5B"]


def test_bytes_that_are_no_text_are_marked() -> None:
    [batch] = opened(pa.array([b"KO", b"\xff1", None]))
    assert batch.frame.to_series().to_list() == ["KO", "\ufffd1", None]


def test_zero_rows() -> None:
    reading = opened(pa.array([], pa.int64()))
    assert (reading.rows, reading.columns, list(reading)) == (0, ("x",), [])
