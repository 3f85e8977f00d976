"""Compressed, archived, damaged, empty and foreign files, through the one way in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from loader.errors import UnreadableFile
from loader.read.formats import read
from loader.read.sources import find

TEXT = b"Date,Open,High\n2024-01-02,1,2\n2024-01-03,3,4\n"
ROWS = [("2024-01-02", "1", "2"), ("2024-01-03", "3", "4")]


def zstd(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


def ipc_stream(numbers: list[int]) -> bytes:
    table, out = pa.table({"n": numbers}), pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return out.getvalue().to_pybytes()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstd,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}
compressions = pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)


@pytest.fixture
def rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bytes], list[tuple[object, ...]]]:
    """All rows of a file with this content and a name that says nothing."""
    monkeypatch.chdir(tmp_path)

    def of(data: bytes) -> list[tuple[object, ...]]:
        Path("file").write_bytes(data)
        with find(["file"]) as [source], read(source) as reading:
            return [row for batch in reading for row in batch.frame.rows()]

    return of


Reader = Callable[[bytes], list[tuple[object, ...]]]


def refusal(rows: Reader, data: bytes) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        rows(data)
    return caught.value


class TestCompressed:
    @compressions
    def test_by_content_not_by_name(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        assert rows(compress(TEXT)) == ROWS

    @compressions
    def test_several_streams_one_after_the_other(
        self, rows: Reader, compress: Callable[[bytes], bytes]
    ) -> None:
        assert rows(compress(TEXT[:25]) + compress(TEXT[25:])) == ROWS

    @compressions
    def test_inside_a_zip(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        assert rows(zipped({"a.csv.x": compress(TEXT)})) == ROWS

    @compressions
    def test_cut_short(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        data = compress(os.urandom(50_000).hex().encode() + b",1\n" + TEXT)
        error = refusal(rows, data[: len(data) // 2])
        assert str(error).startswith("file ends in the middle")
        assert str(error).endswith("its compressed data is cut short")
        assert error.hint == "it was not copied or downloaded to the end: get it again"

    @compressions
    def test_damaged(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        data = bytearray(compress(b"Date,Open\n" + b"2024-01-02,1\n" * 10_000))
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        assert str(refusal(rows, bytes(data))).startswith(("file is damaged", "file ends in"))

    @compressions
    @pytest.mark.parametrize("rest", [b"x", b"Date,Open,High\n", b"\0x"])
    def test_what_follows_is_no_stream(
        self, rows: Reader, compress: Callable[[bytes], bytes], rest: bytes
    ) -> None:
        """Whether it follows at once or megabytes later: nothing is dropped in silence."""
        assert "file is damaged" in str(refusal(rows, compress(TEXT) + rest))
        long = b"Date,Open\n" + b"2024-01-02,1\n" * 300_000
        assert "file is damaged" in str(refusal(rows, compress(long) + rest))

    @compressions
    def test_a_second_stream_that_is_damaged(
        self, rows: Reader, compress: Callable[[bytes], bytes]
    ) -> None:
        one, other = compress(TEXT[:25]), bytearray(compress(TEXT[25:]))
        other[0] ^= 0x20
        assert "file is damaged" in str(refusal(rows, one + other))
        other[0] ^= 0x20
        del other[-3:]
        assert "is cut short" in str(refusal(rows, one + other))

    @pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "lzma"])
    def test_zeros_pad_streams(self, rows: Reader, kind: str) -> None:
        compress = COMPRESSIONS[kind]
        padded = compress(TEXT[:25]) + bytes(4) + compress(TEXT[25:]) + bytes(200_000)
        assert rows(padded) == ROWS

    @compressions
    def test_of_nothing(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        assert rows(compress(b"")) == []

    def test_twice(self, rows: Reader) -> None:
        assert rows(gzip.compress(bz2.compress(TEXT))) == ROWS

    def test_a_bomb_is_not_unpacked_for_ever(self, rows: Reader) -> None:
        data = TEXT
        for _ in range(10):
            data = gzip.compress(data)
        assert "is not a table" in str(refusal(rows, data))

    @compressions
    def test_json_inside(self, rows: Reader, compress: Callable[[bytes], bytes]) -> None:
        assert rows(compress(b'{"t": 1, "o": 2}\n{"t": 2, "o": 3}\n')) == [("1", "2"), ("2", "3")]
        assert rows(compress(b"\xef\xbb\xbf[[17, 0.10], [18, 0.2]]")) == [
            ("17", "0.10"), ("18", "0.2"),
        ]  # fmt: skip

    def test_parquet_inside(self, rows: Reader) -> None:
        out = io.BytesIO()
        pl.DataFrame({"a": [1, 2]}).write_parquet(out)
        assert rows(gzip.compress(out.getvalue())) == [(1,), (2,)]
        assert rows(zipped({"a.parquet": out.getvalue()})) == [(1,), (2,)]


class TestWhole:
    """All that a container states is read, and nothing follows it."""

    def test_an_arrow_stream_that_ends_between_two_batches(self, rows: Reader) -> None:
        data = ipc_stream([1, 2, 3])
        assert rows(data) == [(1,), (2,), (3,)]
        assert "a mark, and this one does not" in str(refusal(rows, data[:-8]))

    @pytest.mark.parametrize("rest", [b"x", ipc_stream([4])], ids=["junk", "a stream"])
    def test_what_follows_an_arrow_stream(self, rows: Reader, rest: bytes) -> None:
        data = ipc_stream([1, 2, 3]) + rest
        words = "file goes on after the end of its Arrow stream"
        assert str(refusal(rows, data)) == words
        assert str(refusal(rows, gzip.compress(data))) == words

    @pytest.mark.parametrize("said", [0, 999, 1001])
    def test_parquet_that_says_another_number_of_rows(self, rows: Reader, said: int) -> None:
        out = io.BytesIO()
        pl.DataFrame({"n": range(1000)}).write_parquet(out, row_group_size=300, use_pyarrow=True)
        data = out.getvalue()
        start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        # In the footer the rows of the whole come first: field 3, zigzag and 7 bits a byte.
        at = data.index(b"\x16\xd0\x0f", start)
        low, high = said * 2 & 0x7F | 0x80, said * 2 >> 7
        assert rows(data) == [(n,) for n in range(1000)]
        changed = data[:at] + bytes([0x16, low, high]) + data[at + 3 :]
        assert f"says that it has {said:,} rows, and 1,000 can be read" in str(
            refusal(rows, changed)
        )


class TestControlCharacters:
    """The first bytes decide what a file is; what stands later is held to the same."""

    LINE = b"2024-01-02,1,2\n"

    @pytest.mark.parametrize("code", [0, 1, 8, 0x0E, 0x1F])
    @pytest.mark.parametrize("lines", [5, 20_000, 400_000], ids=["head", "300 KB", "6 MB"])
    @pytest.mark.parametrize("quote", [b"", b'"'], ids=["plain", "quoted"])
    def test_are_refused_wherever_they_stand(
        self, rows: Reader, code: int, lines: int, quote: bytes
    ) -> None:
        bad = b"2024-01-02,%s1%c%s,2\n" % (quote, code, quote)
        data = b"Date,Open,High\n" + self.LINE * lines + bad + self.LINE * 3
        message = str(refusal(rows, data))
        if lines > 5:
            at = 15 + 15 * lines + bad.index(b"1%c" % code) + 2
            assert message == (
                f"file is damaged in row {lines + 1:,}: byte {at:,} is 0x{code:02x}, "
                "which no text has"
            )

    def test_a_block_of_nulls_swallows_no_row(self, rows: Reader) -> None:
        data = b"Date,Open,High\n" + self.LINE * 30_000 + bytes(4096) + self.LINE * 10
        assert "file is damaged in row 30,001: byte 450,016 is 0x00" in str(refusal(rows, data))
        assert "0x00" in str(refusal(rows, gzip.compress(data)))
        assert "0x00" in str(refusal(rows, b"\xff\xfe" + data.decode().encode("utf-16-le")))


class TestArchived:
    def test_a_member(self, rows: Reader) -> None:
        assert rows(zipped({"a.csv": TEXT})) == ROWS

    def test_the_place_of_a_row_names_the_member(self, tmp_path: Path) -> None:
        path = tmp_path / "d.zip"
        path.write_bytes(zipped({"a.csv": TEXT}))
        with find([str(path)]) as [source], read(source, 1) as reading:
            places = [(b.location.source, b.location.start_row) for b in reading]
        assert places == [(f"{path}!a.csv", 1), (f"{path}!a.csv", 2)]

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (zipped({}), "file is an empty zip archive"),
            (zipped({"a.csv": TEXT})[:-30], "file is a damaged zip archive"),
            (
                zipped({"a.csv": TEXT}).replace(b"\x14\x00", b"\xff\x00"),
                "damaged zip archive: zip file ver",
            ),
            (zipped({"[Content_Types].xml": b""}), "file is an Excel or other office document"),
            (zipped({"a.zip": zipped({"a.csv": TEXT})}), "a zip archive inside another archive"),
        ],
        ids=["empty", "cut", "version", "excel", "nested"],
    )
    def test_what_cannot_be_opened(self, rows: Reader, data: bytes, words: str) -> None:
        assert words in str(refusal(rows, data))

    def test_two_members_of_one_name(self, rows: Reader) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a.csv", TEXT)
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("a.csv", TEXT)
        assert str(refusal(rows, out.getvalue())) == "file holds 2 members called 'a.csv'"

    def test_a_member_that_is_cut_short(self, rows: Reader) -> None:
        data = zipped({"a.csv": b"Date,Open\n" + os.urandom(20_000).hex().encode()})
        at = data.index(b"PK\x01\x02")
        assert "file!a.csv" in str(refusal(rows, data[:100] + bytes(at - 100) + data[at:]))


class TestForeign:
    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"%PDF-1.7\n1 0 obj << /Type /Catalog >>\n", "a PDF document"),
            (b"%PDF-1.7\n\x00\x01", "a PDF document"),
            (b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n", "a web page or XML"),
            (b"\n <html><head><title>a,b</title></head>\n", "a web page or XML"),
            (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "a web page or XML"),
            (b"\x7fELF\x02\x01\x01\x00", "a program"),
            (b"MZ\x90\x00\x03", "a Windows program"),
            (b"#!/bin/sh\necho a,b\necho c,d\n", "a script"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
            (b"SQLite format 3\x00", "an SQLite database"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old Excel"),
            (b"PARE\x00\x00", "an encrypted Parquet file"),
            (b"a.csv".ljust(257, b"\x00") + b"ustar\x00", "a tar archive"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
            (b"\x01\x02\x03\x04", "binary data of a kind that mdload does not know"),
            (b"Date,Open\n2024-01-02,1\n\x00\x00\x00", "binary data of a kind"),
        ],
    )
    def test_it_says_what_it_looks_like(self, rows: Reader, data: bytes, kind: str) -> None:
        error = refusal(rows, data)
        assert str(error).startswith(f"file is not a table: it looks like {kind}")
        assert ("ask the provider" if kind == "a web page or XML" else "Parquet") in str(error.hint)

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"FEA1\x00\x00", "Feather version 1"),
        ],
    )
    def test_it_names_what_is_not_read_yet(self, rows: Reader, data: bytes, kind: str) -> None:
        assert str(refusal(rows, data)) == f"file is {kind}, which mdload does not read yet"

    @pytest.mark.parametrize(
        "first", ["ORCL", "PAR1", "DBN", "MZ", "Rar!", "FEA1", "BZh9", "[Date]", "<DATE>"]
    )
    def test_a_ticker_is_no_magic_number(self, rows: Reader, first: str) -> None:
        data = f"{first},2024-01-02,1\n{first},2024-01-03,2\n".encode()
        assert (first, "2024-01-03", "2") in rows(data)


class TestLeavingEarly:
    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    @pytest.mark.parametrize(
        "kind", ["csv", "gz", "zst", "zip", "zip of parquet", "parquet", "feather"]
    )
    def test_lets_go_of_files_and_threads(self, tmp_path: Path, kind: str) -> None:
        frame = pl.select(a=pl.int_range(5000), b=pl.int_range(5000).cast(pl.String))
        parquet, feather = io.BytesIO(), io.BytesIO()
        frame.write_parquet(parquet, row_group_size=500)
        frame.write_ipc(feather, record_batch_size=500)
        csv = frame.write_csv().encode()
        path = tmp_path / "file"
        path.write_bytes(
            {
                "csv": csv,
                "gz": gzip.compress(csv),
                "zst": zstd(csv),
                "zip": zipped({"a.csv": csv}),
                "zip of parquet": zipped({"a.parquet": parquet.getvalue()}),
                "parquet": parquet.getvalue(),
                "feather": feather.getvalue(),
            }[kind]
        )
        threads, before = set(threading.enumerate()), descriptors()
        with find([str(path)]) as [source], read(source, 100) as reading:
            assert next(iter(reading)).frame.height == 100
            assert descriptors() - before
        assert descriptors() - before == set()
        assert set(threading.enumerate()) - threads == set()


def descriptors() -> set[tuple[str, str]]:
    """Open file descriptors, and where each leads."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add((each.name, os.readlink(each)))
    return found


