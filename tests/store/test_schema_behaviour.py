"""Behaviour of the schema itself: timestamps, generated values, checks, cascades, the summary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.conftest import no_triggers, not_on_citus

Connection = psycopg.Connection[tuple[Any, ...]]
BAR = (
    "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close, volume)"
    " VALUES ('p', 'AAPL', '1d', '2024-01-02Z', 187.15, 188.44, 183.89, 185.64, 82488700)"
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def one(connection: Connection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


@no_triggers
def test_updated_at_moves_only_with_the_values(connection: Connection) -> None:
    connection.execute(BAR)
    stamps = "SELECT created_at, updated_at FROM bars_ohlcv"
    created, updated = one(connection, stamps)
    assert created == updated
    connection.execute("UPDATE bars_ohlcv SET close = 185.64, vwap = NULL")
    assert one(connection, stamps) == (created, created)
    connection.execute("UPDATE bars_ohlcv SET vwap = 186")
    assert one(connection, stamps)[0] == created
    assert one(connection, stamps)[1] > created
    # Whatever a statement gives for it: the time of its transaction.
    for given in ("'2001-01-01Z'", "now()", "NULL", "DEFAULT"):
        before = one(connection, stamps)[1]
        connection.execute(f"UPDATE bars_ohlcv SET vwap = vwap + 1, updated_at = {given}")
        assert one(connection, stamps)[1] > before
    assert one(connection, "SELECT updated_at > now() - interval '1 minute' FROM bars_ohlcv")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("symbol = 'aapl'", marks=not_on_citus("the shard of a bar does not change")),
        "close = NULL",
        "interval = NULL",
    ],
)
def test_a_bar_that_is_none_is_refused(connection: Connection, change: str) -> None:
    connection.execute(BAR)
    with pytest.raises(psycopg.IntegrityError):
        connection.execute(f"UPDATE bars_ohlcv SET {change}")


def test_job_run_needs_only_a_name(connection: Connection) -> None:
    connection.execute("INSERT INTO job_runs (job_name) VALUES ('nightly')")
    given = one(connection, "SELECT mode, status, rows_written, metadata, elapsed_ms FROM job_runs")
    assert given == ("live", "running", 0, {}, None)


def test_elapsed_is_counted_in_milliseconds(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO job_runs (job_name, started_at, completed_at) VALUES ('j',"
        " '2024-03-10 01:59:59.9995 America/New_York', '2024-03-10 03:00:01 America/New_York')"
    )
    assert one(connection, "SELECT elapsed_ms FROM job_runs") == 1001  # half a ms rounds up
    with pytest.raises(psycopg.errors.GeneratedAlways):
        connection.execute("UPDATE job_runs SET elapsed_ms = 1")


def test_an_update_of_a_run_is_stamped(connection: Connection) -> None:
    connection.execute("INSERT INTO job_runs (job_name, mode) VALUES ('j', 'backfill')")
    # As a tracker counts: rows written, not told apart.
    connection.execute("UPDATE job_runs SET rows_written = rows_written + 10")
    assert one(connection, "SELECT updated_at > created_at FROM job_runs") is True


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("job_runs", "job_name, mode", "'j', 'test'"),
        ("job_runs", "job_name, status", "'j', 'done'"),
        ("job_run_files", "run_id, path, state", "1, 'a.csv', 'lost'"),
        ("job_run_files", "run_id, path", "77, 'a.csv'"),
        ("job_run_files", "run_id, path, rows_written", "1, 'a.csv', 1"),
        ("job_run_files", "run_id, path, state, rows_read", "1, 'a.csv', 'loaded', 1"),
        ("provider_symbols", "provider, source_symbol, symbol, convention",
         "'p', 'brk-b', 'brk.b', 'yahoo'"),
    ],
)  # fmt: skip
def test_what_no_table_takes(connection: Connection, table: str, columns: str, values: str) -> None:
    connection.execute("INSERT INTO job_runs (job_name) VALUES ('j')")
    with pytest.raises(psycopg.IntegrityError):
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})")


def test_a_file_that_did_not_end_needs_no_balance(
    connection: Connection,
) -> None:
    connection.execute("INSERT INTO job_runs (job_name) VALUES ('j')")
    connection.execute(
        "INSERT INTO job_run_files (run_id, path, state, rows_read) VALUES"
        " (1, 'a', 'loading', 5), (1, 'b', 'failed', 5), (1, 'c', 'cancelled', 5)"
    )
    connection.execute(
        "INSERT INTO job_run_files (run_id, path, state, rows_read, rows_written, rows_inserted,"
        " rows_updated, rows_unchanged, rows_duplicate, rows_skipped, rows_failed)"
        " VALUES (1, 'd', 'loaded', 21, 3, 1, 2, 3, 4, 5, 6)"
    )
    assert one(connection, "SELECT count(*) FROM job_run_files") == 4


def test_cleanup_of_a_run_keeps_the_bars_history(connection: Connection) -> None:
    connection.execute(BAR)
    connection.execute("INSERT INTO job_runs (job_name) VALUES ('old'), ('new')")
    connection.execute("INSERT INTO job_run_files (run_id, path) VALUES (1, 'a'), (2, 'b')")
    connection.execute(
        "INSERT INTO bars_rejected (run_id, file_id, rules, raw, replayed_by) VALUES"
        " (1, 1, '{r}', '{}', NULL), (2, 2, '{r}', '{}', 1)"
    )
    connection.execute(
        "INSERT INTO bars_ohlcv_revisions (provider, symbol, interval, ts, old_open, old_high,"
        " old_low, old_close, new_open, new_high, new_low, new_close, run_id, file_id)"
        " VALUES ('p', 'AAPL', '1d', '2024-01-02Z', 1, 1, 1, 1, 2, 2, 2, 2, 1, 1)"
    )
    connection.execute(
        "INSERT INTO provider_symbols VALUES ('p', 'aapl', 'AAPL', 'plain', now(), 1)"
    )
    connection.execute("DELETE FROM job_runs WHERE id = 1")
    assert one(connection, "SELECT run_id, replayed_by FROM bars_rejected") == (2, None)
    assert one(connection, "SELECT path FROM job_run_files") == "b"
    assert one(connection, "SELECT run_id, file_id FROM bars_ohlcv_revisions") == (1, 1)
    assert one(connection, "SELECT first_run_id FROM provider_symbols") == 1
    assert one(connection, "SELECT count(*) FROM bars_ohlcv") == 1


def test_summary_of_the_last_day(connection: Connection) -> None:
    connection.execute("""
        INSERT INTO job_runs (job_name, provider, status, rows_written, started_at, completed_at)
        SELECT job, provider, status, written, now() - ago, now() - ago + took
        FROM (VALUES
            ('daily', 'polygon', 'success', 100, interval '1 hour', interval '2 seconds'),
            ('daily', 'polygon', 'success', 50, interval '23 hours', interval '1 second'),
            ('daily', 'polygon', 'success', 7, interval '25 hours', interval '1 hour'),
            ('daily', 'polygon', 'failure', 0, interval '2 hours', interval '500 ms'),
            ('daily', NULL, 'running', 9, interval '3 hours', NULL)
        ) AS run (job, provider, status, written, ago, took)""")
    rows = connection.execute("""
        SELECT job_name, provider, status, run_count, avg_duration_ms, total_rows, failure_count,
               last_run_at = (SELECT max(started_at) FROM job_runs AS run
                              WHERE run.status = summary.status
                                AND started_at > now() - interval '1 day')
        FROM job_runs_summary AS summary ORDER BY status""").fetchall()
    assert rows == [
        ("daily", "polygon", "failure", 1, 500.0, 0, 1, True),
        ("daily", None, "running", 1, None, 9, 0, True),
        ("daily", "polygon", "success", 2, 1500.0, 150, 0, True),
    ]


def test_times_are_instants(connection: Connection) -> None:
    connection.execute(BAR)
    connection.execute("SET timezone = 'Asia/Tokyo'")
    stored = one(connection, "SELECT ts FROM bars_ohlcv")
    assert stored == datetime(2024, 1, 2, tzinfo=UTC)
