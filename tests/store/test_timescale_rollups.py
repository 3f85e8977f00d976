"""A plain table made a hypertable, and bars of longer intervals out of shorter ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from loader.bars import SCHEMA
from loader.ingest.pipeline import load
from loader.read.sources import find
from loader.settings import Settings
from loader.store import schema
from tests.conftest import Ran, compress, database, needs_timescale

pytestmark = needs_timescale
Mdload = Callable[..., Ran]
T0 = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
#: Minute, open, high, low, close, volume, vwap, trades: two buckets of five minutes, a gap between.
BARS = [
    (0, 10.0, 12.0, 9.0, 11.0, 100.0, 10.5, 3),
    (1, 11.0, 15.0, 10.0, 14.0, 300.0, 12.5, 5),
    (4, 14.0, 14.0, 8.0, 9.0, None, None, None),
    (12, 9.0, 9.5, 9.0, 9.5, 50.0, 9.25, 1),
]
FIVE = [
    (T0, 10.0, 15.0, 8.0, 9.0, 400.0, (100 * 10.5 + 300 * 12.5) / 400, 8, 3),
    (T0 + 10 * MINUTE, 9.0, 9.5, 9.0, 9.5, 50.0, 9.25, 1, 1),
]


def loaded(url: str, path: Path, bars: list[tuple[Any, ...]], interval: str = "1m") -> None:
    rows = [("p", "A", interval, T0 + n * MINUTE, *values) for n, *values in bars]
    pl.DataFrame(rows, schema={**SCHEMA}, orient="row").write_parquet(path)
    with find([str(path)]) as sources:
        result = load(Settings(force=True), url, sources)
    assert result.status == "success", result.files[0].error


def asked(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql.encode()).fetchall()


ROLLUP = (
    "SELECT ts, open, high, low, close, volume, vwap, trade_count, bars FROM bars_5m_of_1m"
    " ORDER BY ts"
)


def test_rollups_are_bars_and_follow_loads(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    loaded(database_url, tmp_path / "1.parquet", BARS)
    compress(database_url)
    ran = mdload("--database", database_url, "timescale", "rollup", "1m", "5m,1d", "--json")
    assert ran.code == 0, ran.err
    assert [(r["name"], r["created"]) for r in ran.json()] == [
        ("bars_5m_of_1m", True),
        ("bars_1d_of_1m", True),
    ]
    assert asked(database_url, ROLLUP) == FIVE
    day = datetime(2024, 3, 4, tzinfo=UTC)
    kept = "SELECT provider, symbol, interval, ts, open, close, volume FROM bars_1d_of_1m"
    assert asked(database_url, kept) == [("p", "A", "1d", day, 10.0, 9.5, 450.0)]

    restated = [(4, 14.0, 16.0, 7.0, 9.5, 10.0, 9.0, 1)]
    loaded(database_url, tmp_path / "2.parquet", restated)
    assert asked(database_url, ROLLUP)[0] == (
        T0, 10.0, 16.0, 7.0, 9.5, 410.0, (100 * 10.5 + 300 * 12.5 + 10 * 9) / 410, 9, 3,
    )  # fmt: skip
    assert asked(database_url, kept)[0][5:] == (9.5, 460.0)

    again = mdload("--database", database_url, "timescale", "rollup", "1m", "5m", "--json")
    assert [(r["name"], r["created"]) for r in again.json()] == [("bars_5m_of_1m", False)]


@pytest.mark.parametrize("to", ["90s", "1m", "30s", "7m"])
def test_bars_that_are_not_made_of_whole_ones(database_url: str, mdload: Mdload, to: str) -> None:
    ran = mdload("--database", database_url, "timescale", "rollup", "1m", to)
    assert ran.code == 2, ran.err


@pytest.fixture
def plain_url(server_url: str, tmp_path: Path) -> Iterator[str]:
    """Bars in a plain table; TimescaleDB came later."""
    with database(server_url) as url:
        schema.upgrade(url)
        loaded(url, tmp_path / "plain.parquet", BARS)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
        yield url


EVERYTHING = "SELECT * FROM bars_ohlcv ORDER BY provider, symbol, interval, ts"


def test_a_plain_table_is_converted(plain_url: str, tmp_path: Path, mdload: Mdload) -> None:
    before = asked(plain_url, EVERYTHING)
    told = mdload("--database", plain_url, "timescale", "enable", "--json")
    assert told.code == 0, told.err
    assert told.json()["done"] is False
    assert len(told.json()["steps"]) == 3
    assert asked(plain_url, "SELECT count(*) FROM timescaledb_information.hypertables") == [(0,)]

    done = mdload("--database", plain_url, "timescale", "enable", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json()["done"] is True
    assert asked(plain_url, EVERYTHING) == before
    compress(plain_url)
    assert asked(plain_url, EVERYTHING) == before
    status = mdload("--database", plain_url, "timescale", "status", "--json").json()
    assert (status["hypertable"], status["chunks"], status["compressed"]) == (True, 1, 1)
    assert (status["chunk_width"], status["compress_after"]) == (7 * 86_400, 90 * 86_400)
    assert asked(
        plain_url,
        "SELECT replace(segmentby, '\"', ''), orderby"
        " FROM timescaledb_information.hypertable_compression_settings",
    ) == [("provider,symbol,interval", "ts")]
    loaded(plain_url, tmp_path / "2.parquet", [(1, *BARS[1][1:4], 13.0, *BARS[1][5:])])
    assert asked(plain_url, "SELECT old_close, new_close FROM bars_ohlcv_revisions") == [(14, 13)]

    again = mdload("--database", plain_url, "timescale", "enable", "--yes")
    assert again.code == 0, again.err
    assert "nothing to do" in again.out


def test_without_the_extension(server_url: str, mdload: Mdload) -> None:
    with database(server_url) as url:
        schema.upgrade(url)
        ran = mdload("--database", url, "timescale", "status")
    assert ran.code == 5
    assert "CREATE EXTENSION timescaledb" in ran.err


def test_daily_bars_are_checked_against_minutes(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    days = timedelta(days=1) // MINUTE
    minutes = [(n + day * days, *values) for day in range(4) for n, *values in BARS]
    loaded(database_url, tmp_path / "minutes.parquet", minutes)
    midnight = -(14 * 60 + 30)  # minutes from T0
    daily = [
        (midnight, 10.0, 15.0, 8.0, 9.5, 450.0, None, None),  # as the minutes have it
        (midnight + days, 10.0, 15.0, 8.0, 9.6, 450.0, None, None),
        (midnight + 3 * days, 10.0, 15.5, 8.0, 9.5, 500.0, None, None),
    ]
    loaded(database_url, tmp_path / "days.parquet", daily, "1d")
    missing = mdload("--database", database_url, "verify", "--rollup")
    assert missing.code == 2
    assert "mdload timescale rollup 1m 1d" in missing.err
    mdload("--database", database_url, "timescale", "rollup", "1m", "1d")

    ran = mdload("--database", database_url, "verify", "--rollup", "--json")
    assert ran.code == 6, ran.err
    said = ran.json()
    assert (said["rollup"], said["compared"]) == ("bars_1d_of_1m", 4)
    assert [(d["ts"], d["differs"]) for d in said["differences"]] == [  # 10 %, 1 %, and none
        ("2024-03-07T00:00:00Z", ["high", "volume"]),
        ("2024-03-05T00:00:00Z", ["close"]),
        ("2024-03-06T00:00:00Z", ["not stored"]),
    ]
    assert said["differences"][1]["stored"] == [10.0, 15.0, 8.0, 9.6, 450.0]
    assert said["differences"][1]["made"] == [10.0, 15.0, 8.0, 9.5, 450.0]

    wide = ("verify", "--rollup", "--tolerance", "0.2", "--until", "2024-03-05")
    ran = mdload("--database", database_url, *wide)
    assert ran.code == 0, ran.err
    assert "2 bars compared, 0 differ" in ran.out


def test_numbers_that_differ_look_different(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    minutes = [(0, 10.0, 10.0, 10.0, 10.0, 18893700.0, None, None)]
    loaded(database_url, tmp_path / "minutes.parquet", minutes)
    midnight = -(14 * 60 + 30)
    daily = [(midnight, 10.0, 10.0, 10.0, 10.0, 18893701.0, None, None)]
    loaded(database_url, tmp_path / "days.parquet", daily, "1d")
    mdload("--database", database_url, "timescale", "rollup", "1m", "1d")
    ran = mdload("--database", database_url, "verify", "--rollup", env={"COLUMNS": "200"})
    assert ran.code == 6, ran.err
    assert "18893701 / 18893700" in ran.out


def test_nothing_to_compare_is_no_success(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    loaded(database_url, tmp_path / "minutes.parquet", BARS)
    mdload("--database", database_url, "timescale", "rollup", "1m", "1d")
    ran = mdload("--database", database_url, "verify", "--rollup")
    assert ran.code == 2, ran.out
    assert "no series has stored 1d bars and bars in bars_1d_of_1m" in ran.err


def test_only_rollups_of_the_interval_written_are_refreshed(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    """A wrong materialised row shows whether a refresh has passed over it."""
    loaded(database_url, tmp_path / "minutes.parquet", BARS)
    mdload("--database", database_url, "timescale", "rollup", "1m", "1d")
    (view,) = asked(
        database_url,
        "SELECT format('%I.%I', materialization_hypertable_schema,"
        " materialization_hypertable_name) FROM timescaledb_information.continuous_aggregates",
    )[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"UPDATE {view} SET bars = 77")
    count = "SELECT bars FROM bars_1d_of_1m"
    daily = [(-(14 * 60 + 30), 10.0, 15.0, 8.0, 9.5, 450.0, None, None)]
    loaded(database_url, tmp_path / "days.parquet", daily, "1d")
    assert asked(database_url, count) == [(77,)]
    loaded(database_url, tmp_path / "2.parquet", [(4, 14.0, 16.0, 7.0, 9.5, 10.0, 9.0, 1)])
    assert asked(database_url, count) == [(4,)]


def test_rollups_are_compressed_by_the_server(
    database_url: str, tmp_path: Path, mdload: Mdload
) -> None:
    jobs = (
        "SELECT hypertable_name, config ->> 'compress_after' FROM timescaledb_information.jobs"
        " WHERE config ? 'compress_after' AND hypertable_name LIKE 'bars%of%' ORDER BY 1"
    )
    loaded(database_url, tmp_path / "minutes.parquet", BARS)
    mdload("--database", database_url, "timescale", "rollup", "1m", "5m", "1h")
    made = [("bars_1h_of_1m", "90 days"), ("bars_5m_of_1m", "90 days")]
    assert asked(database_url, jobs) == made
    with psycopg.connect(database_url, autocommit=True) as connection:  # as of an older mdload
        connection.execute("CALL remove_columnstore_policy('bars_5m_of_1m')")
    ran = mdload("--database", database_url, "timescale", "rollup", "1m", "5m")
    assert ran.code == 0, ran.err
    assert asked(database_url, jobs) == made
