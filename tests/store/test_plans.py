"""Plans do not depend on luck: every access to the bars goes through their key, whatever the
planner believes of them, and a load touches no more of them than it has rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql as psql

from loader.bars import KEY, SCHEMA, VALUES
from loader.db.queries import query
from loader.ingest.pipeline import load
from loader.ingest.run import LoadMode, turns
from loader.read.sources import find
from loader.results import Counts, LoadResult
from loader.settings import Settings
from tests.conftest import database, plain_only
from tests.support.accesses import accesses
from tests.support.sql import fetch

#: Those of a hypertable are looked at in test_timescale_plans.
pytestmark = plain_only
T0 = datetime(2024, 1, 1, tzinfo=UTC)
SERIES, MINUTES = 500, 4_000


def frame(rows: list[tuple[int, int, float]]) -> pl.DataFrame:
    """Bars of (number of the symbol, minute, price)."""
    stamps = [("p", f"S{s:03}", "1m", T0 + timedelta(minutes=m)) for s, m, _ in rows]
    prices = pl.Series("price", [price for *_, price in rows], pl.Float64)
    return (
        pl.DataFrame(stamps, schema={k: SCHEMA[k] for k in KEY}, orient="row")
        .with_columns(prices)
        .select(*KEY, *(pl.col("price").cast(SCHEMA[v]).alias(v) for v in VALUES))
    )


def loaded(url: str, path: Path, data: pl.DataFrame, **given: Any) -> LoadResult:
    data.write_parquet(path)
    with find([str(path)]) as sources:
        return load(Settings(force=True, **given), url, sources)


@pytest.fixture(scope="module")
def large(server_url: str, template: str) -> Iterator[str]:
    """Two million stored bars of price 10, and no statistics."""
    with database(server_url, template) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in (
                "ALTER TABLE bars_ohlcv SET (autovacuum_enabled = off)",
                "ALTER TABLE bars_ohlcv DROP CONSTRAINT bars_ohlcv_pk",
                f"""
                INSERT INTO bars_ohlcv
                SELECT 'p', 'S' || lpad(s::text, 3, '0'), '1m',
                       '2024-01-01Z'::timestamptz + make_interval(mins => m),
                       10, 10, 10, 10, 10, 10, 10
                  FROM generate_series(0, {SERIES - 1}) s, generate_series(0, {MINUTES - 1}) m
                """,
                "ALTER TABLE bars_ohlcv ADD CONSTRAINT bars_ohlcv_pk"
                ' PRIMARY KEY (provider, symbol, "interval", ts)',
            ):
                connection.execute(statement.encode())
        yield url


FORGET = "DELETE FROM pg_statistic WHERE starelid = 'bars_ohlcv'::regclass"
BELIEVE = (
    "UPDATE pg_class SET (reltuples, relpages) = ({})"
    " WHERE relname IN ('bars_ohlcv', 'bars_ohlcv_pk')"
)
#: What the planner knows of the bars.
STATISTICS = {
    "never analyzed": [FORGET, BELIEVE.format("-1, 0")],
    "analyzed when it was empty": [FORGET, BELIEVE.format("0, 1")],
    "believed to be hundredfold": [FORGET, BELIEVE.format("2e8, 3000000")],
    "analyzed": ["ANALYZE bars_ohlcv"],
}


@pytest.fixture(params=STATISTICS)
def known(large: str, request: pytest.FixtureRequest) -> str:
    with psycopg.connect(large, autocommit=True) as connection:
        for statement in STATISTICS[request.param]:
            connection.execute(statement.encode())
    return large


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def explained(
    connection: psycopg.Connection[Any], name: str, *params: int | str
) -> list[dict[str, Any]]:
    """The plan's nodes that read bars or write them."""
    sql = query(name)
    for number, value in enumerate(params, 1):
        sql = sql.replace(f"${number}", str(value))
    ((found,),) = connection.execute(f"EXPLAIN (FORMAT json) {sql}".encode()).fetchall()
    return [n for n in nodes(found[0]["Plan"]) if n.get("Relation Name") == "bars_ohlcv"]


