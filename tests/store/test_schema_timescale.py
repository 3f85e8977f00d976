"""The same migration on a server with TimescaleDB: a hypertable, compressed after 90 days."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from loader.db.rows import Session
from loader.store import schema
from loader.store.timescale import connected, hypertable
from loader.survey.doctor.timescale import timescaledb
from tests.conftest import database, needs_timescale

pytestmark = needs_timescale
BAR = "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close) VALUES"


@pytest.fixture
def timescale_url(server_url: str) -> Iterator[str]:
    with database(server_url) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
        yield url


def test_up_down_and_up_again_with_timescaledb(timescale_url: str) -> None:
    assert schema.upgrade(timescale_url) == [*schema.REVISIONS]
    undone = schema.downgrade(timescale_url, "base")
    assert undone == [*schema.REVISIONS][::-1]
    with psycopg.connect(timescale_url) as connection:
        left = connection.execute("SELECT * FROM timescaledb_information.hypertables")
        assert left.fetchall() == []
    notices: list[str] = []
    assert schema.upgrade(timescale_url, notice=notices.append) == [*schema.REVISIONS]
    assert notices == []
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        assert connection.execute("""
            SELECT hypertable_name, compression_enabled, column_name, time_interval::text
            FROM timescaledb_information.hypertables
            JOIN timescaledb_information.dimensions USING (hypertable_schema, hypertable_name)
            """).fetchall() == [("bars_ohlcv", True, "ts", "7 days")]
        assert connection.execute("""
            SELECT replace(segmentby, '"', ''), orderby
            FROM timescaledb_information.hypertable_compression_settings
            """).fetchall() == [("provider,symbol,interval", "ts")]
        assert connection.execute("""
            SELECT config ->> 'compress_after' FROM timescaledb_information.jobs
            WHERE hypertable_name = 'bars_ohlcv'""").fetchall() == [("90 days",)]
        assert connection.execute("""
            SELECT indexname FROM pg_indexes WHERE tablename = 'bars_ohlcv'
            """).fetchall() == [("bars_ohlcv_pk",)]


def test_a_compressed_bar_can_be_revised(timescale_url: str) -> None:
    schema.upgrade(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute(
            f"{BAR} ('p', 'A', '1d', '2020-01-02Z', 1, 1, 1, 1),"
            " ('p', 'A', '1d', '2020-01-03Z', 2, 2, 2, 2),"
            " ('p', 'B', '1d', '2020-02-03Z', 3, 3, 3, 3)"
        )
        chunks = "SELECT compress_chunk(c)::text FROM show_chunks('bars_ohlcv') AS c"
        assert len(connection.execute(chunks).fetchall()) == 2
        connection.execute(
            f"{BAR} ('p', 'A', '1d', '2020-01-02Z', 1, 1, 1, 1),"
            " ('p', 'A', '1d', '2020-01-03Z', 2, 9, 2, 5)"
            " ON CONFLICT (provider, symbol, interval, ts)"
            " DO UPDATE SET high = excluded.high, close = excluded.close"
            " WHERE (bars_ohlcv.high, bars_ohlcv.close)"
            " IS DISTINCT FROM (excluded.high, excluded.close)"
        )
        rows = connection.execute(
            "SELECT symbol, high, close, updated_at > created_at FROM bars_ohlcv"
            " ORDER BY symbol, ts"
        )
        assert rows.fetchall() == [
            ("A", 1.0, 1.0, False),
            ("A", 9.0, 5.0, True),
            ("B", 3.0, 3.0, False),
        ]
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"{BAR} ('p', 'a', '1d', '2020-01-02Z', 1, 1, 1, 1)")


ENABLE = "with nobody loading, as the owner of bars_ohlcv: mdload timescale enable --yes"


def enable(url: str) -> None:
    with connected(url) as connection:
        assert hypertable.enable(connection, hypertable.plan(connection)) is None


def test_the_doctor_sees_what_became_of_it(timescale_url: str) -> None:
    schema.upgrade(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        session = Session(connection)
        assert timescaledb(session).state == "ok"
        found = connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE hypertable_name = 'bars_ohlcv'"
        ).fetchone()
        assert found is not None
        connection.execute("SELECT alter_job(%s, scheduled => false)", found)
        for trouble in ("is switched off", "without a compression policy"):
            check = timescaledb(session)
            assert (check.state, trouble in check.what) == ("warn", True)
            if trouble == "is switched off":
                connection.execute((check.hint or "").encode())
                assert timescaledb(session).state == "ok"
                connection.execute("SELECT remove_compression_policy('bars_ohlcv')")
            else:
                connection.execute((check.hint or "").encode())
        assert timescaledb(session).state == "ok"
        connection.execute("SELECT remove_compression_policy('bars_ohlcv')")
        connection.execute("ALTER TABLE bars_ohlcv SET (timescaledb.compress = false)")
        check = timescaledb(session)
        assert check.what.endswith(", a hypertable that does not compress")
        assert check.hint == ENABLE
        enable(timescale_url)
        assert timescaledb(session).state == "ok"


def test_a_policy_that_has_never_run_or_runs_for_the_first_time(timescale_url: str) -> None:
    schema.upgrade(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        # Its scheduler would plan the job anew.
        connection.execute("SELECT _timescaledb_functions.stop_background_workers()")
        connection.execute(
            "INSERT INTO _timescaledb_internal.bgw_job_stat (job_id, last_start, last_finish,"
            " next_start, last_successful_finish, last_run_success, total_runs, total_duration,"
            " total_duration_failures, total_successes, total_failures, total_crashes,"
            " consecutive_failures, consecutive_crashes, flags) SELECT job_id, '-infinity',"
            " '-infinity', '-infinity', '-infinity', false, 0, '0', '0', 0, 0, 0, 0, 0, 0"
            " FROM timescaledb_information.jobs WHERE hypertable_name = 'bars_ohlcv'"
            " ON CONFLICT (job_id) DO UPDATE SET last_start = '-infinity', next_start = '-infinity'"
        )
    with connected(timescale_url) as connection:
        status = hypertable.status(connection)
    assert (status.last_run, status.next_run) == (None, None)


def test_the_doctor_sees_bars_that_were_there_before_the_extension(timescale_url: str) -> None:
    schema.upgrade(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (LIKE bars_ohlcv INCLUDING ALL)")
        connection.execute("DROP TABLE bars_ohlcv CASCADE")  # with the functions that give its rows
        connection.execute("ALTER TABLE plain RENAME TO bars_ohlcv")
        connection.execute(f"{BAR} ('p', 'A', '1d', '2020-01-02Z', 1, 1, 1, 1)")
        session = Session(connection)
        check = timescaledb(session)
        assert (check.state, "is a plain table" in check.what) == ("warn", True)
        assert check.hint == ENABLE
        enable(timescale_url)
        assert timescaledb(session).state == "ok"