MEASURED = """
    import sys
    from loader.read.formats import read
    from loader.read.sources import find

    for pattern in sys.argv[1:]:
        with find([pattern]) as [source], read(source, 20_000) as reading:
            rows = sum(batch.frame.height for batch in reading)
        status = dict(line.split(":") for line in open("/proc/self/status"))
        print(rows, int(status["VmHWM"].removesuffix("kB\\n")) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("kind", ["csv.gz", "parquet", "ndjson", "json"])
def test_memory_stays_flat(tmp_path: Path, kind: str) -> None:
    """A file four times as long takes no more: neither a text nor a row group is held whole."""
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    for path, rows in ((small, 500_000), (large, 2_000_000)):
        frame = pl.select(n=pl.int_range(rows), x=pl.int_range(rows).hash(), c=pl.lit(1.5))
        if kind == "parquet":
            frame.write_parquet(path, row_group_size=rows, compression="uncompressed")
        elif kind == "ndjson":
            frame.write_ndjson(path)
        elif kind == "json":
            frame.write_json(path)
        else:
            with gzip.open(path, "wb", compresslevel=1) as file:
                frame.write_csv(file)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURED), str(small), str(large)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (rows_small, peak_small), (rows_large, peak_large) = (
        map(int, line.split()) for line in run.stdout.splitlines()
    )
    assert (rows_small, rows_large) == (500_000, 2_000_000)
    assert peak_large - peak_small < 45  # MB, where the large file has 50 and its frame more
