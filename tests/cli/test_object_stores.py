"""Loads from buckets and the web, by the real executable into a real database."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from tests.conftest import Ran
from tests.support.stores import S3, s3_server, web_server

ROWS = 120_000


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


def bars(symbol: str) -> pl.DataFrame:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    end = start + timedelta(minutes=ROWS - 1)
    return pl.DataFrame(
        {"ts": pl.datetime_range(start, end, "1m", eager=True), "symbol": symbol}
    ).with_columns(
        # Numbers that do not compress: megabytes of them.
        (10 + pl.int_range(pl.len()).hash() / 2.0**64).alias(name)
        for name in ("open", "high", "low", "close")
    )  # fmt: skip


def stored(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT symbol, count(*), sum(close) FROM bars_ohlcv GROUP BY symbol ORDER BY symbol"
        ).fetchall()


def test_a_load_from_s3(
    forked: Callable[..., Ran], database_url: str, s3: S3, tmp_path: Path
) -> None:
    """Parquet by ranges, text as a stream, under one glob; then again, then one that changed."""
    frames = {symbol: bars(symbol) for symbol in ("AAA", "BBB")}
    parquet, text = io.BytesIO(), io.BytesIO()
    frames["AAA"].write_parquet(parquet, row_group_size=50_000)
    frames["BBB"].write_csv(text)
    assert len(parquet.getvalue()) > 1 << 20
    assert len(text.getvalue()) > 8 << 20
    s3.put("dumps/2024/aaa.parquet", parquet.getvalue())
    s3.put("dumps/2024/bbb.csv", text.getvalue())
    command = (
        "--database", database_url, "backfill", "s3://bars/dumps/**", "--provider", "p",
        "--interval", "1m", "--json", "--workers", "2",
    )  # fmt: skip

    def run() -> list[tuple[str, str, int]]:
        ran = forked(*command, env=s3.environment)
        assert ran.code == 0, ran.err
        assert "hunter2" not in ran.out + ran.err
        return [(f["path"], f["state"], f["rows_inserted"]) for f in ran.json()["files"]]

    assert run() == [
        ("s3://bars/dumps/2024/aaa.parquet", "loaded", ROWS),
        ("s3://bars/dumps/2024/bbb.csv", "loaded", ROWS),
    ]
    expected = [(s, ROWS, pytest.approx(f["close"].sum())) for s, f in frames.items()]
    assert stored(database_url) == expected
    assert [state for _, state, _ in run()] == ["known", "known"]
    s3.put("dumps/2024/bbb.csv", text.getvalue() + b"2025-01-01T00:00:00Z,BBB,1,1,1,1\n")
    assert [(state, n) for _, state, n in run()] == [("known", 0), ("loaded", 1)]


def test_an_absent_object(forked: Callable[..., Ran], database_url: str, s3: S3) -> None:
    ran = forked("--database", database_url, "backfill", "s3://bars/absent.csv", env=s3.environment)
    assert ran.code == 3
    assert ran.err.splitlines()[0] == "error: s3://bars/absent.csv does not exist"


def test_inspect_looks_into_an_object(forked: Callable[..., Ran], s3: S3) -> None:
    s3.put("one.csv", b"ts,symbol,open,high,low,close\n2024-01-02T14:30:00Z,MSFT,1,2,0.5,1.5\n")
    ran = forked("inspect", "s3://bars/one.csv", "--interval", "1m", "--provider", "p", "--json",
                 env=s3.environment)  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json()["path"] == "s3://bars/one.csv"


def test_a_signed_url_is_stored_nowhere(forked: Callable[..., Ran], database_url: str) -> None:
    with web_server() as web:
        web.files["/AAA.csv"] = bars("AAA").head(100).write_csv().encode()
        url = f"http://me:hunter2@{web.address}/AAA.csv?X-Amz-Signature=hunter3&apikey=hunter4"
        ran = forked("-v", "--database", database_url, "backfill", url, "--provider", "p",
                     "--interval", "1m", "--json")  # fmt: skip
        assert ran.code == 0, ran.err
    (file,) = ran.json()["files"]
    assert (file["rows_inserted"], file["path"]) == (
        100,
        f"http://{web.address}/AAA.csv?X-Amz-Signature=***&apikey=***",
    )
    assert "hunter" not in ran.out + ran.err
    with psycopg.connect(database_url) as connection:
        for table in ("job_runs", "job_run_files", "bars_rejected", "provider_symbols"):
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t".encode()):
                assert "hunter" not in row
