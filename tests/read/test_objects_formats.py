"""The bytes of objects and the readers' results, on an S3 server of the test's own."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile

import polars as pl
import pytest

from loader.errors import NotThere, Unfinished
from loader.read.formats import read
from loader.read.objects import buckets
from loader.read.objects.path import BLOCK
from loader.read.sources import content_hash, find, open_source
from tests.support.stores import S3

CSV = b"ts,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n"


class TestBytes:
    def test_an_object_of_many_blocks(self, s3: S3) -> None:
        body = random.Random(1).randbytes(30 << 20)
        s3.put("big.csv", body)
        with find(["s3://bars/big.csv"]) as [source]:
            assert content_hash(source) == "sha256:" + hashlib.sha256(body).hexdigest()
            with source.path.open("rb") as file:
                for start, size in ((20 << 20, 9 << 20), (5, 100), (0, 12 << 20), (30 << 20, 1)):
                    assert file.seek(start) == start
                    assert file.read(size) == body[start : start + size]
            with source.path.open("rb", buffering=0) as file:
                file.seek(-7, io.SEEK_END)
                assert file.read(100) == body[-7:]

    def test_an_empty_object(self, s3: S3) -> None:
        s3.put("empty.csv", b"")
        with find(["s3://bars/empty.csv"]) as [source], open_source(source) as stream:
            assert stream.read() == b""

    def test_one_that_is_replaced_meanwhile(self, s3: S3) -> None:
        s3.put("moving.csv", b"1" * 100)
        with find(["s3://bars/moving.csv"]) as [source]:
            s3.put("moving.csv", b"2" * 100)
            with pytest.raises(Unfinished, match=r"moving\.csv was replaced while"):
                content_hash(source)

    def test_one_that_goes_away(self, s3: S3) -> None:
        s3.put("gone.csv", CSV)
        with find(["s3://bars/gone.csv"]) as [source]:
            s3.client.delete_object(Bucket="bars", Key="gone.csv")
            with pytest.raises(NotThere, match=r"s3://bars/gone\.csv does not exist"):
                source.path.stat()


class TestFormats:
    """Each comes out as from a file."""

    FRAME = pl.DataFrame({
        "ts": pl.datetime_range(
            pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1, 6), "1s", eager=True
        ),
    }).with_columns(open=pl.int_range(pl.len()) * 0.5)  # fmt: skip

    def rows(self, name: str) -> pl.DataFrame:
        with find([f"s3://bars/{name}"]) as [source], read(source, 5_000) as reading:
            return pl.concat([batch.frame for batch in reading])

    def test_parquet_is_asked_for_its_pages_only(
        self, s3: S3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        buffer = io.BytesIO()
        wide = [pl.int_range(pl.len()).hash(n).alias(f"c{n}") for n in range(20)]
        self.FRAME.with_columns(wide).write_parquet(buffer, row_group_size=5_000)
        s3.put("f.parquet", buffer.getvalue())
        got: list[int] = []
        fetch = buckets.Bucket.fetch

        def counted(self: buckets.Bucket, key: str, start: int, end: int, tag: str) -> bytes:
            got.append(end - start)
            return fetch(self, key, start, end, tag)

        monkeypatch.setattr(buckets.Bucket, "fetch", counted)
        assert self.rows("f.parquet").select("ts", "open").equals(self.FRAME)
        size = len(buffer.getvalue())
        assert size > 2 << 20
        assert sum(got) < size + min(size, BLOCK) + (1 << 20)  # the first look, and all once

    def test_arrow_is_copied(self, s3: S3) -> None:
        buffer = io.BytesIO()
        self.FRAME.write_ipc(buffer)
        s3.put("f.arrow", buffer.getvalue())
        assert self.rows("f.arrow").equals(self.FRAME)

    @pytest.mark.parametrize("compression", ["uncompressed", "gzip", "zstd"])
    def test_text(self, s3: S3, compression: str) -> None:
        buffer = io.BytesIO()
        self.FRAME.write_csv(buffer, compression=compression, check_extension=False)  # type: ignore[call-arg]
        s3.put("f.csv", buffer.getvalue())
        assert self.rows("f.csv")["open"].cast(pl.Float64).equals(self.FRAME["open"])

    def test_lines_of_json(self, s3: S3) -> None:
        s3.put("f.ndjson", self.FRAME.write_ndjson().encode())
        assert self.rows("f.ndjson").height == self.FRAME.height

    def test_members_of_a_zip_archive(self, s3: S3) -> None:
        buffer = io.BytesIO()
        parquet = io.BytesIO()
        self.FRAME.write_parquet(parquet)
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("b/MSFT.csv", CSV)
            archive.writestr("AAPL.parquet", parquet.getvalue())
        s3.put("dump.zip", buffer.getvalue())
        with find(["s3://bars/dump.zip"]) as [parquet_, csv]:
            assert parquet_.name == "s3://bars/dump.zip!AAPL.parquet"
            assert csv.name == "s3://bars/dump.zip!b/MSFT.csv"
            with read(parquet_) as reading:
                assert pl.concat([batch.frame for batch in reading]).equals(self.FRAME)
            with open_source(csv) as stream:
                assert stream.read() == CSV
