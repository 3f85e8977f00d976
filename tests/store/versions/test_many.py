"""Many bars taken away at once: key and index of the revisions come back with the transaction."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from loader.db.arrow import connect
from loader.results import Counts
from loader.store import merge
from loader.store.runs.loads import Load, record
from loader.store.runs.tracker import JobRunTracker
from loader.store.versions import many, undo
from loader.store.versions.selection import Since
from tests.conftest import plain_only
from tests.support.histories import T0, State, frame, read
from tests.support.sql import fetch

BARS: State = {(s, T0 + timedelta(minutes=n)): 10.0 + n for s in "AB" for n in range(6)}
INDEXES = (
    "SELECT i.indexrelid::bigint, pg_get_indexdef(i.indexrelid), indisvalid::text FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid WHERE indrelid = 'bars_ohlcv_revisions'::regclass"
    " ORDER BY relname"
)


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "FEWEST", 1)


def loaded(url: str) -> tuple[int, int]:
    """The run that loaded `BARS`, and one for the way back."""
    with JobRunTracker(url) as tracker:
        run, back = (tracker.start_run("j", mode="backfill") for _ in range(2))
    with connect(url) as writer, writer.transaction():
        done = merge.upsert(writer, [frame(BARS)], run, None)
        record(writer, Load(), Counts(len(BARS), done.inserted, done.updated), run)
    return run, back


@plain_only  # TimescaleDB looks at each CREATE INDEX: there the index stays
def test_key_and_index_are_made_again(database_url: str) -> None:
    before = fetch(database_url, INDEXES)
    assert len(before) == 2
    run, back = loaded(database_url)
    ((moment,),) = fetch(database_url, "SELECT mdload_settled()")
    assert undo.rollback(database_url, Since(run_id=run), None).deleted == len(BARS)
    assert fetch(database_url, INDEXES) == before  # a dry run holds nobody up
    assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    for (oid, definition, _), (again, same, valid) in zip(
        before, fetch(database_url, INDEXES), strict=True
    ):
        assert again != oid
        assert (same, valid) == (definition, "true")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET enable_seqscan = off")
        assert read(connection, "bars_ohlcv") == {}
        assert read(connection, "bars_ohlcv_as_of", moment) == BARS
    assert fetch(
        database_url, f"SELECT symbols, min_ts, max_ts FROM job_runs WHERE id = {back}"
    ) == [(["A", "B"], T0, T0 + timedelta(minutes=5))]


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON INDEX bars_ohlcv_revisions_key_idx IS 'ours'",
        "ALTER INDEX bars_ohlcv_revisions_key_idx SET (fillfactor = 80)",
        "CLUSTER bars_ohlcv_revisions USING bars_ohlcv_revisions_key_idx",
        "DROP INDEX bars_ohlcv_revisions_key_idx; CREATE INDEX bars_ohlcv_revisions_key_idx"
        " ON bars_ohlcv_revisions (symbol)",
        "COMMENT ON CONSTRAINT bars_ohlcv_revisions_pkey ON bars_ohlcv_revisions IS 'ours'",
        "ALTER INDEX bars_ohlcv_revisions_pkey SET (fillfactor = 80)",
        "ALTER TABLE bars_ohlcv_revisions REPLICA IDENTITY FULL",
        "CREATE TABLE ours (revised_at timestamptz, id bigint,"
        " FOREIGN KEY (revised_at, id) REFERENCES bars_ohlcv_revisions)",
        "CREATE VIEW ours AS SELECT revised_at, id, symbol FROM bars_ohlcv_revisions"
        " GROUP BY revised_at, id",
        "CREATE PUBLICATION ours FOR TABLE bars_ohlcv_revisions",
    ],
)
def test_what_somebody_changed_or_needs_stays(database_url: str, statement: str) -> None:
    run, back = loaded(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    before = fetch(database_url, INDEXES)
    assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    assert fetch(database_url, INDEXES) == before


def test_somebody_who_reads_the_past_is_not_in_the_way(database_url: str) -> None:
    run, back = loaded(database_url)
    before = fetch(database_url, INDEXES)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM bars_ohlcv_revisions")  # holds it until its end
        assert undo.rollback(database_url, Since(run_id=run), back).deleted == len(BARS)
    assert fetch(database_url, INDEXES) == before
