"""Stored bars read back in stretches: whatever lies there, each row is judged by its own key."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.check.unique import UniqueBatch
from loader.check.validate import CheckedBatch
from loader.errors import UnreadableFile
from loader.ingest import pieces
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import Counts, LoadResult
from loader.settings import Settings
from loader.store import packed
from loader.store.compare import reader
from tests.conftest import CITUS, compress, pieces_of

T0 = datetime(2000, 1, 1, tzinfo=UTC)
Row = tuple[str, str, datetime, float]


def loaded(url: str, path: Path, rows: list[Row], **given: Any) -> LoadResult:
    """`rows` are symbol, interval, ts, price."""
    full = [("p", s, i, ts, x, x, x, x, None, None, None) for s, i, ts, x in rows]
    pl.DataFrame(full, schema={**SCHEMA}, orient="row").write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, **given), url, sources)


def prices(url: str) -> dict[tuple[str, str, datetime], float]:
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute('SELECT symbol, "interval", ts, close FROM bars_ohlcv')
        return {(s, i, ts): x for s, i, ts, x in found.fetchall()}


def expected(before: list[Row], rows: list[Row]) -> Counts:
    known = {row[:3]: row[3] for row in before}
    alike = sum(known.get(row[:3]) == row[3] for row in rows)
    new = sum(row[:3] not in known for row in rows)
    return Counts(len(rows), new, len(rows) - alike - new, alike)


def check(url: str, tmp_path: Path, before: list[Row], rows: list[Row], **given: Any) -> None:
    first = loaded(url, tmp_path / "1.parquet", before, **given)
    assert first.counts == Counts(len(before), len(before)), first.files[0].error
    compress(url)
    second = loaded(url, tmp_path / "2.parquet", rows, **given)
    assert second.counts == expected(before, rows), second.files[0].error
    assert prices(url) == {row[:3]: row[3] for row in before + rows}


@pytest.mark.parametrize(("gap", "read"), [(0, 2), (3, 7), (64, 60_000)])
@pytest.mark.parametrize("batch_rows", [11, 1_000])
@pytest.mark.parametrize("scattered", [0.0, 1 / 8, 2.0])
def test_stretches_and_groups_of_any_size(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gap: int,
    read: int,
    batch_rows: int,
    scattered: float,
) -> None:
    """Scattered minutes, of which the file has some and the store others, off the grid too."""
    monkeypatch.setattr(packed, "_GAP_BARS", gap)
    monkeypatch.setattr(packed, "_READ_ROWS", read)
    monkeypatch.setattr(packed, "_SCATTERED", scattered)
    seed = random.Random(f"{gap} {read} {batch_rows}")
    stamps = [
        (symbol, "1m", T0 + timedelta(seconds=60 * minute, microseconds=off))
        for symbol in ("A", "B", "C")
        for minute in sorted(seed.sample(range(400), 60))
        for off in (0, 1)
    ]
    before = [(*key, 10.0) for key in stamps if seed.random() < 0.6]
    rows = [(*key, seed.choice([10.0, 11.0])) for key in stamps if seed.random() < 0.6]
    check(database_url, tmp_path, before, rows, check_grid=False, batch_rows=batch_rows)


def test_a_store_denser_than_its_interval_says(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hourly bars at every second: far more come back than there are rows in the file."""
    monkeypatch.setattr(packed, "_READ_ROWS", 100)
    before = [("A", "1h", T0 + timedelta(seconds=n), 10.0) for n in range(3 * 3600)]
    rows = [("A", "1h", T0 + timedelta(seconds=n), 11.0) for n in (0, 1, 1800, 7200, 10_799)]
    rows.append(("A", "1h", T0 + timedelta(seconds=1800, microseconds=1), 11.0))
    check(database_url, tmp_path, before, rows, check_grid=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each piece whether its series were taken apart."""
    found: list[bool] = []

    def noted(rows: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
        found.append(not series["whole"].all())
        return packed.stretches(rows, series)

    monkeypatch.setattr(reader, "stretches", noted)
    return found


@pytest.mark.parametrize("hours", [range(24), range(14, 20)], ids=["all hours", "the same hours"])
def test_a_store_and_a_file_of_the_hours_of_an_exchange(
    database_url: str, tmp_path: Path, asked: list[bool], hours: range
) -> None:
    """The days are read apart where the store has the nights too."""
    minutes = [T0 + timedelta(minutes=n) for n in range(5 * 1440)]
    before = [("A", "1m", ts, 10.0) for ts in minutes if ts.hour in hours]
    rows = [("A", "1m", ts, 10.0 + (ts.minute == 7)) for ts in minutes if 14 <= ts.hour < 20]
    check(database_url, tmp_path, before, rows, batch_rows=pieces_of(400))
    # A cluster looks for stored bars of the first file, too: it asks for their ends with them.
    assert asked[bool(CITUS) :] == [len(hours) == 24] * 5


def test_a_store_that_turns_out_to_be_denser(
    database_url: str, tmp_path: Path, asked: list[bool]
) -> None:
    """Its first series says nothing of the others."""
    minutes = [T0 + timedelta(minutes=n) for n in range(2 * 1440)]
    open_ = [ts for ts in minutes if 14 <= ts.hour < 20]
    before = [("A", "1m", ts, 10.0) for ts in open_]
    before += [(f"B{n}", "1m", ts, 10.0) for n in range(9) for ts in minutes]
    rows = [(row[0], *row[1:3], 11.0) for row in before if row[2] in set(open_)]
    check(database_url, tmp_path, before, rows, batch_rows=720)
    assert (asked[0], asked[-1]) == (False, True)


@pytest.mark.parametrize(("apart", "expected"), [(False, 1), (True, 5)])
def test_days_are_read_together_unless_the_store_is_known_to_be_denser(
    *, apart: bool, expected: int
) -> None:
    times = [T0 + timedelta(days=day, minutes=n) for day in range(5) for n in range(390)]
    rows = pl.DataFrame({"sid": 0, "ts": times}, schema={"sid": pl.Int32, "ts": SCHEMA["ts"]})
    series = pl.DataFrame(
        {"sid": 0, "provider": "p", "symbol": "A", "interval": "1m", "lo": times[0],
         "hi": times[-1], "rows": len(times)},
        schema_overrides={"sid": pl.Int32, "lo": SCHEMA["ts"], "hi": SCHEMA["ts"]},
    )  # fmt: skip
    found = packed.stretches(rows, series.with_columns(whole=pl.lit(not apart)))
    assert found["rows"].to_list() == [1950 // expected] * expected
    assert found["most"].to_list() == [1950 // expected] * expected
    assert found.select(pl.col("lo").min(), pl.col("hi").max()).row(0) == (times[0], times[-1])


@pytest.mark.parametrize("interval", ["1mo", "3mo", "1y", "1w", "3d"])
def test_long_intervals(database_url: str, tmp_path: Path, interval: str) -> None:
    """Two centuries of them, as calendars have them, with a gap of fifty years."""
    months = {"1mo": 1, "3mo": 3, "1y": 12}.get(interval)
    if months:
        dates = [
            datetime(year, month, 1, tzinfo=UTC)
            for year in (*range(1900, 1940), *range(1990, 2100))
            for month in range(1, 13, months)
        ]
    else:
        step = timedelta(days={"1w": 7, "3d": 3}[interval])
        dates = [datetime(1900, 1, 1, tzinfo=UTC) + n * step for n in range(500)]
        dates += [datetime(2090, 1, 2, tzinfo=UTC) + n * step for n in range(500)]
    before = [("A", interval, ts, 10.0) for ts in dates if ts.toordinal() % 3]
    rows = [("A", interval, ts, 10.0 + ts.toordinal() % 2) for ts in dates]
    check(database_url, tmp_path, before, rows)


def test_the_first_and_the_last_instant_that_a_bar_can_have(
    database_url: str, tmp_path: Path
) -> None:
    first = datetime(1900, 1, 1, tzinfo=UTC)
    last = datetime(2100, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    before = [("A", "1s", first, 10.0), ("A", "1s", last, 10.0)]
    rows = [("A", "1s", first, 11.0), ("A", "1s", T0, 11.0), ("A", "1s", last, 11.0)]
    check(database_url, tmp_path, before, rows, check_grid=False)


def test_thousands_of_symbols(database_url: str, tmp_path: Path) -> None:
    """A day of all of a market: every row is a series of its own, and so is every stretch."""
    days = [T0 + timedelta(days=n) for n in range(3)]
    symbols = [f"S{n:05}" for n in range(4_000)]
    before = [(s, "1d", ts, 10.0) for ts in days[:2] for s in symbols[::2]]
    rows = [(s, "1d", ts, 10.0 + (n % 3 == 0)) for ts in days for n, s in enumerate(symbols)]
    check(database_url, tmp_path, before, rows, batch_rows=3_000)


def test_a_file_that_fails_while_stored_bars_are_read(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own error comes out after the pieces before it, with their stored bars."""
    rows = [("A", "1m", T0 + timedelta(minutes=n), 10.0) for n in range(200)]
    loaded(database_url, tmp_path / "1.parquet", rows)
    read, in_order = reader.StoredReader._read, pieces.in_order

    def slowly(*args: Any) -> list[pl.DataFrame]:
        time.sleep(0.05)
        return read(*args)

    def damaged(pieces: Iterable[CheckedBatch]) -> Generator[UniqueBatch, None, None]:
        yield from islice(in_order(pieces), 5)
        raise UnreadableFile("the file is damaged after row 50")

    monkeypatch.setattr(packed, "_READ_ROWS", 2)
    monkeypatch.setattr(reader.StoredReader, "_read", slowly)
    monkeypatch.setattr(pieces, "in_order", damaged)
    result = loaded(database_url, tmp_path / "2.parquet", rows, batch_rows=10)
    assert result.files[0].error == "the file is damaged after row 50"
    assert rows_of_run(database_url) == [(200,), (0,)]


def rows_of_run(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT rows_read FROM job_runs ORDER BY id").fetchall()
