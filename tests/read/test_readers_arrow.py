"""Arrow IPC: Feather and `.arrow` files, and streams."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import UnreadableFile
from loader.read.formats import Reading, ipc_sizes, read
from loader.read.formats.containers import arrow
from loader.read.sources import Source, find

SOURCE = Source(Path("f.arrow"), "f.arrow", None, 0)


def written(table: pa.Table, *, stream: bool = False, chunk: int = 1000) -> bytes:
    out = pa.BufferOutputStream()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return out.getvalue().to_pybytes()


def opened(data: bytes, *, stream: bool = False, batch_rows: int = 1000) -> Reading:
    if stream:
        raw: Any = io.BytesIO(data)
        return arrow.read_stream(io.BufferedReader(raw), SOURCE, batch_rows)
    return arrow.read_file(pa.BufferReader(data), SOURCE, batch_rows)


@given(st.lists(st.integers(0, 9)), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_any_record_batches_come_in_even_batches(
    numbers: list[int], chunk: int, batch_rows: int, stream: bool
) -> None:
    table = pa.table({"n": pa.array(numbers, pa.int64())})
    data = written(table, stream=stream, chunk=chunk)
    reading = opened(data, stream=stream, batch_rows=batch_rows)
    assert (reading.container, reading.columns) == ("arrow", ("n",))
    assert reading.rows == (None if stream else len(numbers))
    batches = list(reading)
    assert [n for batch in batches for n in batch.frame["n"]] == numbers
    assert all(b.frame.height == batch_rows for b in batches[:-1])
    assert [b.location.start_row for b in batches] == [*range(1, len(numbers) + 1, batch_rows)]


@pytest.mark.parametrize("stream", [False, True])
def test_it_is_known_by_its_first_bytes(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(written(pa.table({"a": [1, 2]}), stream=stream))
    with find([str(path)]) as [source], read(source) as reading:
        assert [batch.frame.rows() for batch in reading] == [[(1,), (2,)]]


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_feather(tmp_path: Path, compression: Any) -> None:
    path = tmp_path / "a.feather"
    pl.DataFrame({"a": ["x", None]}).write_ipc(path, compression=compression)
    with find([str(path)]) as [source], read(source) as reading:
        assert (reading.rows, [batch.frame.rows() for batch in reading]) == (2, [[("x",), (None,)]])


def test_few_rows_are_taken_over_like_many() -> None:
    """Many go through all threads of Polars, few through one."""
    times = [datetime(2024, 1, 2, 14, 30), None, datetime(1969, 7, 20)]
    few = pa.table({
        "text": ["a", None, "ü" * 40], "large": pa.array(["", "b", None], pa.large_string()),
        "bytes": pa.array([b"x", None, b""]), "word": pa.array(["v", "w", "v"]).dictionary_encode(),
        "float": [1.5, float("nan"), None], "single": pa.array([0.1, None, -0.0], pa.float32()),
        "int": [1, None, -1], "small": pa.array([1, 2, None], pa.uint8()), "none": pa.nulls(3),
        "flag": [True, None, False], "day": [date(2024, 1, 2), None, date(1, 1, 1)],
        "utc": pa.array(times, pa.timestamp("us", "UTC")),
        "zone": pa.array(times, pa.timestamp("ns", "America/New_York")),
        "wall": pa.array(times, pa.timestamp("ms")), "list": [[1], None, []],
        "clock": pa.array([1, None, 2], pa.time64("us")),
        "exact": pa.array([1, None, 2], pa.decimal128(9, 2)),
        "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}],
    })  # fmt: skip
    many = pa.concat_tables([few] * 10_000).combine_chunks()
    (small,) = opened(written(few))
    (large,) = opened(written(many, chunk=50_000), batch_rows=50_000)
    assert large.frame.height == 30_000
    assert small.frame.equals(large.frame[:3])
    assert small.frame.schema == large.frame.schema
    assert small.frame.equals(large.frame[-3:])
    assert small.frame["text"].to_list() == few["text"].to_pylist()
    assert small.frame["utc"].dt.replace_time_zone(None).to_list() == times


def test_seconds_become_milliseconds() -> None:
    table = pa.table({"t": pa.array([1_700_000_000], pa.timestamp("s"))})
    [batch] = opened(written(table))
    assert batch.frame["t"].to_list() == [datetime(2023, 11, 14, 22, 13, 20)]
    assert batch.frame.schema == {"t": pl.Datetime("ms")}


def test_seconds_that_milliseconds_cannot_hold_are_the_last_ones_and_not_wrapped() -> None:
    seconds = [2**62, -(2**63), None, 2**63 - 1]
    [batch] = opened(written(pa.table({"t": pa.array(seconds, pa.timestamp("s"))})))
    last = 9_223_372_036_854_775_000
    assert batch.frame["t"].to_physical().to_list() == [last, -last, None, last]


def test_dictionaries_of_string_views_as_polars_writes_them() -> None:
    frame = pl.DataFrame({"c": pl.Series(["x", None, "y", "x"], dtype=pl.Categorical)})
    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    assert pa.types.is_string_view(table.schema.field("c").type.value_type)
    [batch] = opened(written(table))
    assert batch.frame.schema == {"c": pl.String()}
    assert batch.frame["c"].to_list() == ["x", None, "y", "x"]


def test_run_end_encoding() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    [batch] = opened(written(pa.table({"r": runs})))
    assert batch.frame["r"].to_list() == ["a", "a", "b"]


def test_nothing_that_can_be_held() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(UnreadableFile, match=r"f\.arrow has no column that mdload can hold"):
        opened(written(pa.table({"u": union})))


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_is_cut_short(stream: bool) -> None:
    data = written(pa.table({"n": range(1000)}), stream=stream, chunk=100)
    with pytest.raises(UnreadableFile, match="is damaged or cut short") as caught:
        list(opened(data[: len(data) // 2], stream=stream, batch_rows=100))
    assert "get the file again" in (caught.value.hint or "")


def test_dates_of_milliseconds() -> None:
    days = pa.array([datetime(2024, 1, 2), None], pa.date64())
    [batch] = opened(written(pa.table({"d": days})))
    assert batch.frame["d"].to_list() == [date(2024, 1, 2), None]


def test_what_nests_and_cannot_be_held_is_left_out() -> None:
    zoned = pa.list_(pa.timestamp("us", "Mars/Olympus"))
    known = pa.list_(pa.timestamp("us", "UTC"))
    wide = pa.list_(pa.dictionary(pa.int8(), pa.decimal256(60, 1)))
    table = pa.table({"n": [1], "z": pa.nulls(1, zoned), "w": pa.nulls(1, wide),
                      "k": pa.nulls(1, known)})  # fmt: skip
    reading = opened(written(table))
    assert reading.columns == ("n", "k")
    assert [note.partition(":")[0] for note in reading.notes] == ["column 'z'", "column 'w'"]


def test_the_fields_of_a_struct_are_columns_and_null_where_it_is() -> None:
    inner = pa.struct([("open", pa.float64()), ("close", pa.float64())])
    bar = pa.struct([("ohlc", inner), ("span", pa.month_day_nano_interval()), ("n", pa.int8())])
    rows = [{"ohlc": {"open": 1.5, "close": 2.5}, "n": 7}, {"ohlc": None, "n": 8}, None]
    arrays = [pa.array([r and r["ohlc"] for r in rows], inner), pa.nulls(3, bar.field(1).type),
              pa.array([r and r["n"] for r in rows], pa.int8())]  # fmt: skip
    held = pa.StructArray.from_arrays(arrays, fields=list(bar), mask=pa.array([False, False, True]))
    reading = opened(written(pa.table({"bar": held, "empty": pa.array([{}] * 3, pa.struct([]))})))
    assert reading.columns == ("bar.ohlc.open", "bar.ohlc.close", "bar.n", "empty")
    assert [note.partition(":")[0] for note in reading.notes] == ["column 'bar.span'"]
    [batch] = reading
    assert batch.frame.select("bar.ohlc.open", "bar.ohlc.close", "bar.n").rows() == [
        (1.5, 2.5, 7), (None, None, 8), (None, None, None)
    ]  # fmt: skip


def damaged_at(path: Path, data: bytes, old: bytes, new: bytes) -> str:
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(UnreadableFile) as caught, find([str(path)]) as [source], read(source) as r:
        list(r)
    return caught.value.fault


@pytest.mark.parametrize("version", ["V4", "V5"])
def test_a_file_without_rows_behind_another_one(version: str) -> None:
    """It has no batch that says where it begins."""
    full = pa.table({"n": [1, 2, 3], "s": ["a", "b", "c"]})
    empty = full.slice(3)
    options = pa.ipc.IpcWriteOptions(metadata_version=getattr(pa.ipc.MetadataVersion, version))
    first, second = io.BytesIO(), io.BytesIO()
    for file, data in ((first, full), (second, empty)):
        with pa.ipc.new_file(file, data.schema, options=options) as writer:
            writer.write_table(data)
    assert opened(second.getvalue()).rows == 0
    for joined in (first.getvalue() + second.getvalue(), second.getvalue() * 2):
        with pytest.raises(UnreadableFile, match="consists of several Arrow files, one behind"):
            opened(joined)


def test_lengths_and_places_that_no_file_has(tmp_path: Path) -> None:
    """Of a body, of a buffer in it, and of a block: each beyond what a machine can count."""
    table = pa.table({"x": list(range(1000))})
    path, far = tmp_path / "a.arrow", (1 << 62).to_bytes(8, "little")
    stream, file = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    body = (8000).to_bytes(8, "little")
    assert damaged_at(path, stream.getvalue(), body, far).startswith("is damaged or cut short")
    assert damaged_at(path, stream.getvalue(), body, b"\xff" * 7 + b"\x7f").startswith("is damaged")
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
    data = file.getvalue()
    [(at, *_)] = ipc_sizes._blocks(pa.BufferReader(data))
    end = data.rindex(at.to_bytes(8, "little"))
    for place in (1 << 62, (1 << 64) - 1):
        path.write_bytes(data[:end] + place.to_bytes(8, "little") + data[end + 8 :])
        with (
            pytest.raises(UnreadableFile, match="is damaged or cut short"),
            find([str(path)]) as [source],
            read(source) as reading,
        ):
            list(reading)
    # The buffer of the values: it begins at 0 and has as many bytes as the file says.
    body_size = pa.ipc.read_message(pa.BufferReader(data[at:])).body.size
    head = data[at : data.index(b"\x28\xb5\x2f\xfd")]
    places = [
        n for n in range(0, len(head) - 8, 4)
        if 8 < int.from_bytes(head[n : n + 8], "little") <= body_size
        and head[n - 8 : n] == bytes(8)
    ]  # fmt: skip
    assert places
    for n in places:
        cut = at + n - 8
        path.write_bytes(data[:cut] + b"\xff" * 7 + b"\x7f" + data[cut + 8 :])
        with find([str(path)]) as [source], pytest.raises(UnreadableFile), read(source) as reading:
            list(reading)
