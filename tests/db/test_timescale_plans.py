"""What a load asks a hypertable goes to the chunks that it touches, and there through an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from loader.queries import query
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
    for number, value in enumerate(params, 1):
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


def test_a_small_batch_looks_at_its_own_chunks(
    forty: tuple[psycopg.Connection[Any], list[str]],
) -> None:
    connection, chunks = forty
    ts = T0 + TOUCHED * WEEK + timedelta(hours=3)
    bar = f'{{"provider": "p", "symbol": "S3", "interval": "1h", "ts": "{ts.isoformat()}",'
    batch = f'{bar} "open": 1, "high": 1, "low": 1, "close": 1}}'
    connection.execute(query("store_session").encode())
    assert connection.execute("SHOW plan_cache_mode").fetchone() == ("force_custom_plan",)
    plan = explained(connection, "bars_merge", f"'[{batch}]'", 1, ts, ts, analyze=True)
    assert relations(plan) <= {
        chunks[TOUCHED], f"{chunks[TOUCHED]}_compressed", "bars_ohlcv", "bars_ohlcv_revisions",
    }  # fmt: skip
    assert f"{chunks[TOUCHED]}_compressed" in relations(plan)
