"""Sessions that serve one file after another, and those that must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader import bars
from loader.db.arrow import Connection
from loader.errors import Cancelled, DatabaseError
from loader.ingest.pipeline import load
from loader.ingest.run import LoadRun
from loader.read.sources import find
from loader.settings import Settings
from loader.store.packed import counts
from tests.conftest import not_on_citus

DAY = (datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC))


@pytest.fixture
def job(database_url: str) -> Iterator[LoadRun]:
    with closing(LoadRun(Settings(), database_url, None, "", lambda event: None)) as job:
        yield job


def pid(connection: Connection) -> int:
    return int(said(connection, "SELECT pg_backend_pid() AS said, now()"))


def said(connection: Connection, sql: str) -> Any:
    return connection._session.execute(sql).read_all().to_pylist()[0]["said"]


def test_a_session_serves_again(job: LoadRun) -> None:
    with job.connection(autocommit=True) as one, job.connection(autocommit=True) as other:
        first = {pid(one), pid(other)}
        assert len(first) == 2
    with job.connection(autocommit=True) as one, job.connection() as writing:
        assert pid(one) in first
        assert pid(writing) not in first


def test_a_transaction_begins_when_the_session_is_taken_up(job: LoadRun, database_url: str) -> None:
    with job.connection() as writer, writer.transaction():
        before = pid(writer)
    with psycopg.connect(database_url, autocommit=True) as plain:
        (between,) = plain.execute("SELECT clock_timestamp()").fetchone() or (None,)
    with job.connection() as writer, writer.transaction():
        assert pid(writer) == before
        began = said(writer, "SELECT now() AS said")
    assert began > between


def test_a_session_that_failed_does_not_serve_again(job: LoadRun) -> None:
    with job.connection(autocommit=True) as reader:
        failed = pid(reader)
        with pytest.raises(DatabaseError):
            reader.run("file_begin", "path")  # a parameter short
    with job.connection(autocommit=True) as reader:
        after = pid(reader)
        assert after != failed
    with pytest.raises(ZeroDivisionError), job.connection(autocommit=True):
        _ = 1 / 0
    with job.connection(autocommit=True) as reader:
        assert pid(reader) not in (failed, after)


def test_a_session_with_rows_left_to_read_does_not_serve_again(
    job: LoadRun, database_url: str
) -> None:
    with psycopg.connect(database_url) as plain:
        plain.execute(
            "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close) "
            "SELECT 'p', 'A', '1m', timestamptz '2024-03-04 00:00Z' + n * interval '1 minute', "
            "1, 1, 1, 1 FROM generate_series(1, 5) n"
        )
    wanted = (
        '[{"sid": 0, "provider": "p", "symbol": "A", "interval": "1m", '
        '"lo": "2024-03-04T00:00:00Z", "hi": "2024-03-05T00:00:00Z"}]'
    )
    with job.connection(autocommit=True) as reader:
        half_read = pid(reader)
        reader.run("wanted_set", wanted)
        frames = reader.frames("stored_bars", *DAY)
        assert next(frames)["ts"].bin.size().to_list() == [40]
        frames.close()  # type: ignore[attr-defined]
    with job.connection(autocommit=True) as reader:
        whole = pid(reader)
        assert whole != half_read
        reader.run("wanted_set", wanted)
        assert [counts(found) for found in reader.batches("stored_bars", *DAY)] == [[5]]
    with job.connection(autocommit=True) as reader:
        assert pid(reader) == whole


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_session_that_the_server_ended_is_replaced(
    job: LoadRun, database_url: str, autocommit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.db.arrow._MOMENT", 0.0)  # it has been idle for longer
    with job.connection(autocommit=autocommit) as connection:
        ended = pid(connection)
    with psycopg.connect(database_url, autocommit=True) as plain:
        plain.execute("SELECT pg_terminate_backend(%s::integer, 10000)", (ended,))
    with job.connection(autocommit=autocommit) as connection:
        assert pid(connection) != ended


def test_none_serves_again_once_the_job_is_cancelled(job: LoadRun) -> None:
    with job.connection(autocommit=True) as reader:
        assert pid(reader)
        job.cancelled.set()
    with pytest.raises(Cancelled), job.connection(autocommit=True):
        pytest.fail("a session of a load that is cancelled")


@not_on_citus("its own sessions are counted too")
def test_a_run_of_many_files_opens_few_sessions(database_url: str, tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"{n}.csv").write_text(
            f"ts,symbol,open,high,low,close\n2024-03-04T09:30:00Z,S{n},1,1,1,1\n"
        )
    with psycopg.connect(database_url, autocommit=True) as plain:
        sessions = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
        (before,) = plain.execute(sessions).fetchone() or (0,)
        with find([str(tmp_path)]) as sources:
            result = load(Settings(provider="p", interval="1m"), database_url, sources)
        assert result.counts.inserted == 20
        (after,) = plain.execute(sessions).fetchone() or (0,)
    assert after - before <= 5
    with psycopg.connect(database_url) as plain:
        stored = plain.execute(f"SELECT count(*) FROM bars_ohlcv WHERE {bars.KEY[0]} = 'p'")
        assert stored.fetchone() == (20,)
