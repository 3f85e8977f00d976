"""Loads into compressed chunks: chunks left alone, touched, named and compressed again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.results import Counts, LoadResult
from loader.settings import Settings
from loader.store.timescale import recompress
from tests.conftest import Ran, compress, needs_timescale

pytestmark = needs_timescale
T0 = datetime(2020, 1, 2, tzinfo=UTC)  # a Thursday, on which chunks begin
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
Row = tuple[str, datetime, float]


def loaded(url: str, path: Path, rows: list[Row], **given: Any) -> LoadResult:
    full = [("p", s, "1h", ts, x, x, x, x, None, None, None) for s, ts, x in rows]
    pl.DataFrame(full, schema={**SCHEMA}, orient="row").write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, **given), url, sources)


def asked(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql.encode()).fetchall()


def hours(symbols: str, weeks: int, price: float = 10.0) -> list[Row]:
    return [(s, T0 + n * HOUR, price) for s in symbols for n in range(weeks * 7 * 24)]


def uncompressed(url: str) -> dict[datetime, int]:
    """By chunk, how many rows lie beside the compressed ones."""
    chunks = asked(
        url,
        "SELECT range_start, format('%I.%I', chunk_schema, chunk_name)"
        " FROM timescaledb_information.chunks WHERE hypertable_name = 'bars_ohlcv' ORDER BY 1",
    )
    return {start: asked(url, f"SELECT count(*) FROM ONLY {name}")[0][0] for start, name in chunks}


@pytest.fixture
def url(database_url: str, tmp_path: Path) -> str:
    """Four weeks of three symbols, compressed."""
    loaded(database_url, tmp_path / "first.parquet", hours("ABC", 4))
    compress(database_url)
    assert uncompressed(database_url) == {T0 + n * WEEK: 0 for n in range(4)}
    return database_url


def test_a_replay_decompresses_nothing(url: str, tmp_path: Path) -> None:
    sizes = "SELECT sum(pg_total_relation_size(c)) FROM show_chunks('bars_ohlcv') c"
    before = asked(url, sizes)
    result = loaded(url, tmp_path / "2.parquet", hours("ABC", 4))
    assert result.counts == Counts(2016, unchanged=2016)
    assert result.chunks == ()
    assert set(uncompressed(url).values()) == {0}
    assert asked(url, sizes) == before
    assert result.wal_bytes is not None
    assert result.wal_bytes < 64 * 1024


def test_only_batches_with_changes_are_decompressed(url: str, tmp_path: Path) -> None:
    rows = hours("ABC", 4)
    rows[5] = ("A", T0 + 5 * HOUR, 11.0)
    result = loaded(url, tmp_path / "2.parquet", rows)
    assert result.counts == Counts(2016, updated=1, unchanged=2015)
    ((name,),) = asked(url, "SELECT tableoid::regclass::text FROM bars_ohlcv WHERE close = 11")
    assert [(c.chunk, c.first, c.before, c.rows) for c in result.chunks] == [
        (name, T0, T0 + WEEK, 1)
    ]
    # The batch of that symbol and week is now in rows; the other symbols' are not.
    assert list(uncompressed(url).values()) == [7 * 24, 0, 0, 0]
    assert asked(url, "SELECT old_close, new_close FROM bars_ohlcv_revisions") == [(10.0, 11.0)]


def test_more_than_the_servers_limit(url: str, tmp_path: Path) -> None:
    """The limit is lifted for the merge's transaction alone."""
    setting = "timescaledb.max_tuples_decompressed_per_dml_transaction"
    ((name,),) = asked(url, "SELECT current_database()")
    asked_ = f"ALTER DATABASE {name} SET {setting} = 100"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(asked_.encode())
    result = loaded(url, tmp_path / "2.parquet", hours("ABC", 4, 12.0))
    assert result.counts == Counts(2016, updated=2016), result.files[0].error
    assert sum(c.rows for c in result.chunks) == 2016
    assert asked(url, f"SHOW {setting}") == [("100",)]


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "staged"])
def test_old_bars_of_a_new_symbol(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    from loader.ingest.run import LoadMode

    monkeypatch.setattr("loader.ingest.attempts.FIRST_MODE", LoadMode(direct=direct))
    result = loaded(url, tmp_path / "2.parquet", hours("AD", 2), recompress=True)
    assert result.counts == Counts(672, 336, unchanged=336)
    assert [(c.first, c.rows, c.recompressed) for c in result.chunks] == [
        (T0, 168, True),
        (T0 + WEEK, 168, True),
    ]
    assert set(uncompressed(url).values()) == {0}
    assert asked(url, "SELECT symbol, count(*) FROM bars_ohlcv GROUP BY 1 ORDER BY 1") == [
        ("A", 672), ("B", 672), ("C", 672), ("D", 336),
    ]  # fmt: skip


def test_old_chunks_are_compressed_new_ones_left(database_url: str, tmp_path: Path) -> None:
    """Those that the policy would compress: it waits for 90 days."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [*hours("A", 2), ("A", now - 2 * HOUR, 10.0)]
    result = loaded(database_url, tmp_path / "1.parquet", rows, recompress=True)
    assert [c.rows for c in result.chunks] == [168, 168]
    assert list(uncompressed(database_url).values()) == [0, 0, 1]


@pytest.mark.parametrize("order", ["by symbol", "by time"])
def test_compression_follows_a_long_backfill(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """In order of time whatever order the file has: when a chunk is compressed it is complete."""
    monkeypatch.setattr(recompress, "_ROWS", 1_000)
    monkeypatch.setattr("loader.check.unique._LANES", 2)
    compressed: list[tuple[str, int]] = []
    catch_up = recompress.ChunkUpkeep._compressed

    def watched(self: Any, session: Any, chunk: Any) -> bool:
        compressed.append((chunk.chunk, chunk.rows))
        assert max(uncompressed(database_url).values()) <= 2_000
        return catch_up(self, session, chunk)

    monkeypatch.setattr(recompress.ChunkUpkeep, "_compressed", watched)
    rows = hours("ABCD", 12)
    if order == "by time":
        rows.sort(key=lambda row: row[1])
    result = loaded(
        database_url,
        tmp_path / "1.parquet",
        rows,
        recompress=True,
        commit_every=700,
        batch_rows=300,
    )
    assert result.counts == Counts(8064, 8064), result.files[0].error
    assert [rows for _, rows in compressed] == [672] * 12  # each once, whole
    assert set(uncompressed(database_url).values()) == {0}


def test_a_role_that_may_not_compress_loads_all_the_same(url: str, tmp_path: Path) -> None:
    ((name,),) = asked(url, "SELECT current_database()")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mdload_weak') THEN"
            " CREATE ROLE mdload_weak LOGIN; END IF; END $$"
        )
        for grant in ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"):
            connection.execute(f"GRANT {grant} IN SCHEMA public TO mdload_weak".encode())
        connection.execute(f"GRANT TEMPORARY ON DATABASE {name} TO mdload_weak".encode())
    weak = url.replace("postgres@", "mdload_weak@")
    rows = [("A", T0, 11.0), ("E", T0, 10.0)]
    result = loaded(weak, tmp_path / "2.parquet", rows, recompress=True)
    assert result.counts == Counts(2, 1, 1), result.files[0].error
    (chunk,) = result.chunks
    assert not chunk.recompressed
    assert chunk.error is not None
    assert "must be owner of" in chunk.error
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY mdload_weak")


#: Without the maps of visible rows and of free space, 8 kB each, that VACUUM makes.
SIZE = "SELECT sum(pg_relation_size(c) + pg_indexes_size(c)) FROM show_chunks('bars_ohlcv') c"


def test_what_a_load_has_written_beside_is_compressed_when_asked(
    url: str, tmp_path: Path, mdload: Callable[..., Ran]
) -> None:
    before = asked(url, SIZE)
    rows = [(s, ts, x + 1) for s, ts, x in hours("ABC", 3)]
    loaded(url, tmp_path / "2.parquet", rows)
    assert list(uncompressed(url).values()) == [504, 504, 504, 0]
    command = ("--database", url, "timescale")
    status = mdload(*command, "status", "--json").json()
    assert status["partial"] == 3
    assert status["beside"] > 3 * 504 * 50
    assert "3 compressed chunks with" in mdload(*command, "status").out

    ran = mdload(*command, "recompress", "--since", "2020-01-16", "--json")
    assert ran.code == 0, ran.err
    (one,) = ran.json()
    assert (one["first"], one["bytes_after"], one["error"]) == ("2020-01-16T00:00:00Z", 0, None)
    assert list(uncompressed(url).values()) == [504, 504, 0, 0]
    ran = mdload(*command, "recompress")
    assert ran.code == 0, ran.err
    assert "compressed 2 chunks again" in ran.out
    assert asked(url, SIZE) == before
    assert asked(url, "SELECT DISTINCT close FROM bars_ohlcv WHERE ts < '2020-01-23'") == [(11,)]
    assert "nothing to do" in mdload(*command, "recompress").out
    assert mdload(*command, "status", "--json").json()["partial"] == 0


def test_a_load_that_compresses_again_gives_the_disk_back(url: str, tmp_path: Path) -> None:
    before = asked(url, SIZE)
    rows = [(s, ts, x + 1) for s, ts, x in hours("ABC", 4)]
    result = loaded(url, tmp_path / "2.parquet", rows, recompress=True)
    assert [(chunk.recompressed, chunk.error) for chunk in result.chunks] == [(True, None)] * 4
    assert asked(url, SIZE) == before


def test_a_chunk_that_somebody_holds_is_left_and_named(
    url: str, tmp_path: Path, mdload: Callable[..., Ran]
) -> None:
    rows = [(s, ts, x + 1) for s, ts, x in hours("A", 2)]
    loaded(url, tmp_path / "2.parquet", rows)
    with psycopg.connect(url) as other:
        other.execute("SELECT count(*) FROM bars_ohlcv WHERE ts < '2020-01-03'")
        ran = mdload("--database", url, "timescale", "recompress")
        other.rollback()
    assert ran.code == 5, ran.out
    assert "1 chunk could not be compressed again, among them _timescaledb_internal." in ran.err
    assert list(uncompressed(url).values())[1] == 0
