"""Parquet files over which PyArrow takes gigabytes, or ends the process: what they say of their
pages and columns is read before PyArrow is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader.errors import UnreadableFile
from loader.read.formats import read
from loader.read.formats.parquet import thrift
from loader.read.formats.parquet.footer import footer, groups
from loader.read.formats.parquet.pages import pages
from loader.read.sources import find
from tests.conftest import ROOT

#: In Thrift's compact protocol an INT64 column that may have nulls, called x.
OPTIONAL = b"\x15\x04\x25\x02\x18\x01x"
REQUIRED = b"\x15\x04\x25\x00\x18\x01x"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bool], Path]:
    def write(dictionary: bool) -> Path:
        path = tmp_path / "a.parquet"
        pq.write_table(
            pa.table({"x": list(range(100))}), path, use_dictionary=dictionary, compression="none"
        )
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableFile) as caught, find([str(path)]) as [source], read(source) as r:
        list(r)
    return caught.value.fault


def put(path: Path, at: int, new: bytes) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:at] + new + data[at + len(new) :])


def test_a_schema_that_contradicts_the_columns(written: Callable[[bool], Path]) -> None:
    """PyArrow throws where nothing catches it: `terminate called after throwing …`, exit 134."""
    path = written(True)
    data = path.read_bytes()
    assert data.count(OPTIONAL) == 1
    path.write_bytes(data.replace(OPTIONAL, REQUIRED))
    shown = subprocess.run(
        [sys.executable, "-m", "loader", "inspect", path],
        capture_output=True, check=False, cwd=ROOT, text=True,
    )  # fmt: skip
    assert shown.returncode == 3
    assert "a.parquet is damaged or cut short after row 0: Definition level" in shown.stderr


@pytest.mark.parametrize(
    ("dictionary", "header", "fault"),
    [
        (False, b"\xff\xff\xff\xff", "has a page at byte 4 that cannot be read"),
        # A list of 2^28 booleans, one of 2^35 structs.
        (False, b"\x19\xf1\xff\xff\xff\x7f", "has a page at byte 4 that does not end"),
        (False, b"\x19\xfc\xff\xff\xff\xff\x7f", "has a page at byte 4 that does not end"),
        # Type 0, 1 byte unpacked, -1 bytes packed; 2^27 bytes packed.
        (False, b"\x15\x00\x15\x02\x15\x01\x00", "has a page at byte 4 that is larger than its"),
        (False, b"\x15\x00\x15\x02\x15\x80\x80\x80\x80\x01\x00", "that is larger than its place"),
        # A dictionary of 2^20 words in 800 bytes.
        (True, b"\x15\x04\x15\xc0\x0c\x15\xc0\x0c\x4c\x15\x80\x80\x80\x01\x00\x00",
         "has a dictionary of 1,048,576 words in 800 bytes"),
    ],
)  # fmt: skip
def test_headers_of_pages(
    written: Callable[[bool], Path], dictionary: bool, header: bytes, fault: str
) -> None:
    path = written(dictionary)
    put(path, 4, header)
    said = refusal(path)
    assert said.startswith("is damaged or cut short: column 'x' in row group 1 has a ")
    assert fault in said


def test_a_dictionary_behind_the_first_page(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"x": list(range(4000))}), path, use_dictionary=False, compression="none",
        data_page_size=8000,
    )  # fmt: skip
    file = pa.OSFile(str(path))
    [group] = groups(footer(file), 1, "a")
    first, second, *_ = pages(file, group.chunks[0])
    put(path, first.start + first.packed, b"\x15\x04")  # the type of the second page
    assert second.values > 0
    assert refusal(path) == (
        "is damaged or cut short: column 'x' in row group 1 has a dictionary behind its first page"
    )


def test_what_the_footer_says(tmp_path: Path) -> None:
    """Against PyArrow's own words, for a file that is whole."""
    path = tmp_path / "a.parquet"
    table = pa.table({"x": [1, 2, None] * 50, "s": ["A", "B", "B"] * 50, "l": [[1], [], [2]] * 50})
    pq.write_table(table, path, row_group_size=100, use_dictionary=["s"], compression="zstd")
    file, said = pa.OSFile(str(path)), pq.read_metadata(path)
    read_here = groups(footer(file), 3, "a")
    assert [group.rows for group in read_here] == [100, 50]
    for number, group in enumerate(read_here):
        for at, chunk in enumerate(group.chunks):
            other = said.row_group(number).column(at)
            start = other.dictionary_page_offset or other.data_page_offset
            assert (chunk.values, chunk.packed, chunk.unpacked, chunk.start, chunk.codec) == (
                other.num_values, other.total_compressed_size, other.total_uncompressed_size,
                start, "zstd",
            )  # fmt: skip
            found = list(pages(file, chunk))
            assert sum(page.values for page in found if not page.is_dictionary) == chunk.values
            assert [page.is_dictionary for page in found] == [True, False][at != 1 :]


@pytest.mark.parametrize(
    "data",
    [
        b"\x1c" * 40,  # structs in structs
        b"\x19\x19" * 40,  # lists in lists
        b"\x15" + b"\xff" * 12,  # a number without an end
        b"\x1b\x00",  # a map
        b"\x15\x02\x00",  # a number where a struct is to be
    ],
)
def test_what_is_no_struct(data: bytes) -> None:
    with pytest.raises(thrift.Strange):
        thrift.struct(data, 0, {1: {}} if data[0] == 0x15 and data[1] == 2 else {})


def test_values_that_are_passed_over() -> None:
    """true, a byte, a double, bytes, a set of two booleans, a struct; then a number at field 9."""
    data = (
        b"\x11" b"\x13\x07" b"\x17" + bytes(8) + b"\x18\x02ab" b"\x1a\x21\x01\x02"
        b"\x1c\x15\x02\x00" b"\x36\x54\x00rest"
    )  # fmt: skip
    assert thrift.struct(data, 0, {}) == ({9: 42}, len(data) - 4)
