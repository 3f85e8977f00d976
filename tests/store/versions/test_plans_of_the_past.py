"""The functions of the past are inlined: a series as of an instant is read through indexes."""

from __future__ import annotations

import psycopg
import pytest

from tests.conftest import TIMESCALE, database, not_on_citus

BARS = """
    INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)
    SELECT 'p', 'S' || s, '1m', timestamptz '2024-01-02Z' + make_interval(mins => m), 1, 1, 1, 1
      FROM generate_series(1, 200) s, generate_series(1, 500) m
"""
REVISIONS = """
    INSERT INTO bars_ohlcv_revisions (
        provider, symbol, interval, ts, old_open, old_high, old_low, old_close, op, old_updated_at)
    SELECT provider, symbol, interval, ts, 2, 2, 2, 2, 'delete', '2023-01-01Z' FROM bars_ohlcv
"""
LOAD = "INSERT INTO bars_loads (known_at, inserted) VALUES (now(), 100000)"
SERIES = "provider = 'p' AND symbol = 'S7' AND interval = '1m'"


@not_on_citus("the functions of the past are PL/pgSQL there")
@pytest.mark.parametrize(
    "past", ["bars_ohlcv_as_of(now())", "bars_ohlcv_as_of('2099-01-01')", "bars_ohlcv_at('pin')"]
)
def test_one_series_is_an_index_scan(database_url: str, past: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(BARS)
            connection.execute(REVISIONS)
            connection.execute(LOAD)
        connection.execute(
            "INSERT INTO bars_pins (name, known_at, load_id) VALUES ('pin', clock_timestamp(), 1)"
        )
        connection.execute("ANALYZE bars_ohlcv, bars_ohlcv_revisions, bars_loads")
        for bounds in ("", " AND ts BETWEEN '2024-01-02 01:00Z' AND '2024-01-02 02:00Z'"):
            asked = f"SELECT * FROM {past} WHERE {SERIES}{bounds} ORDER BY ts"
            rows = connection.execute(f"EXPLAIN {asked}".encode())
            plan = "\n".join(line for (line,) in rows)
            assert "Function Scan on bars_ohlcv" not in plan, plan
            assert "Seq Scan on bars_ohlcv" not in plan, plan
            bound = "Index Cond: ((provider = 'p'::text) AND (symbol = 'S7'::text)"
            assert plan.count(bound) == 2, plan  # the bars, and their revisions
            found = connection.execute(f"SELECT count(*) FROM ({asked}) q".encode()).fetchone()
            assert found == (61 if bounds else 500,)


def test_a_day_reads_the_partitions_of_its_day(
    server_url: str, request: pytest.FixtureRequest
) -> None:
    if TIMESCALE:
        pytest.skip("a hypertable has partitions of its own")
    template = request.getfixturevalue("partitioned_template")
    with database(server_url, template) as url, psycopg.connect(url) as connection:
        connection.execute(BARS)
        connection.execute(LOAD)
        connection.execute("INSERT INTO bars_pins (name, known_at, load_id) VALUES ('p', now(), 1)")
        connection.execute("ANALYZE bars_ohlcv, bars_loads")
        # With both ends: a partition for all other times has those before the first one, too.
        hour = "ts >= '2024-01-02Z' AND ts < '2024-01-02 01:00Z'"
        for past in ("bars_ohlcv_as_of(now())", "bars_ohlcv_at('p')"):
            asked = f"SELECT * FROM {past} WHERE {SERIES} AND {hour}"
            rows = connection.execute(f"EXPLAIN {asked}".encode())
            plan = "\n".join(line for (line,) in rows)
            assert "bars_2023" in plan, plan
            assert "bars_2024" not in plan, plan
            assert "bars_later" not in plan, plan
            found = connection.execute(f"SELECT count(*) FROM ({asked}) q".encode()).fetchone()
            assert found == (59,)


def test_a_load_row_takes_two_hundred_bytes_at_most(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO bars_loads (xact_at, known_at, run_id, kind, inserted)"
            " SELECT now() + make_interval(secs => n), now() + make_interval(secs => n), 1, 'live',"
            " 100 FROM generate_series(1, 100000) n"
        )
        (size,) = connection.execute(
            "SELECT pg_total_relation_size('bars_loads') / 100000.0"
        ).fetchone() or (0,)
    assert size <= 200