def plans(url: str, data: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """How a loader's session would go about `data`, every series of which is one stretch."""
    stretches = (
        data.group_by(*KEY[:3], maintain_order=True)
        .agg(lo=pl.col("ts").min(), hi=pl.col("ts").max())
        .with_row_index("sid")
        .with_columns(pl.col("lo", "hi").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    )
    with psycopg.connect(url) as connection:
        connection.execute(query("session_setup").encode())
        connection.execute(
            "SELECT set_config('mdload.wanted', %s, false)", [stretches.write_json()]
        )
        connection.execute(query("stage_create").encode())
        with connection.cursor().copy("COPY mdload_stage FROM STDIN") as copy:
            for row in data.iter_rows():
                copy.write_row(row)
        always = ("'-infinity'", "'infinity'")
        wanted = psql.Literal(stretches.write_json()).as_string(connection)
        found = {"stored_spans": explained(connection, "stored_spans", wanted)}
        found["stored_bars"] = explained(connection, "stored_bars", *always)
        found["revisions_keep"] = explained(connection, "revisions_keep", 1, 1, *always)
        found["bars_upsert"] = explained(connection, "bars_upsert")
        if connection.info.server_version >= 180000:
            found["bars_revise"] = explained(connection, "bars_revise", 1, 1)
        connection.rollback()
    return found


def assert_through_the_key(found: dict[str, list[dict[str, Any]]]) -> None:
    for name in {"bars_upsert", "bars_revise"} & found.keys():
        (upsert,) = found.pop(name)
        assert (upsert["Node Type"], upsert["Operation"]) == ("ModifyTable", "Insert")
        assert upsert["Conflict Arbiter Indexes"] == ["bars_ohlcv_pk"]
    for name, reads in found.items():
        assert reads, name
        for node in reads:
            assert node["Node Type"] in ("Index Scan", "Index Only Scan"), (name, node)
            assert node["Index Name"] == "bars_ohlcv_pk"
            for column in KEY[:3] if name == "stored_spans" else KEY:
                assert f"{column} " in node["Index Cond"].replace('"', ""), (name, node)


SMALL = frame([(s, 3_990, 10.0) for s in range(100)])
BIG = frame([(s, m, 10.0) for s in range(25) for m in range(4_000)])


@pytest.mark.parametrize("data", [SMALL, BIG], ids=["100 rows", "100,000 rows"])
def test_plans_of_a_large_target(known: str, data: pl.DataFrame) -> None:
    assert_through_the_key(plans(known, data))


@pytest.mark.parametrize("data", [SMALL, BIG], ids=["100 rows", "100,000 rows"])
def test_plans_of_an_empty_target(database_url: str, data: pl.DataFrame) -> None:
    assert_through_the_key(plans(database_url, data))


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "staged"])
def test_a_small_file_touches_little_of_a_large_target(
    known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    """A hundred series: of each one bar that is stored alike, one that differs, one that is new."""
    monkeypatch.setattr("loader.ingest.attempts.FIRST_MODE", LoadMode(direct=direct))
    ((price,),) = fetch(known, "SELECT max(open) + 1 FROM bars_ohlcv WHERE symbol = 'S000'")
    ((last,),) = fetch(
        known, "SELECT extract(epoch FROM max(ts) - '2024-01-01Z')::int / 60 FROM bars_ohlcv"
    )
    data = frame(
        [row for s in range(100) for row in ((s, 5, 10.0), (s, 7, price), (s, last + 1, price))]
    )
    before = accesses(known)
    result = loaded(known, tmp_path / "small.parquet", data)
    made = accesses(known) - before
    assert result.counts == Counts(300, 100, 100, 100), result.files[0].error
    assert (made.scans, made.scanned) == (0, 0)
    # Two ends of each series, the two bars that are stored and the changed one twice more; and of
    # those in between, which the file does not have, eight for each of its own.
    assert made.fetched <= 100 * ((2 + 2 + 2) * 2 + 2 + 8 * 3)


def test_small_files_touch_little_of_a_large_target(
    known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each of them three bars are stored alike, the last one differs, and two are new."""
    monkeypatch.setattr(turns, "_ALONE", 1)
    stored = fetch(
        known,
        "SELECT extract(epoch FROM ts - '2024-01-01Z')::int / 60, open FROM bars_ohlcv"
        " WHERE symbol = 'S300' ORDER BY ts DESC LIMIT 4",
    )
    (last, price), *others = stored
    rows = [*others[::-1], (last, price + 1), (last + 1, 10.0), (last + 2, 10.0)]
    paths = [tmp_path / f"{n}.parquet" for n in range(9)]
    for n, path in enumerate(paths):
        frame([(300 + n, minute, value) for minute, value in rows]).write_parquet(path)
    before = accesses(known)
    with find([str(path) for path in paths]) as sources:
        result = load(Settings(), known, sources)
    made = accesses(known) - before
    assert result.counts == Counts(9 * 6, 9 * 2, 9, 9 * 3)
    assert (made.scans, made.scanned) == (0, 0)
    # Two ends of each series, four stored bars, and the changed one a few times more.
    assert made.fetched <= 9 * (2 + 4 + 6)


def test_a_fresh_load_reads_no_bars(database_url: str, tmp_path: Path) -> None:
    data = frame([(s, m, 10.0) for s in range(20) for m in range(1_000)])
    assert loaded(database_url, tmp_path / "1.parquet", data).counts.inserted == 20_000
    made = accesses(database_url)
    assert (made.scans, made.scanned, made.fetched) == (0, 0, 0)


@pytest.mark.parametrize("commit_every", [None, 5_000], ids=["whole", "in parts"])
def test_a_replay_touches_no_row_and_writes_next_to_nothing(
    database_url: str, tmp_path: Path, commit_every: int | None
) -> None:
    data = frame([(s, m, 10.0) for s in range(20) for m in range(1_000)])
    loaded(database_url, tmp_path / "1.parquet", data)
    versions = "SELECT ctid, xmin, xmax, updated_at FROM bars_ohlcv ORDER BY ctid"
    before = fetch(database_url, versions)
    scans = accesses(database_url).scans
    result = loaded(
        database_url, tmp_path / "1.parquet", data, batch_rows=3_000, commit_every=commit_every
    )
    assert result.counts == Counts(20_000, 0, 0, 20_000)
    assert accesses(database_url).scans == scans
    assert fetch(database_url, versions) == before
    assert result.wal_bytes is not None
    assert result.wal_bytes < 256 * 1024


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("paths", [1, 2_000])
def test_the_last_load_of_a_path_is_found_by_the_path(
    one_url: str, analyzed: bool, paths: int
) -> None:
    """However many files have its fingerprint."""
    with psycopg.connect(one_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_runs (job_name) VALUES ('j');"
            "INSERT INTO job_run_files"
            " (run_id, path, config_fingerprint, state, content_hash, rows_read, rows_skipped)"
            f" SELECT 1, n % {paths}, fingerprint, 'loaded', n, n + more, n + more"
            "   FROM generate_series(1, 2000) n,"
            "        (VALUES ('same', 0), ('other', 9)) f (fingerprint, more)".encode()
        )
        if analyzed:
            connection.execute("ANALYZE job_run_files")
        asked = '[{"path": "0", "fingerprint": "same"}, {"path": "7", "fingerprint": "same"}]'
        text = query("files_last_loaded").replace("$1", f"'{asked}'")
        for setting in ("enable_seqscan", "enable_bitmapscan"):  # as in a session of mdload
            connection.execute(f"SET {setting} = off".encode())
        plan = str(connection.execute(f"EXPLAIN {text}".encode()).fetchall())
        rows = connection.execute(text.encode()).fetchall()
    assert "job_run_files_path_idx" in plan
    assert "job_run_files_content_idx" not in plan
    assert [row[:3] for row in rows] == [(1, 1, 2000), (2, 1, 7)][: min(paths, 2)]
