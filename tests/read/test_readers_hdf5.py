"""HDF5 with a table per instrument, as hikyuu keeps it; written here by h5py."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars as pl
import pytest

from loader.errors import UnreadableFile
from loader.read.formats import Reading, read
from loader.read.sources import find

NAMES = ("datetime", "openPrice", "highPrice", "lowPrice", "closePrice", "transCount")
KIND = [("datetime", "<u8"), *[(name, "<u4") for name in NAMES[1:5]], ("transCount", "<u8")]
ROW = (199012190000, 96050, 99980, 95790, 99980, 1260)

Tables = dict[str, Any]


def table(*rows: tuple[Any, ...], kind: Any = KIND) -> Any:
    return np.array(list(rows), dtype=kind)


def write(path: Path, tables: Tables) -> None:
    with h5py.File(path, "w") as file:
        for name, rows in tables.items():
            file.create_dataset(name, data=rows)


Reader = Callable[[Tables], tuple[Reading, pl.DataFrame]]


def opened(path: Path, batch_rows: int = 1000) -> tuple[Reading, pl.DataFrame]:
    with find([str(path)]) as [source], read(source, batch_rows) as reading:
        frames = [batch.frame for batch in reading]
        return reading, pl.concat(frames) if frames else pl.DataFrame()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.chdir(tmp_path)

    def of(tables: Tables) -> tuple[Reading, pl.DataFrame]:
        write(Path("a.h5"), tables)
        return opened(Path("a.h5"))

    return of


def refusal(written: Reader, tables: Tables) -> str:
    with pytest.raises(UnreadableFile) as caught:
        written(tables)
    return str(caught.value)


def test_each_table_under_its_name(written: Reader) -> None:
    later = (199012200000, *ROW[1:])
    reading, frame = written({"data/SZ000002": table(ROW), "data/SH000001": table(ROW, later)})
    assert (reading.container, reading.place, reading.rows) == ("hdf5", "data", 3)
    assert reading.columns == ("key", *NAMES)
    assert frame.rows() == [("SH000001", *ROW), ("SH000001", *later), ("SZ000002", *ROW)]
    assert frame.schema == {
        "key": pl.String, "datetime": pl.UInt64, **dict.fromkeys(NAMES[1:5], pl.UInt32),
        "transCount": pl.UInt64,
    }  # fmt: skip


def test_other_byte_orders_and_floats(written: Reader) -> None:
    kind = [(name, ">f8") for name in "abcde"]
    _, frame = written({"X": table((1.5, 2.5, -3.5, 0.0, 1e300), kind=kind)})
    assert frame.rows() == [("X", 1.5, 2.5, -3.5, 0.0, 1e300)]


def test_a_column_that_is_called_key(written: Reader) -> None:
    kind = [(name, "<i4") for name in ("key", "b", "c", "d", "e")]
    reading, frame = written({"X": table((1, 2, 3, 4, 5), kind=kind)})
    assert reading.columns == ("key", "key_2", "b", "c", "d", "e")
    assert frame.rows() == [("X", 1, 2, 3, 4, 5)]


def test_tables_that_are_indexes_are_left_out(written: Reader) -> None:
    index = table((199012310000, 0), kind=[("datetime", "<u8"), ("start", "<u8")])
    tables = {"data/SH000001": table(ROW), "week/SH000001": index, "note": np.arange(3)}
    reading, _ = written(tables)
    assert (reading.rows, reading.place) == (1, "data")


def test_no_rows(written: Reader) -> None:
    reading, _ = written({"data/SH000001": table()})
    assert (reading.rows, reading.notes) == (0, ("the file has no rows",))


def test_compressed_as_a_whole(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.h5", tmp_path / "a.h5.gz"
    write(plain, {"data/SH000001": table(ROW)})
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert opened(packed)[1].rows() == [("SH000001", *ROW)]


def test_large_tables_come_in_even_batches(tmp_path: Path) -> None:
    rows = np.zeros(100_000, dtype=KIND)
    rows["datetime"] = np.arange(100_000)
    write(tmp_path / "a.h5", {"data/A": rows, "data/B": rows})
    with find([str(tmp_path / "a.h5")]) as [source], read(source, 70_000) as reading:
        frames = [batch.frame for batch in reading]
    assert [frame.height for frame in frames] == [70_000, 70_000, 60_000]
    assert pl.concat(frames)["datetime"].to_list() == [*range(100_000)] * 2


class TestRefused:
    def test_tables_in_two_groups(self, written: Reader) -> None:
        message = refusal(written, {"day/X": table(ROW), "min/X": table(ROW)})
        assert "with tables of bars in /day, /min, where one group is to have them" in message

    def test_no_table(self, written: Reader) -> None:
        assert "with tables of bars in no group" in refusal(written, {"x": np.arange(5)})

    def test_tables_of_different_columns(self, written: Reader) -> None:
        other = table((1, 2, 3, 4, 5), kind=[(name, "<u4") for name in "abcde"])
        message = refusal(written, {"data/X": table(ROW), "data/Y": other})
        assert message == "a.h5 is not one table: /data/X and /data/Y have different columns"

    def test_text(self, written: Reader) -> None:
        kind = [*KIND, ("name", "S4")]
        message = refusal(written, {"X": table((*ROW, b"abc"), kind=kind)})
        assert message == "a.h5 cannot be read: column 'name' of /X is not of numbers"

    def test_pandas(self, tmp_path: Path) -> None:
        path = tmp_path / "BTC_USDT-5m.h5"
        write(path, {"BTC_USDT/ohlcv/table": table(ROW)})
        with h5py.File(path, "a") as file:
            file["BTC_USDT/ohlcv"].attrs["pandas_type"] = "frame_table"
        with pytest.raises(
            UnreadableFile, match="that pandas wrote, in a form of its own"
        ) as caught:
            opened(path)
        assert "to_parquet" in (caught.value.hint or "")

    def test_without_h5py(self, written: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as without:
            write(Path("a.h5"), {"X": table(ROW)})
            without.setitem(sys.modules, "h5py", None)
            with pytest.raises(UnreadableFile, match="which needs the extra") as caught:
                opened(Path("a.h5"))
        assert caught.value.hint == "pip install 'mdload[hdf5]'"

    def test_cut_short(self, tmp_path: Path) -> None:
        whole, part = tmp_path / "a.h5", tmp_path / "b.h5"
        write(whole, {"data/X": table(*[ROW] * 1000)})
        data = whole.read_bytes()
        for end in range(5, len(data), 499):
            part.write_bytes(data[:end])
            with pytest.raises(UnreadableFile):
                opened(part)


def test_the_sample_of_hikyuu(samples: Path) -> None:
    reading, frame = opened(samples / "hikyuu/sh_day.h5", 10_000)
    with h5py.File(samples / "hikyuu/sh_day.h5") as file:
        expected = [
            (key, *row) for key in sorted(file["data"]) for row in file["data"][key][:].tolist()
        ]
    assert frame.rows() == expected
    assert reading.rows == len(expected)
    first = frame.row(0, named=True)
    assert (first["key"], first["datetime"], first["openPrice"]) == (
        "SH000001",
        199012190000,
        96050,
    )
    assert (first["highPrice"], first["lowPrice"], first["closePrice"]) == (99980, 95790, 99980)


SECRET = np.array([ROW] * 8, dtype=KIND)


def test_rows_in_other_files_are_not_read(tmp_path: Path) -> None:
    """A file could name any other that this account may read."""
    secret, bars = tmp_path / "secret.bin", tmp_path / "secret.h5"
    secret.write_bytes(SECRET.tobytes())
    write(bars, {"data/SH600000": SECRET})
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset(
            "data/SH600000", (8,), np.dtype(KIND), external=[(str(secret), 0, SECRET.nbytes)]
        )
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((8,), np.dtype(KIND))
        layout[:] = h5py.VirtualSource(str(bars), "data/SH600000", (8,))
        file.create_virtual_dataset("data/SH600000", layout)
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(UnreadableFile, match="the rows of /data/SH600000 are in other files"):
            opened(tmp_path / name)


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "secret.h5", {"data/SH600000": SECRET})
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["whole"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/data")
        file.create_group("data")["SH600000"] = h5py.ExternalLink(
            str(tmp_path / "secret.h5"), "/data/SH600000"
        )
    with pytest.raises(UnreadableFile, match="with tables of bars in no group"):
        opened(tmp_path / "link.h5")
