"""What a load asks a hypertable goes to the chunks that it touches, and there through an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from loader.db.queries import query
from tests.conftest import compress, database, needs_timescale

pytestmark = needs_timescale
T0 = datetime(2020, 1, 2, tzinfo=UTC)  # a Thursday, on which chunks begin
WEEK = timedelta(days=7)
TOUCHED = 20
SYMBOLS = [f"S{n}" for n in range(20)]


@pytest.fixture(scope="module")
def forty(server_url: str, template: str) -> Iterator[tuple[psycopg.Connection[Any], list[str]]]:
    """A loader's session, and the names of forty weekly chunks: twenty symbols, compressed."""
    with database(server_url, template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO bars_ohlcv (provider, symbol, interval, ts, open, high, low, close)"
                " SELECT 'p', 'S' || s, '1h', %s + make_interval(hours => h), 1, 1, 1, 1"
                " FROM generate_series(0, 19) s, generate_series(0, 40 * 7 * 24 - 1) h",
                [T0],
            )
        compress(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(query("session_setup").encode())
            names = connection.execute(
                "SELECT chunk_name FROM timescaledb_information.chunks"
                " WHERE hypertable_name = 'bars_ohlcv' ORDER BY range_start"
            ).fetchall()
            yield connection, [name for (name,) in names]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def explained(
    connection: psycopg.Connection[Any], name: str, *params: object, analyze: bool = False
) -> list[dict[str, Any]]:
    sql = query(name)
    for number, value in reversed(list(enumerate(params, 1))):  # $1 is in $10
        literal = f"TIMESTAMPTZ '{value.isoformat()}'" if isinstance(value, datetime) else value
        sql = sql.replace(f"${number}", str(literal))
    ((found,),) = connection.execute(
        f"EXPLAIN (FORMAT json, ANALYZE {analyze}) {sql}".encode()
    ).fetchall()
    return list(nodes(found[0]["Plan"]))


def relations(plan: list[dict[str, Any]]) -> set[str]:
    return {node["Relation Name"] for node in plan if "Relation Name" in node}


def through_an_index(plan: list[dict[str, Any]]) -> bool:
    kinds = {node["Node Type"] for node in plan if "Relation Name" in node}
    return kinds <= {"Index Scan", "Index Only Scan", "Custom Scan"}


def test_reading_back_looks_at_the_chunks_of_the_piece(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    lo, hi = T0 + TOUCHED * WEEK, T0 + TOUCHED * WEEK + timedelta(days=2)
    stretches = ", ".join(
        f'{{"sid": {n}, "provider": "p", "symbol": "{s}", "interval": "1h",'
        f' "lo": "{lo.isoformat()}", "hi": "{hi.isoformat()}"}}'
        for n, s in enumerate(SYMBOLS)
    )
    connection.execute("SELECT set_config('mdload.wanted', %s, false)", [f"[{stretches}]"])
    plan = explained(connection, "stored_bars", lo, hi, analyze=True)
    touched = chunks[TOUCHED]
    assert relations(plan) <= {touched, f"{touched}_compressed", "bars_ohlcv"}
    assert f"{touched}_compressed" in relations(plan)
    assert through_an_index(plan)
    (batches,) = [n for n in plan if n.get("Relation Name") == f"{touched}_compressed"]
    assert batches["Actual Rows"] == 1  # the batch of each symbol, and no other


def test_merging_looks_at_the_chunks_of_the_stage(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    changed = [T0 + TOUCHED * WEEK + timedelta(hours=5), T0 + 30 * WEEK]
    with connection.transaction(force_rollback=True):
        connection.execute(query("stage_create").encode())
        for ts in changed:
            connection.execute(
                "INSERT INTO mdload_stage VALUES ('p', 'S3', '1h', %s, 2, 2, 2, 2)", [ts]
            )
        connection.execute(query("decompression_unlimited").encode())
        met = explained(connection, "bars_meet", T0 + 31 * WEEK, analyze=True)
        counts = [node for node in met if "Batches decompressed" in node]
        assert [node["Batches decompressed"] for node in counts] == [2]
        assert [node["Tuples decompressed"] for node in counts] == [2 * 7 * 24]
        lo = T0 + TOUCHED * WEEK
        plan = explained(connection, "revisions_keep", 1, 1, lo, lo + WEEK, analyze=True)
        assert relations(plan) <= {
            chunks[TOUCHED], f"{chunks[TOUCHED]}_compressed", "bars_ohlcv", "mdload_stage",
            "bars_ohlcv_revisions",
        }  # fmt: skip
        assert chunks[TOUCHED] in relations(plan)


def locked(connection: psycopg.Connection[Any], chunks: list[str]) -> set[str]:
    """The chunks that the transaction has looked at in any way: each of them is locked."""
    found = connection.execute(
        "SELECT DISTINCT relation::regclass::text FROM pg_locks"
        " WHERE pid = pg_backend_pid() AND relation IS NOT NULL"
    ).fetchall()
    return {name.rpartition(".")[2] for (name,) in found} & set(chunks)


def test_the_upsert_looks_at_the_chunks_of_the_stage(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    """A changed bar in one compressed chunk, the same bar again in another, a new one in a third,
    next to which nothing can be decompressed."""
    connection, chunks = forty
    places = {TOUCHED: (5 * 60, 2), 30: (0, 1), 33: (30, 1)}
    with connection.transaction(force_rollback=True):
        connection.execute(query("stage_create").encode())
        for week, (minutes, price) in places.items():
            ts = T0 + week * WEEK + timedelta(minutes=minutes)
            values = [ts, *[price] * 4]
            connection.execute(
                "INSERT INTO mdload_stage VALUES ('p', 'S3', '1h', %s, %s, %s, %s, %s)", values
            )
        connection.execute(query("decompression_unlimited").encode())
        plan = explained(connection, "bars_upsert", analyze=True)
        assert relations(plan) <= {"mdload_stage", "bars_ohlcv"} | {chunks[n] for n in places}
        assert "mdload_stage" in relations(plan)
        (node,) = [node for node in plan if "Batches decompressed" in node]
        assert node["Batches decompressed"] <= 2
        assert locked(connection, chunks) == {chunks[n] for n in places}
        written = connection.execute(
            "SELECT ts, close FROM bars_ohlcv WHERE symbol = 'S3' AND ts >= %s AND close = 2"
            " AND ts < %s",
            [T0 + TOUCHED * WEEK, T0 + (TOUCHED + 1) * WEEK],
        ).fetchall()
        assert written == [(T0 + TOUCHED * WEEK + timedelta(hours=5), 2)]


def test_coverage_looks_at_the_chunks_of_its_stretch(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    lo = T0 + TOUCHED * WEEK
    ends = lo, lo + WEEK - timedelta(microseconds=1)
    first, last = (ts.isoformat() for ts in ends)
    wanted = {
        "sid": 0, "provider": "p", "symbol": "S3", "interval": "1h", "lo": first, "hi": first,
        "first": first, "last": last, "origin": first, "slice": "1 day", "length": "1h",
    }  # fmt: skip
    connection.execute("SELECT set_config('mdload.wanted', %s, false)", [json.dumps([wanted])])
    own = {chunks[TOUCHED], f"{chunks[TOUCHED]}_compressed", "bars_ohlcv"}
    for name, times in [
        ("series_between", ends), ("series_all", ends * 2), ("coverage_walk", ends),
        ("stretch_counts", ends), ("stored_times", ends),
    ]:  # fmt: skip
        plan = explained(connection, name, *times, analyze=True)
        assert relations(plan) <= own, name
        assert f"{chunks[TOUCHED]}_compressed" in relations(plan), name


def test_a_small_batch_looks_at_its_own_chunks(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    ts = T0 + TOUCHED * WEEK + timedelta(hours=3)
    bar = ["p", "S3", "1h", ts.isoformat(), *(["1"] * 4), *(["NULL"] * 3)]
    arrays = [f"'{{{value}}}'" for value in bar]
    connection.execute(query("store_session").encode())
    assert connection.execute("SHOW plan_cache_mode").fetchone() == ("force_custom_plan",)
    plan = explained(connection, "bars_merge", 1, ts, ts, *arrays, analyze=True)
    assert relations(plan) <= {
        chunks[TOUCHED], f"{chunks[TOUCHED]}_compressed", "bars_ohlcv", "bars_ohlcv_revisions",
    }  # fmt: skip
    assert f"{chunks[TOUCHED]}_compressed" in relations(plan)


def test_the_guard_looks_at_the_chunks_of_the_file(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    lo = T0 + TOUCHED * WEEK + timedelta(hours=3)
    hi = lo + timedelta(days=2)
    stretch = {
        "sid": 0, "provider": "p", "symbol": "S3", "interval": "1h",
        "lo": lo.isoformat(), "hi": hi.isoformat(), "most": None,
    }  # fmt: skip
    bar = {
        "provider": "p", "symbol": "S3", "interval": "1h", "ts": lo.isoformat(), "open": 1,
        "high": 1, "low": 1, "close": 1, "other_provider": "p", "other_symbol": "S4",
    }  # fmt: skip
    own = {chunks[TOUCHED], f"{chunks[TOUCHED]}_compressed", "bars_ohlcv"}
    for name, wanted, rows in [
        ("spans_around", stretch, [(0, lo, hi)]),
        ("stored_within", stretch, [(0, 49)]),
        ("stored_within", {**stretch, "most": 9}, [(0, 9)]),
        ("alike_series", bar, [("p", symbol, 1) for symbol in SYMBOLS if symbol != "S3"]),
        ("alike_bars", bar, [("p", "S4", 1)]),
        ("alike_providers", bar, []),
    ]:
        connection.execute("SELECT set_config('mdload.wanted', %s, false)", [json.dumps([wanted])])
        plan = explained(connection, name, lo, hi, analyze=True)
        assert relations(plan) <= own, name
        assert f"{chunks[TOUCHED]}_compressed" in relations(plan), name
        sql = query(name).replace("$1", f"TIMESTAMPTZ '{lo.isoformat()}'")
        sql = sql.replace("$2", f"TIMESTAMPTZ '{hi.isoformat()}'")
        assert sorted(connection.execute(sql.encode()).fetchall()) == sorted(rows), name
